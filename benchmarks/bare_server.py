"""The reference: grpc.aio and nothing else. It answers each method with messages recorded from the daemon.

`python -m benchmarks.bare_server FILE ADDRESS...`; FILE maps method paths to `{"stream": bool, "messages": [hex]}`.
Requests and responses have the daemon's own classes and sizes, and the messages lie ready: no lower bound of a Python
gRPC server is lower.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from benchmarks.methods import Method


def handler(method: Method, messages: list[Message], *, stream: bool) -> Any:
    """A method that says what was recorded."""

    async def unary(request: Message, context: Any) -> Message:
        return messages[0]

    async def streaming(request: Message, context: Any) -> AsyncIterator[Message]:
        for message in messages:
            yield message

    decode, encode = method.request.FromString, method.response.SerializeToString
    if stream:
        return grpc.unary_stream_rpc_method_handler(streaming, decode, encode)
    return grpc.unary_unary_rpc_method_handler(unary, decode, encode)


async def main(recording: dict[str, dict[str, Any]], addresses: list[str]) -> None:
    """Serve until SIGTERM."""
    server = grpc.aio.server()
    services: dict[str, dict[str, Any]] = {}
    for path, recorded in recording.items():
        method = Method.of(path)
        messages = [method.response.FromString(bytes.fromhex(item)) for item in recorded["messages"]]
        services.setdefault(method.service, {})[method.name] = handler(method, messages, stream=recorded["stream"])
    for service, handlers in services.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    taken = []
    for address in addresses:
        port = server.add_insecure_port(address)
        taken.append(address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    print(json.dumps({"addresses": taken}), flush=True)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2:]))
