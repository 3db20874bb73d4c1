"""One runner per device: connects, identifies, polls, reconnects with back-off, and works off the queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.vendor import list_vendor_commands
from countertop.server.device_view import DeviceView
from countertop.server.driver_errors import CONNECT_ANEW, as_ours, offline_error
from countertop.server.fair_queue import FairQueue
from countertop.server.faults import failure_of
from countertop.server.operations import OperationRecord
from countertop.server.reach import Reach
from countertop.server.recording import LinkRecording, RecordingSeat
from countertop.server.run import Commit, Completion, OperationRun
from countertop.server.settling import Settling, interrupted
from countertop.server.states import FINAL, QUEUED, RUNNING
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.error_pb2 import Failure

if TYPE_CHECKING:
    from countertop.sdk.device import Device as Driver

__all__ = ["DeviceRunner", "Limits", "RunnerHooks"]

log = logging.getLogger("countertop.runner")


class Limits:
    """Bounds of a runner, in seconds and counts."""

    queue = 32
    """Operations that may wait."""
    connect = 15.0
    status = 10.0
    over_time = 5.0
    """How much longer than its time a verb may take before it is cancelled."""
    let_go = 3.0
    """How long a cancelled driver call may take to end."""
    backoff = (0.1, 0.2, 0.5, 1.0)
    """Waits between attempts to connect; the last one repeats. A device that returns is READY within 2 s."""
    steady = 5.0
    """A device that is lost again sooner than this is waited for longer each time."""
    settle = 20.0
    """How long a device that was lost in the middle of an operation may take to be back and tell what became of it."""
    settle_after_restart = 60.0
    """The same, when it was the daemon that was lost."""


class RunnerHooks:
    """What the daemon adds to a driver's work: messages made complete, commit points put on the disk."""

    def __init__(self, completions: Sequence[Completion], commit: Commit) -> None:
        self.completions = completions
        self.commit = commit


