"""One grpc.aio server behind the daemon's listener and, beside it, on sockets of gRPC's own.

`python -m benchmarks.doors_server FOLDER` says all four addresses.
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

from benchmarks.doors import FRAME_BYTES
from countertop.server.doors.listener import Listener
from countertop.server.doors.private import PrivateSocket
from countertop.server.doors.sockets import listen_tcp, listen_unix, name_of

ANSWER = b"a" * 450
FRAME = b"f" * FRAME_BYTES


async def echo(request: bytes, context: Any) -> bytes:
    """A small answer."""
    return ANSWER


async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    """As many frames as were asked for."""
    for _ in range(int(request)):
        yield FRAME


async def main(folder: Path) -> None:
    """Serve until SIGTERM."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Frames": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark.Doors", handlers),))
    said = {"unix_bare": f"unix:{folder}/bare.sock"}
    server.add_insecure_port(said["unix_bare"])
    said["tcp_bare"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    private, listener = PrivateSocket(server.add_insecure_port, tls=False), Listener()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    for transport, listening in (
        ("unix", listen_unix(folder / "relayed.sock", 0o600, "")),
        ("tcp", listen_tcp("127.0.0.1", 0)[0]),
    ):
        said[f"{transport}_relayed"] = name_of(listening)
        listener.accept_on(listening, private)
    print(json.dumps(said), flush=True)
    await stop.wait()
    await server.stop(None)
    await listener.close(0)
    private.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
