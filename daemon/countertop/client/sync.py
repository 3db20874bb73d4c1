"""The client for programs without an event loop: the same names, blocking; streams are ordinary iterators.

::

    with countertop.client.sync.connect() as counter:
        result = counter.id_reader().read(photo=True)

It runs the asynchronous client on a thread of its own. Ctrl-C cancels the call that is waited for.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack

from google.protobuf.message import Message

from countertop.client import _bench, _cameras, _card_printers, _chip, _claim, _counter, _devices, _operation, _vendor
from countertop.client._access import Tls
from countertop.v1.operation_pb2 import CancelOutcome, Operation
from countertop.v1.vendor_pb2 import CallResponse

__all__ = [
    "Bench",
    "Camera",
    "CardPrinter",
    "ChipSession",
    "Claim",
    "Counter",
    "IdReader",
    "OperationHandle",
    "Operations",
    "ReceiptPrinter",
    "SignaturePad",
    "Tls",
    "Vendor",
    "connect",
]

Face = TypeVar("Face")
Item = TypeVar("Item")
Result = TypeVar("Result")
Update = TypeVar("Update")
R = TypeVar("R", bound=Message)
P = ParamSpec("P")

LONGEST_DEAF = 0.25  # seconds
"""A signal that comes just before a thread begins to wait, or to another thread, does not end the wait."""


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="countertop-client", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        return self._loop.is_closed()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine. Interrupted (Ctrl-C), it cancels the coroutine."""
        if self.closed:
            coroutine.close()
            raise RuntimeError("The counter is closed.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            while not future.done():
                with suppress(TimeoutError):  # of the wait, or what the coroutine raised: told below
                    return future.result(LONGEST_DEAF)
            return future.result()
        finally:
            future.cancel()

    def end(self, items: AsyncGenerator[Any, None]) -> None:
        """Close a stream that nobody follows any longer; the garbage collector may ask for it on any thread."""

        async def close() -> None:
            await items.aclose()

        if not self.closed:
            future = asyncio.run_coroutine_threadsafe(close(), self._loop)
            if threading.current_thread() is not self._thread:
                future.result()

    def stop(self) -> None:
        """End what still runs, the thread and the loop."""
        if self.closed:
            return
        self.run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


class _Blocking(Generic[Face]):
    """Stands before an object of the asynchronous client."""

    def __init__(self, loop: _Loop, face: Face) -> None:
        self._loop = loop
        self._face = face

    def _iterate(self, items: AsyncGenerator[Item, None]) -> Iterator[Item]:
        async def following() -> tuple[Item, ...]:
            async for item in items:
                return (item,)
            return ()

        try:
            while found := self._loop.run(following()):
                yield found[0]
        finally:
            self._loop.end(items)


def _waiting(
    method: Callable[Concatenate[Face, P], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[_Blocking[Face], P], Result]:
    """The method, waited for."""

    @functools.wraps(method)
    def call(self: _Blocking[Face], /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self._loop.run(method(self._face, *args, **kwargs))

    return call


def _starting(
    method: Callable[Concatenate[Face, P], _operation.OperationHandle[Update, Result]],
) -> Callable[Concatenate[_Blocking[Face], P], OperationHandle[Update, Result]]:
    """The method that begins an operation, with a blocking handle."""

    @functools.wraps(method)
    def call(self: _Blocking[Face], /, *args: P.args, **kwargs: P.kwargs) -> OperationHandle[Update, Result]:
        async def begin() -> _operation.OperationHandle[Update, Result]:
            return method(self._face, *args, **kwargs)

        return OperationHandle(self._loop, self._loop.run(begin()))

    return call


def _iterating(
    method: Callable[Concatenate[Face, P], AsyncGenerator[Item, None]],
) -> Callable[Concatenate[_Blocking[Face], P], Iterator[Item]]:
    """The method whose stream becomes an ordinary iterator."""

    @functools.wraps(method)
    def call(self: _Blocking[Face], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
        return self._iterate(method(self._face, *args, **kwargs))

    return call


class OperationHandle(_Blocking[_operation.OperationHandle[Update, Result]], Generic[Update, Result]):
    """An operation that was begun: `for update in handle`, `handle.result()`, `handle.cancel()`."""

    @property
    def id(self) -> str:
        """The operation's id, chosen before the call."""
        return self._face.id

    @property
    def operation(self) -> Operation:
        """The operation as last heard of; before the daemon's first word only its id is set."""
        return self._face.operation

    @property
    def done(self) -> bool:
        """It ended, or could not be followed to its end: `result` answers at once."""
        return self._face.done

    def __iter__(self) -> Iterator[Update]:
        """Each update once, the last one with the final state; then raises as `result` does."""
        return self._iterate(self._face.__aiter__())

    def result(self) -> Result:
        """What the verb gives, once the operation succeeded. Raises CountertopError."""
        return self._loop.run(self._face.result())

    def cancel(self) -> CancelOutcome:
        """Ask for the operation to be given up, and wait until that is settled: CANCELLED or TOO_LATE."""
        return self._loop.run(self._face.cancel())

    def close(self) -> None:
        """Hang up. Cancels an operation that only reads; one that uses something up goes on."""
        if not self._loop.closed:
            self._loop.run(self._face.close())

    def __enter__(self) -> OperationHandle[Update, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class IdReader(_Blocking[_devices.IdReader]):
    """Reads identity documents."""

    kind = _devices.IdReader.kind
    device_id = _waiting(_devices.IdReader.device_id)
    read = _waiting(_devices.IdReader.read)
    start_read = _starting(_devices.IdReader.start_read)


class ReceiptPrinter(_Blocking[_devices.ReceiptPrinter]):
    """Prints receipts."""

    kind = _devices.ReceiptPrinter.kind
    device_id = _waiting(_devices.ReceiptPrinter.device_id)
    print = _waiting(_devices.ReceiptPrinter.print)
    start_print = _starting(_devices.ReceiptPrinter.start_print)
    preview = _waiting(_devices.ReceiptPrinter.preview)
    open_drawer = _waiting(_devices.ReceiptPrinter.open_drawer)
    start_open_drawer = _starting(_devices.ReceiptPrinter.start_open_drawer)


class SignaturePad(_Blocking[_devices.SignaturePad]):
    """Lets people sign."""

    kind = _devices.SignaturePad.kind
    device_id = _waiting(_devices.SignaturePad.device_id)
    capture = _waiting(_devices.SignaturePad.capture)
    start_capture = _starting(_devices.SignaturePad.start_capture)
    press = _waiting(_devices.SignaturePad.press)
    signing_key = _waiting(_devices.SignaturePad.signing_key)
    verify = _waiting(_devices.SignaturePad.verify)


class Camera(_Blocking[_cameras.Camera]):
    """Looks through a camera."""

    kind = _cameras.Camera.kind
    device_id = _waiting(_cameras.Camera.device_id)
    frames = _iterating(_cameras.Camera.frames)
    watch = _iterating(_cameras.Camera.watch)
    frame = _waiting(_cameras.Camera.frame)
    capture = _waiting(_cameras.Camera.capture)
    scan = _waiting(_cameras.Camera.scan)
    start_scan = _starting(_cameras.Camera.start_scan)
    capture_document = _waiting(_cameras.Camera.capture_document)
    calibrate_stage = _waiting(_cameras.Camera.calibrate_stage)
    compose = _waiting(_cameras.Camera.compose)
    verify_presence = _waiting(_cameras.Camera.verify_presence)
    start_verify_presence = _starting(_cameras.Camera.start_verify_presence)


class CardPrinter(_Blocking[_card_printers.CardPrinter]):
    """Makes cards."""

    kind = _card_printers.CardPrinter.kind
    device_id = _waiting(_card_printers.CardPrinter.device_id)
    issue = _waiting(_card_printers.CardPrinter.issue)
    start_issue = _starting(_card_printers.CardPrinter.start_issue)
    encode_stripe = _waiting(_card_printers.CardPrinter.encode_stripe)
    read_stripe = _waiting(_card_printers.CardPrinter.read_stripe)
    move = _waiting(_card_printers.CardPrinter.move)
    inventory = _waiting(_card_printers.CardPrinter.inventory)
    begin_exchange = _waiting(_card_printers.CardPrinter.begin_exchange)
    end_exchange = _waiting(_card_printers.CardPrinter.end_exchange)
    preview = _waiting(_card_printers.CardPrinter.preview)

    def chip(
        self,
        *,
        issue: str = "",
        contactless: bool = False,
        protocols: Iterable[int] = (),
        **options: Unpack[_operation.CallOptions],
    ) -> ChipSession:
        """Talk to the chip of the card inside, for `with`; or, with `issue`, of a card that waits at its chip step."""
        face = self._face.chip(issue=issue, contactless=contactless, protocols=protocols, **options)
        return ChipSession(self._loop, face)


class Vendor(_Blocking[_vendor.Vendor]):
    """The commands of a device's vendor."""

    commands = _waiting(_vendor.Vendor.commands)

    def call(self, command: Message, result_type: type[R], **options: Unpack[_operation.CallOptions]) -> R:
        """Carry out a command, as `countertop.client.Vendor.call` does."""
        return self._loop.run(self._face.call(command, result_type, **options))

    def start_call(
        self, command: Message, result_type: type[R], **options: Unpack[_operation.CallOptions]
    ) -> OperationHandle[CallResponse, R]:
        """Begin a command; of its events, `update.event.message.Unpack(...)` gives the vendor's messages."""

        async def begin() -> _vendor.VendorHandle[R]:
            return self._face.start_call(command, result_type, **options)

        return OperationHandle(self._loop, self._loop.run(begin()))


class ChipSession(_Blocking[_chip.ChipSession]):
    """An exchange of APDUs: `with printer.chip() as chip: chip.transmit(b"...")`."""

    transmit = _waiting(_chip.ChipSession.transmit)
    reset = _waiting(_chip.ChipSession.reset)

    @property
    def atr(self) -> bytes:
        """The chip's last answer to reset, 2 to 33 bytes."""
        return self._face.atr

    @property
    def protocol(self) -> int:
        """0 or 1, for T=0 or T=1."""
        return self._face.protocol

    def __enter__(self) -> ChipSession:
        self._loop.run(self._face.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._loop.closed:
            self._loop.run(self._face.__aexit__(kind, error, trace))


class Claim(_Blocking[_claim.Claim]):
    """The right to use devices alone: `with counter.claim("printer", label="counter 3") as claim:`."""

    release = _waiting(_claim.Claim.release)

    @property
    def token(self) -> str:
        """Goes into the calls under the claim, as `claim_token`."""
        return self._face.token

    @property
    def lost(self) -> bool:
        """It is gone for good."""
        return self._face.lost.is_set()

    def __enter__(self) -> Claim:
        self._loop.run(self._face.acquire())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._loop.closed:
            self.release()


class Operations(_Blocking[_counter.Operations]):
    """Looks after operations of every device and kind."""

    get = _waiting(_counter.Operations.get)
    list = _waiting(_counter.Operations.list)
    watch = _iterating(_counter.Operations.watch)
    cancel = _waiting(_counter.Operations.cancel)
    resolve = _waiting(_counter.Operations.resolve)


class Bench(_Blocking[_bench.Bench]):
    """Acts on emulated devices."""

    insert_card = _waiting(_bench.Bench.insert_card)
    remove_card = _waiting(_bench.Bench.remove_card)
    open_cover = _waiting(_bench.Bench.open_cover)
    close_cover = _waiting(_bench.Bench.close_cover)
    load_paper = _waiting(_bench.Bench.load_paper)
    unplug = _waiting(_bench.Bench.unplug)
    replug = _waiting(_bench.Bench.replug)
    power_cycle = _waiting(_bench.Bench.power_cycle)
    sign = _waiting(_bench.Bench.sign)
    press_pad_button = _waiting(_bench.Bench.press_pad_button)
    load_cards = _waiting(_bench.Bench.load_cards)
    load_ribbon = _waiting(_bench.Bench.load_ribbon)
    empty_bin = _waiting(_bench.Bench.empty_bin)
    take_card = _waiting(_bench.Bench.take_card)
    push_card = _waiting(_bench.Bench.push_card)
    remove_jam = _waiting(_bench.Bench.remove_jam)
    set_customer = _waiting(_bench.Bench.set_customer)
    set_scene = _waiting(_bench.Bench.set_scene)
    count_cards = _waiting(_bench.Bench.count_cards)
    faults = _waiting(_bench.Bench.faults)
    inject_fault = _waiting(_bench.Bench.inject_fault)
    clear_fault = _waiting(_bench.Bench.clear_fault)
    output = _waiting(_bench.Bench.output)
    last_output = _waiting(_bench.Bench.last_output)


class Counter(_Blocking[_counter.Counter]):
    """One daemon with its devices. Use `with`: leaving it hangs up and ends the thread."""

    def __init__(
        self, address: str | None = None, *, patience: float = 30.0, token: str | None = None, tls: Tls | None = None
    ) -> None:
        counter = _counter.Counter(address, patience=patience, token=token, tls=tls)
        super().__init__(_Loop(), counter)
        self.operations = Operations(self._loop, self._face.operations)
        self.bench = Bench(self._loop, self._face.bench)

    @property
    def address(self) -> str:
        """The daemon's address."""
        return self._face.address

    def __enter__(self) -> Counter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call, the thread and its loop."""
        if not self._loop.closed:
            try:
                self._loop.run(self._face.close())
            finally:
                self._loop.stop()

    def id_reader(self, device_id: str | None = None) -> IdReader:
        """An ID reader; without an id, the terminal's only one, looked up at the first call."""
        return IdReader(self._loop, self._face.id_reader(device_id))

    def receipt_printer(self, device_id: str | None = None) -> ReceiptPrinter:
        """A receipt printer; without an id, the terminal's only one, looked up at the first call."""
        return ReceiptPrinter(self._loop, self._face.receipt_printer(device_id))

    def signature_pad(self, device_id: str | None = None) -> SignaturePad:
        """A signature pad; without an id, the terminal's only one, looked up at the first call."""
        return SignaturePad(self._loop, self._face.signature_pad(device_id))

    def camera(self, device_id: str | None = None) -> Camera:
        """A camera; without an id, the terminal's only one, looked up at the first call."""
        return Camera(self._loop, self._face.camera(device_id))

    def card_printer(self, device_id: str | None = None) -> CardPrinter:
        """A card printer; without an id, the terminal's only one, looked up at the first call."""
        return CardPrinter(self._loop, self._face.card_printer(device_id))

    def vendor(self, device_id: str) -> Vendor:
        """The commands of a device's vendor, by the vendor's own messages; for devices of any kind."""
        return Vendor(self._loop, self._face.vendor(device_id))

    def claim(
        self,
        *device_ids: str,
        units: Iterable[str] = (),
        label: str,
        wait: float = 30.0,
        on_handover: Callable[[str], bool] | None = None,
        on_queued: Callable[[int, list[str]], object] | None = None,
    ) -> Claim:
        """The right to use devices alone, for `with`; the callbacks are called in the counter's own thread."""

        async def make() -> _claim.Claim:
            return self._face.claim(
                *device_ids, units=units, label=label, wait=wait, on_handover=on_handover, on_queued=on_queued
            )

        return Claim(self._loop, self._loop.run(make()))

    claims = _waiting(_counter.Counter.claims)
    revoke_claim = _waiting(_counter.Counter.revoke_claim)
    terminal = _waiting(_counter.Counter.terminal)
    devices = _waiting(_counter.Counter.devices)
    units = _waiting(_counter.Counter.units)
    device = _waiting(_counter.Counter.device)
    check_health = _waiting(_counter.Counter.check_health)
    start_check_health = _starting(_counter.Counter.start_check_health)
    reset = _waiting(_counter.Counter.reset)
    start_reset = _starting(_counter.Counter.start_reset)
    set_maintenance = _waiting(_counter.Counter.set_maintenance)
    statistics = _waiting(_counter.Counter.statistics)
    record = _iterating(_counter.Counter.record)
    watch = _iterating(_counter.Counter.watch)


def connect(
    address: str | None = None, *, patience: float = 30.0, token: str | None = None, tls: Tls | None = None
) -> Counter:
    """The counter behind a daemon's address, for `with`; arguments as of `countertop.client.connect`."""
    return Counter(address, patience=patience, token=token, tls=tls)