class DeviceRunner:
    """Owns one device's driver. `load` makes a fresh driver instance; it may raise, which leaves the device listed."""

    def __init__(
        self,
        view: DeviceView,
        load: Callable[[], Driver],
        hooks: RunnerHooks,
        limits: type[Limits] = Limits,
        serial: str = "",
    ) -> None:
        self.view = view
        self.on_connected: Callable[[DeviceInfo], object] = lambda info: None
        self.on_rest: Callable[[DeviceStatus], object] = lambda status: None
        """Told how the device is when it has nothing to do and nothing to settle."""
        self.secures_cards = True
        """A card that the holder of a claim has left in the device is kept back."""
        self._serial = serial
        self._load = load
        self._hooks = hooks
        self._limits = limits
        self._queue = FairQueue()
        self._settling = Settling(self.id, partial(as_ours, self.id), hooks.commit)
        self._wake = asyncio.Event()
        self._driver: Driver | None = None
        self._running: OperationRecord | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._fresh = False
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._drained = asyncio.Event()
        self._drained.set()
        self.reach = Reach()
        self.recordings = RecordingSeat(self.id, self._wake.set)

    @property
    def id(self) -> str:
        """The device's id."""
        return self.view.device.id

    @property
    def running(self) -> OperationRecord | None:
        """The operation that the device carries out."""
        return self._running

    def reached(self) -> Driver:
        """The driver, for what is done beside its operations. Raises CountertopError: DEVICE_OFFLINE, and as `submit`
        does for a device that people have put out of use.
        """
        self._check_admission()
        if self.reach.driver is None:
            if self.view.failure is not None:
                raise offline_error(self.id, self.view.failure)
            raise CountertopError(error_pb2.REASON_DEVICE_OFFLINE, f"The device {self.id} was not reached yet.")
        return self.reach.driver

    @property
    def link(self) -> str:
        """The URL of the device's link."""
        return self.view.device.link

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._main(), name=f"runner {self.id}")

    async def stop(self, drain: float) -> None:
        """Take no new work, let what runs end for `drain` seconds, then cancel it, and disconnect."""
        self._stopping = True
        self.reach.end()
        self.recordings.end(CountertopError(error_pb2.REASON_TERMINAL_STOPPING))
        self._fail_queued(error_pb2.REASON_TERMINAL_STOPPING)
        self._settling.close()
        running = self._running
        if running is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(drain):
                    await running.done.wait()
            if not running.ended:
                self._interrupt(running, error_pb2.REASON_TERMINAL_STOPPING)
        if self._task is not None:
            self._wake.set()
            _, late = await asyncio.wait({self._task}, timeout=self._limits.let_go)
            if late:
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=self._limits.let_go)

    def submit(self, record: OperationRecord, *, first: bool = False) -> None:
        """Queue an operation.

        Raises CountertopError: QUEUE_FULL, DEVICE_OFFLINE, DEVICE_DISABLED, DEVICE_IN_MAINTENANCE, TERMINAL_STOPPING.
        """
        self._check_admission()
        if len(self._queue) >= self._limits.queue:
            raise CountertopError(
                error_pb2.REASON_QUEUE_FULL, f"{len(self._queue)} operations wait for {self.id}, which is its limit."
            )
        if self.view.failure is not None and not first:
            raise offline_error(self.id, self.view.failure)
        if first:
            self._queue.appendleft(record)
        else:
            self._queue.append(record)
        self._drained.clear()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(record.queue_timeout, self._queue_time_is_up, record)
        record.timer = timer
        self._queue_changed()
        self._wake.set()

    def _check_admission(self) -> None:
        if self._stopping:
            raise CountertopError(error_pb2.REASON_TERMINAL_STOPPING)
        device = self.view.device
        if device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE:
            why = f": {device.maintenance_reason}" if device.maintenance_reason else "."
            message = f"The device {self.id} is in maintenance{why}"
            raise CountertopError(error_pb2.REASON_DEVICE_IN_MAINTENANCE, message)
        if device.admin_state != device_pb2.ADMIN_STATE_ENABLED:
            raise CountertopError(error_pb2.REASON_DEVICE_DISABLED, f"The device {self.id} is out of service.")

    def adopt(self, record: OperationRecord) -> None:
        """Find out what became of an operation that had passed its commit point when the daemon died."""
        self._settling.hold(record, interrupted(), self._limits.settle_after_restart)

    def lose(self, driver: Driver, error: CountertopError) -> None:
        """What is done beside the operations has failed so: connect anew where an operation would make it so."""
        if driver is self.reach.driver and error.reason in CONNECT_ANEW:
            self.reach.lost = error
            self._wake.set()

    def nudge(self) -> None:
        """Something happened on the device's link: look at once."""
        self._wake.set()

    async def record(self, recording: LinkRecording, within: float) -> None:
        """Connect anew, once what runs has ended, and record the link from then on; returns when that has begun.

        Raises CountertopError: LINK_RECORDED, DEVICE_DISABLED, TERMINAL_STOPPING, DEVICE_TIMEOUT when what runs does
        not end `within` so many seconds, NOT_SUPPORTED where the driver has nothing to record.
        """
        if self._stopping:
            raise CountertopError(error_pb2.REASON_TERMINAL_STOPPING)
        if self.view.device.admin_state == device_pb2.ADMIN_STATE_DISABLED:
            raise CountertopError(error_pb2.REASON_DEVICE_DISABLED, f"The device {self.id} is out of service.")
        await self.recordings.take(recording, self.reach.driver, within)

    async def drained(self) -> None:
        """Wait until nothing runs and nothing waits."""
        await self._drained.wait()

    def claim_ended(self, token: str) -> None:
        """End what the claim's holder has left here and that has not taken effect."""
        error = CountertopError(error_pb2.REASON_CLAIM_LOST)
        for record in [record for record in self._queue if record.claim_token == token]:
            self._queue.remove(record)
            self._end(record, error)
        self._queue_changed()
        running = self._running
        if running is not None and running.claim_token == token and not running.committed and running.task is not None:
            running.interrupted_by = error_pb2.REASON_CLAIM_LOST
            running.task.cancel()

    async def rest(self) -> None:
        """Let the driver forget what a claim's holder has left."""
        driver = self._driver
        if driver is None:
            return
        try:
            await driver.rest()
        except Exception as error:  # a driver's mistake, or its process is gone
            log.warning("driver %s failed to rest: %s", driver.name, type(error).__name__)

    def cancel(self, record: OperationRecord) -> bool:
        """Give up an operation. False when it is too late."""
        if record.ended or record.committed:
            return False
        record.cancel_requested = True
        if record in self._queue:
            self._queue.remove(record)
            self._end(record, CountertopError(error_pb2.REASON_CANCELLED))
            self._queue_changed()
        elif record.task is not None:
            record.task.cancel()
        return True

    def reset(self, record: OperationRecord) -> None:
        """End what runs, committed or not, connect anew, then reset before all else. Raises as `submit`."""
        self.submit(record, first=True)
        self._fresh = False  # a link that broke unnoticed since is not what a reset should meet
        if self._running is not None:
            self._interrupt(self._running, error_pb2.REASON_RESET_BY_REQUEST)

    # --- the runner's own task -------------------------------------------------------------------------------------

    async def _main(self) -> None:
        attempt = 0
        try:
            while not self._stopping:
                if await self._connect():
                    began = asyncio.get_running_loop().time()
                    if await self._settle():
                        await self._serve()
                    await self._disconnect()
                    if asyncio.get_running_loop().time() - began > self._limits.steady:
                        attempt = 0
                    elif attempt == 0:
                        attempt = 1
                        continue
                waits = self._limits.backoff
                await self._pause(waits[min(attempt, len(waits) - 1)])
                attempt += 1
        finally:
            if self._running is not None and self._running.task is not None:
                self._running.task.cancel()
            await self._disconnect()
            self._fail_queued(error_pb2.REASON_TERMINAL_STOPPING)

    async def _connect(self) -> bool:
        """One attempt; says on the view how it went."""
        self.view.connecting()
        try:
            self._driver = await asyncio.to_thread(self._load)  # importing a driver may take long
            self._driver.report = self.view.reported
            isolated: Any = self._driver
            if hasattr(isolated, "on_death"):
                isolated.on_death = self.nudge
            async with asyncio.timeout(self._limits.connect):
                await self.recordings.begin(self._driver)
                info = await self._driver.connect()
            list_vendor_commands(self._driver, info)
            self._check_identity(info)
            async with asyncio.timeout(self._limits.status):
                status = await self._driver.status()
        except Exception as error:
            ours = as_ours(self.id, error, "connect")
            self._offline(ours)
            await self._disconnect()
            self._fail_queued(error_pb2.REASON_DEVICE_OFFLINE, failure_of(ours, self.id))
            return False
        self._fresh = True
        self.reach.come(self._driver)
        self.on_connected(info)
        self.view.connected(info, status)
        if not len(self._settling):
            self.on_rest(status)
        log.info("device %s is ready: %s %s", self.id, info.vendor, info.model)
        return True

    def _check_identity(self, info: DeviceInfo) -> None:
        """Two alike devices never swap: the configured serial number must answer on the link."""
        if self._serial and info.serial != self._serial:
            got = f"serial number {info.serial}" if info.serial else "no serial number"
            raise DeviceFault(
                error_pb2.REASON_WRONG_DEVICE,
                f"Another device than the configured one answers on the link of {self.id}.",
                step="identify",
                expected=f"serial number {self._serial}",
                got=got,
                effect=error_pb2.PHYSICAL_EFFECT_NONE,
            )

    async def _settle(self) -> bool:
        """Find out what became of operations that were cut off. False when the device is lost again."""
        driver = self._driver
        assert driver is not None
        if not len(self._settling) or await self._settling.settle(driver):
            return True
        self.view.offline(failure_of(DeviceFault(error_pb2.REASON_LINK_LOST, step="reconcile"), self.id))
        return False

    async def _serve(self) -> None:
        """Work off the queue and poll in between, until the link breaks or the daemon stops."""
        driver = self._driver
        assert driver is not None
        while not self._stopping:
            if self.reach.lost is not None:
                self._offline(self.reach.lost)
                return
            if self.recordings.renew:
                return
            if self._queue:
                record = self._queue.popleft()
                if not await self._perform(record, driver):
                    return
            elif not await self._idle(driver):
                return

    async def _idle(self, driver: Driver) -> bool:
        """Wait for work; poll when none comes. False when the device is gone."""
        worked = await self._pause(driver.poll_interval)
        if worked or self._stopping or self.recordings.renew or self.reach.lost is not None:
            return True
        self._fresh = False
        try:
            async with asyncio.timeout(self._limits.status):
                status = await driver.status()
            self.view.reported(status)
            if not len(self._settling):
                self.on_rest(status)
        except Exception as error:
            self._offline(as_ours(self.id, error, "status"))
            return False
        return True

    def _offline(self, error: CountertopError) -> None:
        failure = failure_of(error, self.id)
        if self.view.offline(failure):
            log.warning("device %s is offline: %s", self.id, failure.message)

    async def _perform(self, record: OperationRecord, driver: Driver) -> bool:
        """Carry out one operation. False when the driver must be connected anew."""
        if record.verb.method == "reset" and not self._fresh:
            self._queue.appendleft(record)
            return False
        self._fresh = False
        if record.timer is not None:
            record.timer.cancel()
        self._running = record
        self.view.busy(record.id, len(self._queue))
        self._renumber()
        record.move(RUNNING)
        error: CountertopError | None = None
        run = OperationRun(record, self._hooks.completions, self._hooks.commit)
        task = asyncio.create_task(self._call(driver, record, run), name=f"{record.verb.name} {record.id}")
        record.task = task
        await self._until(task, record.timeout + self._limits.over_time)
        if not task.done():
            record.interrupted_by = record.interrupted_by or error_pb2.REASON_DEVICE_TIMEOUT
            task.cancel()
            await asyncio.wait({task}, timeout=self._limits.let_go)
        keep = done = task.done()
        if not done or task.cancelled():
            error = CountertopError(record.interrupted_by or error_pb2.REASON_CANCELLED)
            keep = keep and not record.interrupted_by
            if not done:
                log.error("driver %s does not let go of %s; it is abandoned", driver.name, record.verb.name)
        elif (raised := task.exception()) is not None:
            error = as_ours(self.id, raised, record.verb.method)
            keep = error.reason not in CONNECT_ANEW
        if error is not None and not record.ended:
            failure = failure_of(error, self.id)
            if self._can_settle(record, failure, driver):
                keep = False  # the device is asked on a new connection
                if self._stopping:
                    record.leave()  # by the next daemon
                else:
                    self._settling.hold(record, failure, self._limits.settle)
            else:
                self._end(record, error)
        self._running = None
        record.task = None  # a finished task holds its coroutine and context, for as long as the record is kept
        self.view.idle(len(self._queue))
        if not self._queue:
            self._drained.set()
        return keep

    def _can_settle(self, record: OperationRecord, failure: Failure, driver: Driver) -> bool:
        """The outcome is not known, and the driver has a way to find out."""
        from countertop.sdk.device import Device

        unknown = record.effect_of(failure) == error_pb2.PHYSICAL_EFFECT_UNKNOWN
        own = type(driver).reconcile is not Device.reconcile
        return unknown and record.committed and bool(getattr(driver, "reconciles", own))

    async def _until(self, task: asyncio.Task[None], seconds: float) -> None:
        """Wait until a verb has ended, its time is up, or somebody interrupted it and it may take no longer."""
        self._given_up = asyncio.get_running_loop().create_future()
        await asyncio.wait({task, self._given_up}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        self._given_up.cancel()

    @staticmethod
    async def _call(driver: Driver, record: OperationRecord, run: OperationRun) -> None:
        """The driver's call; a good end is told at once, before the runner has even noticed it."""
        try:
            result: Message = await getattr(driver, record.verb.method)(record.request, run)
            record.verb.field(result)
            await run.complete(result)
        except BaseException:
            await run.flush()
            raise
        if not record.ended:  # else the driver was abandoned, and comes back too late
            record.succeed(result)

    async def _disconnect(self) -> None:
        driver, self._driver = self._driver, None
        self.reach.go()
        if driver is not None:
            driver.report = lambda status: None
            try:
                async with asyncio.timeout(self._limits.let_go):
                    await driver.disconnect()
            except Exception as error:
                log.warning("driver %s failed to disconnect: %s", driver.name, type(error).__name__)

    async def _pause(self, seconds: float) -> bool:
        """Wait; True when work or the end of the daemon came first."""
        if not self._queue and not self._stopping and not self.recordings.renew and self.reach.lost is None:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
        return bool(self._queue)

    # --- ends of operations ----------------------------------------------------------------------------------------

    def _end(self, record: OperationRecord, error: CountertopError) -> None:
        if record.operation.state not in FINAL:
            if record.timer is not None:
                record.timer.cancel()
            record.fail(failure_of(error, self.id))

    def _interrupt(self, record: OperationRecord, reason: error_pb2.Reason) -> None:
        record.interrupted_by = reason
        if record.task is not None and not self._given_up.done():
            record.task.cancel()
            self._given_up.set_result(None)

    def _queue_time_is_up(self, record: OperationRecord) -> None:
        if record.operation.state == QUEUED and record in self._queue:
            self._queue.remove(record)
            self._end(
                record,
                CountertopError(
                    error_pb2.REASON_QUEUE_TIMEOUT,
                    f"The operation waited {record.queue_timeout:g} s for {self.id}, which is its queue time.",
                ),
            )
            self._queue_changed()

    def _fail_queued(self, reason: error_pb2.Reason, failure: Failure | None = None) -> None:
        while self._queue:
            error = CountertopError(reason) if failure is None else offline_error(self.id, failure)
            self._end(self._queue.popleft(), error)
        self._queue_changed()

    def _queue_changed(self) -> None:
        if not self._queue and self._running is None:
            self._drained.set()
        self.view.queued(len(self._queue))
        self._renumber()

    def _renumber(self) -> None:
        for position, record in enumerate(self._queue):
            if record.operation.queue_position != position:
                record.operation.queue_position = position
                record.touch()
