"""A daemon on made-up drivers, for tests of the daemon itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2, status_pb2

from countertop.sdk import (
    DeviceFault,
    DriverSpec,
    IdReader,
    LinkFault,
    Options,
    ReceiptPrinter,
    Run,
    Settlement,
    TcpLink,
    Unsettled,
    hookimpl,
)
from countertop.server.app import Daemon
from countertop.server.config import AccessConfig, Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.v1 import (
    claim_pb2,
    device_pb2,
    error_pb2,
    id_reader_pb2,
    identity_pb2,
    operation_pb2,
    receipt_printer_pb2,
    signature_pad_pb2,
    vendor_pb2,
)

DESCRIPTORS: dict[str, ServiceDescriptor] = {
    name: descriptor
    for module in (
        claim_pb2,
        device_pb2,
        operation_pb2,
        id_reader_pb2,
        receipt_printer_pb2,
        signature_pad_pb2,
        vendor_pb2,
    )
    for name, descriptor in module.DESCRIPTOR.services_by_name.items()
}


class World:
    """What the made-up devices do; a test turns its knobs."""

    def __init__(self) -> None:
        self.present = True
        self.conditions: list[device_pb2.Condition] = []
        self.media = device_pb2.MEDIA_STATE_NOT_PRESENT
        self.printed: list[str] = []
        self.connects = 0
        self.instances: list[Any] = []
        self.read: Callable[[Any, Run], Awaitable[Any]] = self._read
        self.print: Callable[[Any, Run], Awaitable[Any]] = self._print
        self.reconcile: Callable[[Unsettled], Awaitable[Settlement]] | None = None
        self.info = device_pb2.DeviceInfo(vendor="Invented", model="Fake", serial="1", firmware="1.0")

    async def _read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        return id_reader_pb2.ReadResult(
            document=identity_pb2.IdentityDocument(type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD)
        )

    async def _print(self, request: receipt_printer_pb2.PrintRequest, run: Run) -> receipt_printer_pb2.PrintResult:
        await run.commit_point("first byte")
        self.printed.append(run.operation_id)
        return receipt_printer_pb2.PrintResult(confirmation=receipt_printer_pb2.CONFIRMATION_WRITTEN)


class FakeOptions(Options):
    """Options of the made-up drivers."""

    slow: bool = False


class _Fake:
    world: World
    links = (TcpLink,)
    options_type = FakeOptions
    poll_interval = 0.02

    async def connect(self) -> device_pb2.DeviceInfo:
        self.world.connects += 1
        self.world.instances.append(self)
        self._check()
        return self.world.info

    async def disconnect(self) -> None:
        pass

    async def status(self) -> device_pb2.DeviceStatus:
        self._check()
        return device_pb2.DeviceStatus(conditions=self.world.conditions, media=self.world.media)

    def _check(self) -> None:
        if not self.world.present:
            raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE, "Nobody answers on the made-up link.", step="connect")


def fake_plugin(world: World) -> ModuleType:
    """A plugin module that announces `fake-reader` and `fake-printer` for a world."""

    class FakeReader(_Fake, IdReader):
        name = "fake-reader"

        async def read(self, request: Any, run: Run) -> Any:
            return await self.world.read(request, run)

    class FakePrinter(_Fake, ReceiptPrinter):
        name = "fake-printer"

        async def print(self, request: Any, run: Run) -> Any:
            return await self.world.print(request, run)

        async def open_drawer(self, request: Any, run: Run) -> Any:
            raise DeviceFault(error_pb2.REASON_NOT_SUPPORTED)

    class SettlingPrinter(FakePrinter):
        async def reconcile(self, unsettled: Unsettled) -> Settlement:
            assert self.world.reconcile is not None
            return await self.world.reconcile(unsettled)

    FakeReader.world = FakePrinter.world = world
    module = ModuleType(f"fake_plugin_{id(world)}")
    printer = SettlingPrinter if world.reconcile is not None else FakePrinter
    module.FakeReader, module.FakePrinter = FakeReader, printer  # type: ignore[attr-defined]

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        return [
            DriverSpec("fake-reader", device_pb2.DEVICE_KIND_ID_READER, f"{module.__name__}:FakeReader", "made up"),
            DriverSpec(
                "fake-printer", device_pb2.DEVICE_KIND_RECEIPT_PRINTER, f"{module.__name__}:FakePrinter", "made up"
            ),
        ]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return module


class Failed(Exception):
    """A call that ended badly, with its details unpacked."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__(error.details())
        self.code = error.code()
        self.status = status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self.status.ParseFromString(value)

    def detail(self, kind: type[Any]) -> Any:
        """The detail of a type; fails the test when there is none."""
        for packed in self.status.details:
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                return message
        raise AssertionError(f"no {kind.__name__} in the details of {self.status}")

    @property
    def reason(self) -> str:
        """The one reason."""
        return str(self.detail(error_details_pb2.ErrorInfo).reason)


