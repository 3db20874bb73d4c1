"""For tests of clients: the real daemon on made-up drivers, and a daemon that misbehaves as a test wants."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from countertop.bench.v1 import bench_pb2
from countertop.v1 import claim_pb2, device_pb2, error_pb2, id_reader_pb2, operation_pb2, receipt_printer_pb2

MODULES = (claim_pb2, device_pb2, operation_pb2, id_reader_pb2, receipt_printer_pb2, bench_pb2)
SERVICES = [service for module in MODULES for service in module.DESCRIPTOR.services_by_name.values()]


def _daemon_tests() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "daemon" / "conftest.py"
    spec = importlib.util.spec_from_file_location("countertop_daemon_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE_UP = _daemon_tests()


def held(world: Any, method: str, *, commit: bool = False) -> tuple[asyncio.Event, asyncio.Event]:
    """Makes a verb of the made-up device wait: the events are "it was entered" and "let it go on"."""
    entered, release = asyncio.Event(), asyncio.Event()
    original = getattr(world, method)

    async def hold(request: Any, run: Any) -> Any:
        if commit:
            await run.commit_point("first byte")
        entered.set()
        await release.wait()
        return await original(request, run)

    setattr(world, method, hold)
    return entered, release


@pytest.fixture
def world() -> Any:
    return MADE_UP.World()


@pytest.fixture
async def served(world: Any, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """The real daemon with a made-up `reader` and `printer`, both ready."""
    async with MADE_UP.running(world, tmp_path) as found:
        for device_id in ("reader", "printer"):
            await MADE_UP.until_state(found.call, device_id, device_pb2.DEVICE_STATE_READY)
        yield SimpleNamespace(
            address=found.daemon.addresses[0],
            call=found.call,
            world=world,
            hold=lambda method, **how: held(world, method, **how),
            until=lambda device_id, state: MADE_UP.until_state(found.call, device_id, state),
        )


class Misbehaving:
    """A daemon whose methods are functions of the test; remembers each request, and which calls were hung up."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[Any] = []
        self.requested = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.methods: dict[str, Callable[..., Any]] = {"GetTerminal": self._get_terminal}
        self.epoch = "one"
        self._server: grpc.aio.Server | None = None

    async def _get_terminal(self, request: Message, context: Any) -> Message:
        return device_pb2.GetTerminalResponse(terminal=device_pb2.Terminal(epoch=self.epoch))

    def requests_of(self, kind: type[Any]) -> list[Any]:
        """The requests of a type, in their order."""
        return [request for request in self.requests if isinstance(request, kind)]

    def remember(self, request: Any) -> None:
        self.requests.append(request)
        self.requested.set()

    async def until_requests(self, count: int) -> None:
        """Wait until so many requests have come in all."""
        while len(self.requests) < count:
            self.requested.clear()
            await self.requested.wait()

    async def start(self) -> None:
        self._server = grpc.aio.server()
        for service in SERVICES:
            handlers = {method.name: self._handler(method) for method in service.methods}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        """Break every connection."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def _handler(self, method: Any) -> Any:
        async def unary(request: Message, context: Any) -> Any:
            self.remember(request)
            try:
                return await self.methods[method.name](request, context)
            except asyncio.CancelledError:
                self.hung_up.set()
                raise

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            self.remember(request)
            options = getattr(request, "options", None)
            if options is not None and options.epoch not in ("", self.epoch):
                await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "Another.", reason("EPOCH_CHANGED"))
            try:
                async for response in self.methods[method.name](request, context):
                    yield response
            except asyncio.CancelledError:
                self.hung_up.set()
                raise

        make, handler = (
            (grpc.unary_stream_rpc_method_handler, stream)
            if method.server_streaming
            else (grpc.unary_unary_rpc_method_handler, unary)
        )
        return make(
            handler,
            request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
            response_serializer=message_factory.GetMessageClass(method.output_type).SerializeToString,
        )


async def refuse(context: Any, code: grpc.StatusCode, message: str, *details: Message) -> None:
    """End a call as the daemon does: with details."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort(code, message, trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),))


def reason(name: str) -> error_details_pb2.ErrorInfo:
    """The detail that every refusal of the daemon has."""
    assert f"REASON_{name}" in error_pb2.Reason.keys()  # noqa: SIM118 - an enum wrapper is no dict
    return error_details_pb2.ErrorInfo(reason=name, domain="countertop")


@pytest.fixture
async def misbehaving(tmp_path: Path) -> AsyncIterator[Misbehaving]:
    server = Misbehaving(f"unix:{tmp_path}/m.sock")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def refusing() -> SimpleNamespace:
    return SimpleNamespace(refuse=refuse, reason=reason)


@pytest.fixture
def emulated(tmp_path: Path) -> Any:
    """Starts the real daemon on emulated devices with the given emulators: `async with emulated({"id": "sdt"})`."""

    @asynccontextmanager
    async def start(devices: dict[str, str]) -> AsyncIterator[str]:
        from countertop.server.app import Daemon
        from countertop.server.config import Config, DeviceConfig, ListenConfig

        config = Config(
            listen=ListenConfig(addresses=[f"unix:{tmp_path}/e.sock"]),
            devices=[DeviceConfig(id=device_id, emulator=emulator) for device_id, emulator in devices.items()],
        )
        async with Daemon(config) as daemon:
            yield daemon.addresses[0]

    return start


Soon = Callable[[Awaitable[Any]], Awaitable[Any]]


@pytest.fixture
def soon() -> Soon:
    """Awaits something that must happen within 10 s."""

    async def wait(awaitable: Awaitable[Any]) -> Any:
        async with asyncio.timeout(10):
            return await awaitable

    return wait
