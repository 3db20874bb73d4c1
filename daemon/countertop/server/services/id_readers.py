"""IdReaderService."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from google.protobuf.message import Message

from countertop.server.operations import OperationRecord
from countertop.server.plugins import Plugins
from countertop.server.services.base import Service
from countertop.v1 import device_pb2, id_reader_pb2, identity_pb2

__all__ = ["IdReaders", "PhotoDecoding", "document_of"]

DECODE_SECONDS = 5.0
log = logging.getLogger("countertop.photo")


class IdReaders(Service):
    """Reads identity documents."""

    descriptor = id_reader_pb2.DESCRIPTOR.services_by_name["IdReaderService"]
    kind = device_pb2.DEVICE_KIND_ID_READER


def document_of(message: Message) -> identity_pb2.IdentityDocument | None:
    """The document in a driver's message whose photo waits to be decoded; None for any other message."""
    document = message.document if isinstance(message, id_reader_pb2.ReadResult) else message
    if isinstance(document, identity_pb2.IdentityDocument) and document.photo.raw:
        return document
    return None


class PhotoDecoding:
    """Completes a driver's message: decodes the chip photo by a plugin, in a worker thread, in bounded time."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def concerns(self, message: Message) -> bool:
        """There is a photo to decode."""
        return document_of(message) is not None

    async def complete(self, record: OperationRecord, message: Message) -> None:
        """Decode it. Never raises: a document is good without its photo."""
        document = document_of(message)
        if document is None:
            return
        photo = document.photo
        try:
            async with asyncio.timeout(DECODE_SECONDS):
                image = await asyncio.to_thread(self._plugins.decode_photo, photo.raw, photo.raw_format)
        except Exception as error:  # a vendor's decoder may fail in any way
            log.warning("the photo decoder failed: %s", type(error).__name__)
            return
        if image is not None:
            photo.image.CopyFrom(image)
            photo.image.sha256 = hashlib.sha256(image.data).digest()