class Caller:
    """Calls any method of any service by name, as a client in another language would."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def _multi(self, service: str, method: str) -> tuple[Any, Any]:
        descriptor = DESCRIPTORS[service].methods_by_name[method]
        kind = self.channel.unary_stream if descriptor.server_streaming else self.channel.unary_unary
        request = message_factory.GetMessageClass(descriptor.input_type)
        response = message_factory.GetMessageClass(descriptor.output_type)
        path = f"/{DESCRIPTORS[service].full_name}/{method}"
        return kind(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        ), request

    async def unary(self, service: str, method: str, **fields: Any) -> Any:
        """The response. Raises Failed."""
        multi, request = self._multi(service, method)
        try:
            return await multi(request(**fields), timeout=10)
        except grpc.aio.AioRpcError as error:
            raise Failed(error) from None

    def stream(self, service: str, method: str, **fields: Any) -> Any:
        """The call object."""
        multi, request = self._multi(service, method)
        return multi(request(**fields), timeout=20)

    async def all(self, service: str, method: str, **fields: Any) -> list[Any]:
        """All updates. Raises Failed with `updates`."""
        updates = []
        try:
            async for update in self.stream(service, method, **fields):
                updates.append(update)  # noqa: PERF401 - those before a failure are kept
        except grpc.aio.AioRpcError as error:
            failed = Failed(error)
            failed.updates = updates  # type: ignore[attr-defined]
            raise failed from None
        return updates


@asynccontextmanager
async def running(
    world: World, tmp_path: Path, serials: dict[str, str] | None = None, owner: str = "admin", **terminal: Any
) -> AsyncIterator[SimpleNamespace]:
    """A daemon with a made-up reader and printer, and a caller."""
    config = Config(
        terminal=TerminalConfig(**{"id": "test", "state_dir": f"{tmp_path}/state", **terminal}),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        access=AccessConfig(owner=owner),
        devices=[
            DeviceConfig(id=name, driver=f"fake-{name}", link="tcp://127.0.0.1:1", serial=(serials or {}).get(name, ""))
            for name in ("reader", "printer")
        ],
    )
    async with (
        Daemon(config, plugins=Plugins(fake_plugin(world))) as daemon,
        grpc.aio.insecure_channel(daemon.addresses[0]) as channel,
    ):
        yield SimpleNamespace(daemon=daemon, call=Caller(channel), channel=channel)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def counter(world: World, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    async with running(world, tmp_path) as found:
        await until_state(found.call, "reader", device_pb2.DEVICE_STATE_READY)
        await until_state(found.call, "printer", device_pb2.DEVICE_STATE_READY)
        yield found


async def until_state(call: Caller, device_id: str, state: int) -> Any:
    """Follow the events until a device is in a state; fails after 5 s."""
    async with asyncio.timeout(5):
        watch = call.stream("DeviceService", "WatchEvents")
        try:
            async for response in watch:
                kind = response.WhichOneof("payload")
                devices = response.snapshot.devices if kind == "snapshot" else ()
                if kind == "event" and response.event.HasField("device_changed"):
                    devices = (response.event.device_changed,)
                for device in devices:
                    if device.id == device_id and device.state == state:
                        return device
        finally:
            watch.cancel()
    raise AssertionError("the event stream ended")


@pytest.fixture
def start() -> Any:
    return running


@pytest.fixture
def until() -> Any:
    return until_state


@pytest.fixture
def caller() -> type[Caller]:
    return Caller
