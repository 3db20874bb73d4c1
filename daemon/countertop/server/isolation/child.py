"""The driver's process: `python -m countertop.server.isolation.child FD`, started by the daemon only."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from countertop.sdk.device import Device, Surroundings, Unsettled
from countertop.sdk.links import parse_link
from countertop.sdk.marks import safe
from countertop.sdk.vendor import check_vendor_commands, list_vendor_commands
from countertop.server.isolation.frames import Frame, FrameDecoder
from countertop.server.isolation.translate import error_from, error_to, message_from, message_type
from countertop.server.log_safety import loop_failed
from countertop.server.logs import logs_to
from countertop.v1 import operation_pb2
from countertop.v1.device_pb2 import DeviceStatus

if TYPE_CHECKING:
    from countertop.sdk.trace.recorder import Recorder

__all__ = ["EXIT_MEMORY", "main"]

EXIT_MEMORY = 77
_PR_SET_PDEATHSIG = 1
_READ = 65536


class _Run:
    """`countertop.sdk.Run` for a driver here; the operation is in the daemon."""

    def __init__(self, child: Child, number: int, operation_id: str, time_left: float) -> None:
        self._child = child
        self._number = number
        self.operation_id = operation_id
        self._deadline = asyncio.get_running_loop().time() + time_left
        self.committed: asyncio.Future[dict[str, Any] | None] | None = None
        self.instructions: asyncio.Queue[Message] = asyncio.Queue()

    @property
    def time_left(self) -> float:
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    def _tell(self, what: str, *args: Any, message: Message | None = None) -> None:
        header = {"did": "run", "n": self._number, "what": what, "args": args}
        if message is not None:
            header |= message_type(message)
        self._child.send(header, message.SerializeToString() if message is not None else b"")

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self._tell("progress", done, total, unit)

    def prompt(self, kind: operation_pb2.PromptKind) -> None:
        self._tell("prompt", int(kind))

    def working(self) -> None:
        self._tell("working")

    def stop(self, reason: int, prompt: int = 0) -> None:
        self._tell("stop", int(reason), int(prompt))

    def emit(self, event: Message) -> None:
        self._tell("emit", message=event)

    def effect(self, effect: int) -> None:
        self._tell("effect", int(effect))

    def used(self, medium: str, amount: float) -> None:
        self._tell("used", medium, amount)

    async def instruction(self) -> Message:
        return await self.instructions.get()

    async def commit_point(self, step: str, evidence: Mapping[str, Any] | None = None) -> None:
        self.committed = asyncio.get_running_loop().create_future()
        self._tell("commit_point", step, dict(evidence or {}))
        error = await self.committed
        if error is not None:
            raise error_from(error, step)


class Child:
    """Serves the daemon's calls with one driver."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._writer: asyncio.StreamWriter | None = None
        self._driver: Device | None = None
        self._recorder: Recorder | None = None
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._runs: dict[int, _Run] = {}

    def send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        """To the daemon."""
        assert self._writer is not None
        self._writer.write(Frame(header, blob).to_bytes())

    async def serve(self) -> None:
        """Until the daemon hangs up."""
        asyncio.get_running_loop().set_exception_handler(loop_failed)
        reader, self._writer = await asyncio.open_connection(sock=self._link)
        decoder = FrameDecoder()
        while data := await reader.read(_READ):
            for frame in decoder.feed(data):
                self._take(frame)
        for task in self._calls.values():
            task.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        if self._driver is not None:
            await self._driver.disconnect()

    def _take(self, frame: Frame) -> None:
        header = frame.header
        match header["do"]:
            case "ping":
                self.send({"did": "pong"})
            case "call":
                task = asyncio.create_task(self._call(header, frame.blob))
                self._calls[header["n"]] = task
            case "cancel":
                if header["n"] in self._calls:
                    self._calls[header["n"]].cancel()
            case "stop_recording":
                if self._recorder is not None:
                    self._recorder.stop()
            case "instruct":
                run = self._runs.get(header["n"])
                if run is not None:
                    run.instructions.put_nowait(message_from(header, frame.blob))
            case "committed":
                run = self._runs.get(header["n"])
                if run is not None and run.committed is not None and not run.committed.done():
                    run.committed.set_result(header["error"])

    async def _call(self, header: dict[str, Any], blob: bytes) -> None:
        number = header["n"]
        try:
            answer, message = await self._do(header, blob)
            if message is not None:
                answer |= message_type(message)
            self.send({"did": "result", "n": number, **answer}, b"" if message is None else message.SerializeToString())
        except asyncio.CancelledError:
            self.send({"did": "cancelled", "n": number})
        except MemoryError:
            self._die()
        except Exception as error:  # whatever a driver raises is the daemon's to judge
            self.send({"did": "error", "n": number, "error": error_to(error)})
        finally:
            self._calls.pop(number, None)
            self._runs.pop(number, None)

    def _die(self) -> None:
        os._exit(EXIT_MEMORY)

    async def _do(self, header: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], Message | None]:
        method = header["method"]
        if method == "load":
            return self._load(header), None
        driver = self._driver
        assert driver is not None, "loaded"
        if method == "record_links":
            await self._record(driver, header["encrypt_to"])
            return {}, None
        if method in ("disconnect", "rest"):
            await getattr(driver, method)()
            return {}, None
        if method == "next_frame":  # beside all that runs
            return {}, await getattr(driver, method)(message_from(header, blob))
        if method == "connect":
            info = await driver.connect()
            list_vendor_commands(driver, info)
            return {}, info
        if method == "status":
            return {}, await driver.status()
        if method == "reconcile":
            operation = operation_pb2.Operation.FromString(blob)
            run = self._run(header["n"], operation.id, 0.0)
            found = await driver.reconcile(Unsettled(header["verb"], operation, header["evidence"], run.commit_point))
            card = "" if found.card is None else found.card.SerializeToString().hex()
            return {"effect": int(found.effect), "message": found.message, "card": card}, found.result
        run = self._run(header["n"], header["operation_id"], header["time_left"])
        return {}, await getattr(driver, method)(message_from(header, blob), run)

    def _run(self, number: int, operation_id: str, time_left: float) -> _Run:
        run = self._runs[number] = _Run(self, number, operation_id, time_left)
        return run

    def _load(self, header: dict[str, Any]) -> dict[str, Any]:
        module, _, name = header["factory"].partition(":")
        kind = getattr(import_module(module), name)
        check_vendor_commands(kind)
        driver: Device = kind(parse_link(header["url"]), kind.options_type.model_validate(header["options"]))
        driver.report = self._report
        driver.surroundings = Surroundings.from_json(header["surroundings"])
        self._driver = driver
        if header["memory_mb"]:
            _limit_memory(header["memory_mb"])
        reconciles = kind.reconcile is not Device.reconcile
        return {"poll_interval": driver.poll_interval, "reconciles": reconciles}

    async def _record(self, driver: Device, encrypt_to: str) -> None:
        from countertop.sdk.trace.recorder import Recorder

        recorder = Recorder(
            lambda lines: self.send({"did": "recorded"}, "\n".join(lines).encode()),
            encrypt_to=encrypt_to,
            failed=lambda error: self.send({"did": "recorded", "error": error_to(error)}),
        )
        await driver.record_links(recorder)
        self._recorder = recorder

    def _report(self, status: DeviceStatus) -> None:
        self.send({"did": "report", **message_type(status)}, status.SerializeToString())


def _limit_memory(megabytes: int) -> None:
    """Allow so much more than what is used now: further allocations fail, here with MemoryError."""
    page = resource.getpagesize()
    data_pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = data_pages * page + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _die_with_the_daemon() -> None:
    """Linux ends this process when the daemon's thread that started it ends, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(descriptor: int, *, json_logs: bool = False) -> int:
    """Serve the daemon behind an inherited socket. Returns the exit code."""
    _die_with_the_daemon()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # sent to the whole group; the daemon decides
        signal.signal(signum, lambda *_: None)
    os.set_inheritable(descriptor, False)
    os.dup2(2, 1)  # what a driver prints is no answer
    try:
        with logs_to(json=json_logs):
            asyncio.run(Child(socket.socket(fileno=descriptor)).serve())
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except Exception as error:  # its traceback would show its text
        sys.stderr.write(f"the driver's process failed: {safe(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), json_logs="--json-logs" in sys.argv[2:]))
