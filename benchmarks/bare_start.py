"""The least that answers: `python benchmarks/bare_start.py PATH [--messages]`.

A grpc.aio server on a unix socket whose only method answers GetTerminal with fixed bytes; with `--messages` it uses
the generated classes, as every server in Python that reads its requests must.
"""

import asyncio
import signal
import sys
from typing import Any

import grpc

REPLY = b"\n\x0b\n\tbenchmark"


async def main() -> None:
    """Serve until SIGTERM."""
    decode: Any = None
    encode: Any = None
    reply: Any = REPLY
    if "--messages" in sys.argv:
        from countertop.v1 import device_pb2

        decode = device_pb2.GetTerminalRequest.FromString
        encode = device_pb2.GetTerminalResponse.SerializeToString
        reply = device_pb2.GetTerminalResponse.FromString(REPLY)

    async def get_terminal(request: object, context: object) -> object:
        return reply

    server = grpc.aio.server()
    handlers = {"GetTerminal": grpc.unary_unary_rpc_method_handler(get_terminal, decode, encode)}
    generic = grpc.method_handlers_generic_handler("countertop.v1.DeviceService", handlers)
    server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"unix:{sys.argv[1]}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
