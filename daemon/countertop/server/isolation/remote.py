"""A driver in another process, as the runner sees it: like any driver."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.message import Message

from countertop.sdk.device import Evidence, Run, Settlement, Surroundings, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.server.isolation.child import EXIT_MEMORY
from countertop.server.isolation.frames import BadFrame, Frame, FrameDecoder
from countertop.server.isolation.translate import error_from, error_to, message_from, message_type
from countertop.server.logs import as_json
from countertop.v1 import error_pb2
from countertop.v1.camera_pb2 import Frame as CameraFrame
from countertop.v1.camera_pb2 import GetFrameRequest
from countertop.v1.card_pb2 import CardReport
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus

if TYPE_CHECKING:
    from countertop.sdk.trace.recorder import Recorder

__all__ = ["IsolatedDriver"]

log = logging.getLogger("countertop.isolation")

END_SECONDS = 1.0
"""For a cancelled call, for disconnecting, and for the process to end by itself."""
_READ = 65536
_CHILD = "countertop.server.isolation.child"


class _Recommit:
    """What a driver may do of a `Run` while it settles an operation."""

    def __init__(self, commit_point: Callable[[str, Evidence], Awaitable[None]]) -> None:
        self.commit_point = commit_point

    async def instruction(self) -> Message:
        """Nothing is said to an operation that does not run."""
        return await asyncio.Future()


class IsolatedDriver:
    """Runs an unchanged driver in a process of its own. Made anew for each connection, as every driver.

    Every method raises what the driver raises; and DeviceFault with DRIVER_CRASHED, DRIVER_HUNG when the process does
    not answer for `hang_seconds`, DRIVER_OUT_OF_MEMORY beyond `memory_mb` MiB (0: no limit).
    """

    vendor_commands = ()
    """The driver's process lists them itself, in what `connect` gives."""

    def __init__(
        self,
        name: str,
        factory: str,
        url: str,
        options: Mapping[str, Any],
        *,
        memory_mb: int = 0,
        hang_seconds: float = 5.0,
        environment: Mapping[str, str] | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.name = name
        self.poll_interval = 2.0
        self.reconciles = False
        """The driver can tell what became of an operation."""
        self.report: Callable[[DeviceStatus], None] = lambda status: None
        self.on_death: Callable[[], object] = lambda: None
        """Called when the process has died by itself."""
        self._load = {
            "factory": factory,
            "url": url,
            "options": dict(options),
            "memory_mb": memory_mb,
            "surroundings": (surroundings or Surroundings()).to_json(),
        }
        self._hang_seconds = hang_seconds
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._runs: dict[int, Run] = {}
        self._commits: dict[int, asyncio.Task[None]] = {}
        self._answered = 0.0
        self._hung = self._closing = False
        self._death: DeviceFault | None = None
        self._recorder: Recorder | None = None
        self._loaded = False

    # -- as any driver --

    async def connect(self) -> DeviceInfo:
        """Start the process, load the driver, connect."""
        await self._begin()
        return DeviceInfo.FromString(await self._plain("connect"))

    async def record_links(self, recorder: Recorder) -> None:
        """As the driver does; its process has the recorder at work, whose lines and failure are passed on."""
        await self._begin()
        await self._ask({"method": "record_links", "encrypt_to": recorder.encrypt_to}, b"", "record")
        self._recorder = recorder

    async def _begin(self) -> None:
        """Start the process and load the driver, once."""
        if self._process is None:
            await self._spawn()
        if self._loaded:
            return
        loaded = await self._ask({"method": "load", **self._load}, b"", "load")
        self.poll_interval = loaded.header["poll_interval"]
        self.reconciles = loaded.header["reconciles"]
        self._loaded = True
        # only now: importing a driver may take long, and the runner bounds that
        self._tasks.append(asyncio.create_task(self._watch(), name=f"isolation watchdog {self.name}"))

    async def status(self) -> DeviceStatus:
        """As the driver says it; raises what ended the process, where it has died."""
        return DeviceStatus.FromString(await self._plain("status"))

    async def rest(self) -> None:
        """As the driver does."""
        await self._plain("rest")

    async def next_frame(self, request: GetFrameRequest) -> CameraFrame:
        """A frame of a camera's driver."""
        header = {"method": "next_frame"} | message_type(request)
        return CameraFrame.FromString((await self._ask(header, request.SerializeToString(), "next frame")).blob)

    async def disconnect(self) -> None:
        """Ask the driver to disconnect, then end the process. Never raises."""
        self._closing = True
        if self._process is None:
            return
        try:
            if self._death is None:
                with contextlib.suppress(CountertopError, TimeoutError):
                    async with asyncio.timeout(END_SECONDS):
                        await self._ask({"method": "disconnect"}, b"", "disconnect")
        finally:
            await self._end()

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """As the driver finds."""
        header = {"method": "reconcile", "verb": unsettled.verb, "evidence": dict(unsettled.evidence)}
        run = None if unsettled.commit_point is None else cast("Run", _Recommit(unsettled.commit_point))
        frame = await self._ask(header, unsettled.operation.SerializeToString(), "reconcile", run)
        result = message_from(frame.header, frame.blob) if "type" in frame.header else None
        card = CardReport.FromString(bytes.fromhex(frame.header["card"])) if frame.header["card"] else None
        return Settlement(frame.header["effect"], frame.header["message"], result, card)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._verb, name)

    async def _verb(self, method: str, request: Message, run: Run) -> Message:
        call = {"method": method, "operation_id": run.operation_id, "time_left": run.time_left}
        frame = await self._ask(call | message_type(request), request.SerializeToString(), method, run)
        return message_from(frame.header, frame.blob)

    async def _plain(self, method: str) -> bytes:
        return (await self._ask({"method": method}, b"", method)).blob

    # -- calls --

    async def _ask(self, header: dict[str, Any], blob: bytes, step: str, run: Run | None = None) -> Frame:
        if self._death is not None:
            raise self._again(self._death)
        self._number += 1
        number = self._number
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        if run is not None:
            self._runs[number] = run
        self._send({"do": "call", "n": number, **header}, blob)
        words = None if run is None else asyncio.create_task(self._pass_on(run, number))
        try:
            frame = await asyncio.shield(future)
        except asyncio.CancelledError:
            if number in self._commits:
                self._commits[number].cancel()  # nothing has left yet, and nothing must be said to have
            if not future.done():
                self._send({"do": "cancel", "n": number})
                await asyncio.wait({future}, timeout=END_SECONDS)
            if not future.done() or future.exception() or future.result().header["did"] != "result":
                raise
            frame = future.result()  # it had ended before the wish reached it
        finally:
            if words is not None:
                words.cancel()
            self._waiting.pop(number, None)
            self._runs.pop(number, None)
        if frame.header["did"] == "error":
            raise error_from(frame.header["error"], step)
        if frame.header["did"] == "cancelled":  # by the driver itself, nobody here asked for it
            raise DeviceFault(error_pb2.REASON_DRIVER_FAILED, f"The driver gave up by itself in {step}.", step=step)
        return frame

    async def _pass_on(self, run: Run, number: int) -> None:
        """What the app says to the operation goes to the driver."""
        while True:
            instruction = await run.instruction()
            self._send({"do": "instruct", "n": number} | message_type(instruction), instruction.SerializeToString())

    def _send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        assert self._writer is not None, "connected"
        if not self._writer.is_closing():
            self._writer.write(Frame(header, blob).to_bytes())

    def _take(self, frame: Frame) -> None:
        header = frame.header
        self._answered = asyncio.get_running_loop().time()
        match header.get("did"):
            case "result" | "error" | "cancelled":
                future = self._waiting.get(header["n"])
                if future is not None and not future.done():
                    future.set_result(frame)
            case "report":
                self.report(DeviceStatus.FromString(frame.blob))
            case "recorded":
                self._recorded(frame)
            case "run":
                run = self._runs.get(header["n"])
                if run is not None:
                    self._try_tell(run, header, frame.blob)

    def _recorded(self, frame: Frame) -> None:
        """Lines of a recording, or why it failed."""
        if self._recorder is None or self._recorder.stopped:
            if not self._closing:
                self._send({"do": "stop_recording"})
        elif "error" in frame.header:
            self._recorder.fail(error_from(frame.header["error"], "record"))
        else:
            self._recorder.write(frame.blob.decode().split("\n"))

    def _try_tell(self, run: Run, header: dict[str, Any], blob: bytes) -> None:
        """What a driver says of its operation; a mistake in it ends the call, as it does without a process."""
        try:
            self._tell(run, header, blob)
        except (TypeError, ValueError) as error:
            self._send({"do": "cancel", "n": header["n"]})
            future = self._waiting[header["n"]]
            if not future.done():
                future.set_exception(error)

    def _tell(self, run: Run, header: dict[str, Any], blob: bytes) -> None:
        what, args = header["what"], header["args"]
        if what == "emit":
            run.emit(message_from(header, blob))
        elif what == "commit_point":
            number = header["n"]
            self._commits[number] = asyncio.create_task(self._commit(run, number, *args))
            self._commits[number].add_done_callback(lambda task: self._commits.pop(number, None))
        elif what in ("progress", "prompt", "working", "stop", "effect", "used"):
            getattr(run, what)(*args)
        else:
            raise BadFrame(f"expected something a run can do, got {what!r}")

    async def _commit(self, run: Run, number: int, step: str, evidence: dict[str, Any]) -> None:
        error = None
        try:
            await run.commit_point(step, evidence)
        except asyncio.CancelledError:
            self._send({"do": "cancel", "n": number})
            return
        except Exception as raised:  # the driver must not go on, whatever it was
            error = error_to(raised)
        self._send({"do": "committed", "n": number, "error": error})

    # -- the process --

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _CHILD,
                str(theirs.fileno()),
                *(["--json-logs"] if as_json() else []),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env=self._environment,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._answered = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._read(reader), name=f"isolation reader {self.name}")]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = FrameDecoder()
        try:
            while data := await reader.read(_READ):
                for frame in decoder.feed(data):
                    self._take(frame)
        except ConnectionError:
            pass  # it died with bytes of ours unread
        except (ValueError, KeyError, TypeError) as error:  # what came is no answer of ours
            log.error("the process of driver %s sends what makes no sense: %s", self.name, type(error).__name__)
            self._kill()
        assert self._process is not None
        code = await self._process.wait()
        if not self._closing:
            self._die(code)

    def _die(self, code: int) -> None:
        self._death = self._cause(code)
        log.error("%s", self._death.message)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._again(self._death))
        self.on_death()

    def _cause(self, code: int) -> DeviceFault:
        if self._hung:
            message = f"The process of driver {self.name} did not answer for {self._hang_seconds:g} s and was ended."
            return DeviceFault(error_pb2.REASON_DRIVER_HUNG, message, step="watchdog")
        if code == EXIT_MEMORY:
            limit = self._load["memory_mb"]
            message = f"The process of driver {self.name} needed more than its {limit} MiB."
            return DeviceFault(error_pb2.REASON_DRIVER_OUT_OF_MEMORY, message, step="allocate")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return DeviceFault(error_pb2.REASON_DRIVER_CRASHED, f"The process of driver {self.name} died {how}.", got=how)

    @staticmethod
    def _again(fault: DeviceFault) -> DeviceFault:
        """A fresh one for each who is told, since each gets a traceback of its own."""
        return DeviceFault(fault.reason, fault.message, step=fault.step, got=fault.got)

    async def _watch(self) -> None:
        """End a process whose loop stands still."""
        loop = asyncio.get_running_loop()
        pause = self._hang_seconds / 3
        while True:
            self._send({"do": "ping"})
            began = loop.time()
            await asyncio.sleep(pause)
            if loop.time() - began > 2 * pause:
                self._answered = loop.time()  # it was the daemon that stood still
            if loop.time() - self._answered > self._hang_seconds:
                self._hung = True
                self._kill()
                return

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _end(self) -> None:
        assert self._process is not None
        if self._writer is not None:
            self._writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        self._kill()
        await self._process.wait()
        tasks = [*self._tasks, *self._commits.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._waiting.values():
            if not future.done():
                future.cancel()
