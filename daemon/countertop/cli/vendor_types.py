"""The message types of a vendor's commands: from the vendor's Python module, else from the daemon by reflection."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from countertop.cli.output import Refused

if TYPE_CHECKING:
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

    from countertop.client._access import Access

__all__ = ["Types", "vendor_types"]


class Types:
    """Message types by their full names."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool

    def find(self, name: str) -> type[Message]:
        """A class of messages. Raises Refused."""
        from google.protobuf import message_factory

        try:
            found: Any = self._pool.FindMessageTypeByName(name)
        except KeyError:
            next_step = "Name the vendor's own module of it: --module acme.pad.v1.pad_pb2"
            raise Refused(f"The type {name} is not to be had here.", next_step) from None
        return message_factory.GetMessageClass(found)

    def parse(self, name: str, text: str) -> Message:
        """A message from its JSON form. Raises Refused, which names fields and never what is in them."""
        from google.protobuf import json_format

        message = self.find(name)()
        try:
            json_format.Parse(text, message, descriptor_pool=self._pool)
        except json_format.ParseError as error:
            what = str(error).partition(":")[0].splitlines()[0]
            raise Refused(f"The data is not in the JSON form of {name}: {what}.") from None
        return message

    def to_json(self, packed: AnyMessage) -> str:
        """A packed message as one line; `@type` says what it is."""
        from google.protobuf import json_format

        plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        return json_format.MessageToJson(
            packed, preserving_proto_field_name=True, indent=None, ensure_ascii=plain, descriptor_pool=self._pool
        )


@contextmanager
def vendor_types(access: Access, module: str | None) -> Iterator[Types]:
    """The types that a module has, or without one those that the daemon tells. They are asked for as they are needed,
    which blocks. Raises Refused.
    """
    from google.protobuf import descriptor_pool

    if module is not None:
        try:
            import_module(module)
        except ImportError as error:
            raise Refused(f"The module {module} cannot be imported: {error}.") from None
        yield Types(descriptor_pool.Default())
        return

    import grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    class Proof(grpc.StreamStreamClientInterceptor):
        """Sends along what proves who calls."""

        def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
            metadata = [*(client_call_details.metadata or ()), *access.metadata()]
            return continuation(client_call_details._replace(metadata=metadata), request_iterator)

    options, credentials = (("grpc.enable_http_proxy", 0),), access.credentials()
    with (
        grpc.insecure_channel(access.target, options=options)
        if credentials is None
        else grpc.secure_channel(access.target, credentials, options=options)
    ) as channel:
        known = grpc.intercept_channel(channel, Proof())
        yield Types(descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(known)))
