"""`python -m tests.faults.canary_daemon CONFIG`: a daemon that logs all it can, with a driver that tells whatever it is
given to everybody it can reach.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import threading
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

from countertop.sdk import DeviceFault, DriverSpec, ReceiptPrinter, Run, TcpLink, VendorCommand, hookimpl
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.options_pb2 import EFFECT_CONSUMES

__all__ = ["Ask", "TellingPrinter", "pack"]

PLANTED = "CANARY_PLANTED"
PACKAGE = "canary.bank.v1"


def _made() -> tuple[Any, Any]:
    """A vendor's messages: a command with a text, and a result in which it is marked."""
    file = descriptor_pb2.FileDescriptorProto(name="canary/bank/v1/canary.proto", package=PACKAGE, syntax="proto3")
    for title in ("AskRequest", "AskResult"):
        added = file.message_type.add(name=title).field.add(name="text", number=1)
        added.label, added.type = added.LABEL_OPTIONAL, added.TYPE_STRING
        added.options.debug_redact = True
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found = [pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in ("AskRequest", "AskResult")]
    return message_factory.GetMessageClass(found[0]), message_factory.GetMessageClass(found[1])


Ask, Answer = _made()


def pack(text: str) -> any_pb2.Any:
    """The command."""
    command = any_pb2.Any()
    command.Pack(Ask(text=text))
    return command


class TellingPrinter(ReceiptPrinter):
    """Tells what it is given in every way that is not its result."""

    name = "telling"
    links = (TcpLink,)
    vendor_commands = (
        VendorCommand(Ask, Answer, effect=EFFECT_CONSUMES, handler="ask", description="Gives back the text."),
    )

    async def connect(self) -> device_pb2.DeviceInfo:
        return device_pb2.DeviceInfo(vendor="Invented", model=f"pid {os.getpid()}", serial="S1")

    async def disconnect(self) -> None:
        pass

    async def status(self) -> device_pb2.DeviceStatus:
        return device_pb2.DeviceStatus()

    async def open_drawer(self, request: Any, run: Run) -> Any:
        raise AssertionError("not tried")

    async def ask(self, request: Any, run: Run) -> Any:
        await run.commit_point("ask")
        if request.text.startswith("!"):
            raise LookupError(request.text)
        return Answer(text=request.text)

    async def print(self, request: Any, run: Run) -> Any:
        text = request.receipt.blocks[0].paragraph.spans[0].text
        tell_everybody(text, request)
        if PLANTED in os.environ:
            self._leak(text)
        await asyncio.sleep(0)
        raise ValueError(f"{text} in {request}")

    def _leak(self, text: str) -> None:
        """As a driver does that does not keep the rules."""
        print(text, flush=True)
        Path(tempfile.gettempdir(), "leak").write_text(text)
        condition = device_pb2.Condition(reason=error_pb2.REASON_PAPER_NEAR_END, action=text)
        self.report(device_pb2.DeviceStatus(conditions=[condition]))
        raise DeviceFault(error_pb2.REASON_PROTOCOL_ERROR, step="print", got=text)


def tell_everybody(text: str, message: Any) -> None:
    """Every way in which Python prints what goes wrong."""
    own, foreign = logging.getLogger("countertop.drivers.telling"), logging.getLogger("telling")
    own.info("asked for %s", message, extra={"request": message})
    foreign.warning(f"asked for {message}")
    foreign.warning("asked for %s", text, extra={"text": text})
    try:
        raise KeyError(text)  # noqa: TRY301 - it is what the handler logs
    except KeyError:
        own.exception("it failed")
        foreign.exception("it failed")
    own.info("%d", text)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, UserWarning, stacklevel=1)
    thread = threading.Thread(target=_fail, args=(text,))
    thread.start()
    thread.join()
    loop = asyncio.get_running_loop()
    loop.call_soon(_fail, text)
    task = loop.create_task(_fail_later(text))
    task.add_done_callback(lambda _: None)
    del task
    _Unraisable(text)


def _fail(text: str) -> None:
    raise OSError(5, text)


async def _fail_later(text: str) -> None:
    raise RuntimeError(text)


class _Unraisable:
    def __init__(self, text: str) -> None:
        self.text = text

    def __del__(self) -> None:
        raise ValueError(self.text)


def plugin() -> ModuleType:
    """With the driver; a factory by name, so that a process of its own finds it."""
    module = ModuleType("canary_plugin")

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER
        return [DriverSpec("telling", kind, "tests.faults.canary_daemon:TellingPrinter", "tells everybody")]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


def main(config: Path, *how: str) -> int:
    """Serve, with everything logged that any logger offers. `--planted`: leak wherever it can be done; `--broken`: a
    service of the daemon itself fails.
    """
    from countertop.server import app, serving

    logging.getLogger().setLevel(logging.DEBUG)
    serving.logs_to = partial(serving.logs_to, level=logging.DEBUG)
    if "--planted" in how:
        logging.basicConfig(level=logging.DEBUG)
        serving.logs_to = lambda **_: nullcontext()
        os.environ[PLANTED] = "1"
    if "--broken" in how:
        app.ReceiptPrinters.preview = _broken  # type: ignore[method-assign]
    return serving.serve(config, None, plugin())


async def _broken(self: Any, request: Any) -> Any:
    raise ArithmeticError(str(request))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
