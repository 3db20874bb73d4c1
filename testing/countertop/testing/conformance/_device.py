"""What every driver must do, whatever its kind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from google.protobuf.text_format import MessageToString
from pydantic import ValidationError

from countertop.sdk.device import Device
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.plugins import DriverSpec
from countertop.server.plugins import Plugins
from countertop.testing.conformance._device_beside import BesideItsVerbs
from countertop.testing.conformance._hands import Person
from countertop.testing.conformance._requirement import RequirementBroken, expect, requirement
from countertop.testing.conformance._rig import CONNECT_SECONDS, REPLY_SECONDS, Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.testing.conformance._watching import descriptors, logged, settled, tasks, threads, ticking
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceKind
from countertop.v1.error_pb2 import Reason

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["DeviceConformance"]

HELD_SECONDS = 1.0
"""Longest time that a driver may keep the event loop, which is every other device's too."""
MOMENT_SECONDS = 0.01
"""What stands for a message on a line that cannot be listened to."""
SILENT_SECONDS = 0.5
"""A line on which nothing has moved for so long waits for somebody."""
LINK_REASONS = (
    error_pb2.REASON_DEVICE_OFFLINE,
    error_pb2.REASON_LINK_LOST,
    error_pb2.REASON_NO_ANSWER,
    error_pb2.REASON_PROTOCOL_ERROR,
)


class DeviceConformance(BesideItsVerbs):
    """Base of the suites. A driver's tests subclass the one of its kind::

    class TestAcme(SignaturePadConformance):
        driver = "acme"
    """

    driver: ClassVar[str | type[Device]]
    """The driver under test: its name among the installed ones, or its class."""
    emulator: ClassVar[str] = ""
    """The emulator to run on; by default the installed one that is made for the driver."""
    link: ClassVar[str] = ""
    """The link to a real device, instead of an emulator."""
    options: ClassVar[dict[str, Any]] = {}
    """The driver's options."""
    emulator_options: ClassVar[dict[str, Any]] = {}
    """The emulator's options. Make it quick."""
    person: ClassVar[Person | None] = None
    """Somebody at the real device; without one the steps that need hands are skipped."""
    examples: ClassVar[int] = 10
    """How many examples a property tries, unless the environment's COUNTERTOP_CONFORMANCE_EXAMPLES says otherwise: few
    for a quick look, a hundred for a long night."""

    kind: ClassVar[DeviceKind]
    """The kind of device that the suite is for."""
    base: ClassVar[type[Device]]
    """What drivers of that kind are subclasses of."""
    capabilities: ClassVar[str]
    """The field of DeviceInfo in which such a device says what it can do."""
    seen: ClassVar[DeviceInfo] = DeviceInfo()
    """What the driver last said of the device; filled in by the checks."""
    canaries: ClassVar[tuple[str, ...]] = ()
    """Marks in the customer's data that `use` brings: found nowhere but in results."""

    # --- what a suite of a kind gives ------------------------------------------------------------------------------

    async def prepare(self, rig: Rig) -> None:
        """Do by hand what must be there before `use`, such as a card on the reader."""

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> Any:
        """The plainest use of such a device, from beginning to end; its result. Raises what the driver raises."""
        raise NotImplementedError

    # --- how a check is carried out --------------------------------------------------------------------------------

    def carry_out(self, check: Callable[[Rig], Awaitable[None]]) -> None:
        """Run a check on a rig of its own, on an event loop of its own."""
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(self._carry_out(check))

    async def _carry_out(self, check: Callable[[Rig], Awaitable[None]]) -> None:
        async with self.rig() as rig:
            try:
                await check(rig)
            finally:
                if rig.info.vendor:
                    type(self).seen = rig.info

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """The device under test, powered on."""
        driver_class, plugins = self.driver_class(), Plugins()
        if self.link:
            yield Rig(driver_class, self.link, self.options, emulator=None, person=self.person)
            return
        name = self.emulator or next(
            (spec.name for spec in plugins.emulators.values() if spec.driver == driver_class.name), ""
        )
        if not name:
            raise ValueError(f"expected a link, or an emulator that is made for the driver {driver_class.name}")
        emulator = await plugins.emulator(name).start(dict(self.emulator_options))
        try:
            yield Rig(driver_class, emulator.link_url, self.options, emulator=emulator, person=None)
        finally:
            await emulator.close()

    def driver_class(self) -> type[Device]:
        """The class under test. Raises LookupError for a driver that is not installed."""
        return Plugins().driver_class(self.driver) if isinstance(self.driver, str) else self.driver

    def spec(self) -> DriverSpec:
        """How the driver is announced; skips the requirement for a bare class that is not."""
        if isinstance(self.driver, str):
            return Plugins().drivers[self.driver]
        pytest.skip("the driver is given as a class, and not announced by a plugin")

    # --- the contract ----------------------------------------------------------------------------------------------

    @requirement("D-01", "The driver is announced as what it is.")
    async def test_d01_announced(self, rig: Rig) -> None:
        """Name, kind and factory of the plugin's DriverSpec agree with the class, which is a subclass of the SDK's base
        for its kind and names the links that it runs over.
        """
        cls = rig.driver_class
        expect(issubclass(cls, self.base), f"{cls.__name__} must be a subclass of {self.base.__name__}.")
        expect(cls.kind == self.kind, f"The driver's kind must be {DeviceKind.Name(self.kind)}.")
        expect(getattr(cls, "links", ()), "The driver must name the links that it runs over.")
        spec = self.spec()
        expect(spec.name == cls.name, f"The plugin announces {spec.name!r}, the class calls itself {cls.name!r}.")
        expect(spec.kind == cls.kind, "The plugin announces another kind than the class has.")
        expect(spec.factory.endswith(f":{cls.__name__}"), f"The factory {spec.factory!r} does not name the class.")
        expect(spec.description.strip(), "The plugin must describe the driver in one line.")

    @requirement("D-02", "Options are typed: the defaults hold, and an unknown one is refused by its name.")
    async def test_d02_options(self, rig: Rig) -> None:
        """`options_type` is a pydantic model on the SDK's Options, so that a mistake in a configuration is found when
        it is read.
        """
        kind = rig.driver_class.options_type
        kind.model_validate(rig.options)
        try:
            kind.model_validate({"surely-no-option": 1})
        except ValidationError as error:
            expect("surely-no-option" in str(error), "The refusal must name the option.")
        else:
            raise RequirementBroken("An option that the driver does not know must be refused.")

    @requirement("D-03", "Connecting identifies the device and says what it can do.")
    async def test_d03_identifies(self, rig: Rig) -> None:
        """DeviceInfo has vendor and model, and the capabilities of the device's kind; the daemon shows them to apps."""
        async with rig.connected():
            info = rig.info
        expect(info.vendor and info.model, "DeviceInfo must name vendor and model (what is not known: as `generic`).")
        got = info.WhichOneof("capabilities") or "none"
        expect(got == self.capabilities, f"DeviceInfo must have the capabilities `{self.capabilities}`; got {got}.")

    @requirement("D-04", "The status is in the words of the contract.")
    async def test_d04_status(self, rig: Rig) -> None:
        """Every condition has a reason and a severity; every consumable a name and a level; the same device gives the
        same status twice.
        """
        async with rig.connected() as driver:
            first = await rig.within(REPLY_SECONDS, "status", driver.status())
            second = await rig.within(REPLY_SECONDS, "status", driver.status())
        expect(isinstance(first, device_pb2.DeviceStatus), f"status gives a DeviceStatus; got {type(first).__name__}.")
        for condition in first.conditions:
            expect(condition.reason, "A condition must have a reason.")
            expect(condition.severity, f"The condition {Reason.Name(condition.reason)} must have a severity.")
        for consumable in first.consumables:
            expect(consumable.name, "A consumable must have a name.")
        expect(first == second, "A device that nobody touches must give the same status twice.")

    @requirement("D-05", "A device that is not there is a typed fault, in time.")
    async def test_d05_absent(self, rig: Rig) -> None:
        """With the plug pulled, `connect` raises a DeviceFault within 15 s and leaves nothing open; with the plug put
        back a fresh driver connects.
        """
        await rig.hands.do("unplug")
        driver, before = rig.fresh(), descriptors()
        with rig.refuses("connect without a device", *LINK_REASONS):
            await rig.within(CONNECT_SECONDS, "connect", driver.connect())
        await rig.within(REPLY_SECONDS, "disconnect", driver.disconnect())
        expect(descriptors() <= before, "A driver that could not connect must leave nothing open.")
        await rig.hands.do("replug")
        async with rig.connected():
            pass

    @requirement("D-06", "Disconnecting frees everything, may be done twice, and never raises.")
    async def test_d06_disconnects(self, rig: Rig) -> None:
        """No file descriptor, task or thread remains. A daemon makes a fresh driver for every connection, for years."""
        async with rig.connected():
            pass  # what is made once, such as pools of threads, is there now
        gc.collect()
        open_before, threads_before, running = descriptors(), threads(), tasks()
        for _ in range(3):
            async with rig.connected() as driver:
                pass
            await rig.within(REPLY_SECONDS, "a second disconnect", driver.disconnect())
        gc.collect()
        await settled(lambda: descriptors() <= open_before and tasks() <= running and threads() <= threads_before)
        expect(tasks() <= running, f"Disconnecting must end the driver's tasks; left: {', '.join(tasks() - running)}.")
        expect(descriptors() <= open_before, "Disconnecting must close every file descriptor.")
        expect(threads() <= threads_before, "Disconnecting must end the driver's threads.")

    @requirement("D-07", "A second driver connects where the first was.")
    async def test_d07_connects_again(self, rig: Rig) -> None:
        """And says the same of the device: its id rests on that."""
        async with rig.connected():
            first = rig.info
        async with rig.connected():
            second = rig.info
        expect(first == second, "The same device must say the same of itself when it is connected again.")

    @requirement("D-08", "A plug that is pulled while idle is noticed.")
    async def test_d08_unplugged_idle(self, rig: Rig) -> None:
        """`status` raises a DeviceFault within 10 s, so that the device is shown OFFLINE. Devices that never answer, on
        a real port that stays, cannot be told from silent ones, and their drivers may not notice: this is then skipped.
        """
        async with rig.connected() as driver:
            await rig.hands.do("unplug")
            with rig.refuses("status without a device", *LINK_REASONS, error_pb2.REASON_CAMERA_STALLED):
                await self._polled(driver)
                if rig.emulator is None:
                    pytest.skip("its silence cannot be told from that of a device that has nothing to say")
        await rig.hands.do("replug")

    @requirement("D-09", "A plug that is pulled in the middle of the work is a typed fault, and the next driver works.")
    async def test_d09_unplugged_at_work(self, rig: Rig) -> None:
        """The verb ends with a typed error within 30 s; a fresh driver connects when the plug is back."""
        await self.prepare(rig)
        async with rig.connected() as driver:
            task = asyncio.ensure_future(self.use(rig, driver, rig.run()))
            await self._under_way(rig, task, messages=2)
            await rig.hands.do("unplug")
            done, _ = await asyncio.wait({task}, timeout=30)
            expect(done, "A verb must end within 30 s when the plug is pulled.")
            await self._typed(task)
        await rig.hands.do("replug")
        async with rig.connected():
            pass

    @requirement("D-10", "Bytes that come one at a time change nothing.")
    async def test_d10_split(self, rig: Rig) -> None:
        """Serial lines and TCP give bytes in any pieces: connect, status and a use work on single bytes."""
        rig.line.one_byte_at_a_time = True
        await self.prepare(rig)
        async with rig.connected() as driver:
            rig.needs_line()
            await rig.perform("the use", self.use(rig, driver, rig.run()))

    @requirement("D-11", "Garbage on the line is a typed error at worst.", given=lambda suite: suite.garbage())
    async def test_d11_garbage(self, rig: Rig, garbage: tuple[bool, bytes]) -> None:
        """Before or in place of what the device says, any bytes may come: `status` gives a status or raises a
        CountertopError, never a foreign exception, within 10 s; and a fresh driver works afterwards.
        """
        before, noise = garbage
        async with rig.connected() as driver:
            rig.needs_line()
            rig.line.noise = lambda data: noise + data if before else noise[: len(data)]
            with suppress(CountertopError):
                await rig.within(REPLY_SECONDS, "status", driver.status())
            rig.line.noise = None
        async with rig.connected():
            pass

    @staticmethod
    def garbage() -> SearchStrategy[tuple[bool, bytes]]:
        """Whether it comes before the device's bytes or in their place, and what."""
        from hypothesis import strategies as st

        return st.tuples(st.booleans(), st.binary(min_size=1, max_size=64))

    @requirement("D-12", "A device that is silent is a typed fault, in time.")
    async def test_d12_silent(self, rig: Rig) -> None:
        """Nothing comes from a line that is open: `connect` ends within 15 s, with a DeviceFault, unless the device is
        one that speaks only when it is used.
        """
        rig.line.dead = True
        driver = rig.fresh()
        try:
            await rig.within(CONNECT_SECONDS, "connect", driver.connect())
        except CountertopError as error:
            expect(isinstance(error, DeviceFault), f"A silent device is a DeviceFault; got {error}.")
        finally:
            await rig.within(REPLY_SECONDS, "disconnect", driver.disconnect())
        rig.needs_line()

    @requirement("D-13", "The event loop is never held.")
    async def test_d13_loop(self, rig: Rig) -> None:
        """Connecting, asking for the status and a use never keep the loop for more than a second: it is every other
        device's too. What takes long belongs into a thread.
        """
        async with rig.connected() as driver:  # imports, once
            await self.prepare(rig)
            await rig.perform("the use", self.use(rig, driver, rig.run()))
        await self._again(rig)
        async with ticking() as longest, rig.connected() as driver:
            await self.prepare(rig)
            await rig.perform("the use", self.use(rig, driver, rig.run()))
        expect(
            longest[0] < HELD_SECONDS, f"The event loop was held for {longest[0]:.1f} s; at most {HELD_SECONDS:g} s."
        )

    @requirement(
        "D-14", "Cancelled at any moment before the commit point, it works on.", given=lambda suite: suite.moments()
    )
    async def test_d14_cancelled(self, rig: Rig, messages: int) -> None:
        """An app may give up before anything was used up: after so many messages on the line the verb is cancelled, and
        the same driver carries out the next one.
        """
        await self.prepare(rig)
        async with rig.connected() as driver:
            run = rig.run()
            task = asyncio.ensure_future(self.use(rig, driver, run))
            await self._under_way(rig, task, messages)
            if run.commits or task.done():
                await asyncio.wait({task})
                task.exception()
                return
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=3)
            expect(done, "A cancelled verb must end within 3 s.")
            await self._again(rig)
            await self.prepare(rig)
            await rig.perform("the next use", self.use(rig, driver, rig.run()))

    @staticmethod
    def moments() -> SearchStrategy[int]:
        """After how many messages on the line."""
        from hypothesis import strategies as st

        return st.integers(0, 12)

    @requirement("D-15", "It says whether it is healthy, or that it cannot check so deeply.")
    async def test_d15_health(self, rig: Rig) -> None:
        """INTERNAL answers with findings; a level that the driver lacks is refused with NOT_SUPPORTED."""
        internal = device_pb2.CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_INTERNAL)
        async with rig.connected() as driver:
            result = await rig.perform("check_health", driver.check_health(internal, rig.run()))
            expect(result.findings, "A health check must have findings.")
            sound = all(finding.passed for finding in result.findings)
            expect(result.healthy == sound, "It is healthy just when every finding has passed.")
            unknown = device_pb2.CheckHealthRequest(level=99)  # type: ignore[arg-type]
            with suppress(CountertopError):  # NOT_SUPPORTED is right, and so is to check what it can
                await rig.perform("check_health", driver.check_health(unknown, rig.run(1.0)))

    @requirement("D-16", "A reset leaves it ready.")
    async def test_d16_reset(self, rig: Rig) -> None:
        """`reset` gives the status; no BLOCKING condition stands on a sound device, and it can be used."""
        async with rig.connected() as driver:
            request = device_pb2.ResetDeviceRequest()
            result = await rig.perform("reset", driver.reset(request, rig.run()))
            blocking = [c for c in result.status.conditions if c.severity == device_pb2.SEVERITY_BLOCKING]
            expect(not blocking, "A sound device must be ready after a reset.")
            await self.prepare(rig)
            await rig.perform("the use", self.use(rig, driver, rig.run()))

    @requirement("D-17", "The customer's data is in results only.")
    async def test_d17_private(self, rig: Rig) -> None:
        """A use that succeeds and one that is cut off: no log record, error, progress, evidence or status holds a mark
        that was put into the customer's data.
        """
        with logged() as records:
            texts: list[str] = []
            await self.prepare(rig)
            async with rig.connected() as driver:
                run = rig.run()
                await rig.perform("the use", self.use(rig, driver, run))
                texts += [run.said(), MessageToString(await driver.status(), as_utf8=True)]
            await self._again(rig)
            await self.prepare(rig)
            async with rig.connected() as driver:
                run = rig.run()
                task = asyncio.ensure_future(self.use(rig, driver, run))
                await self._under_way(rig, task, messages=3)
                if rig.hands.can("unplug"):
                    await rig.hands.do("unplug")
                    await asyncio.wait({task}, timeout=30)
                texts += [run.said(), repr(task.exception()) if task.done() and not task.cancelled() else ""]
                task.cancel()
                await asyncio.wait({task}, timeout=3)
        texts += [record.getMessage() + str(record.exc_info or "") for record in records]
        for mark in self.canaries:
            for text in texts:
                expect(mark not in text, "A mark in the customer's data was found in a log, an error or the progress.")

    @requirement("D-18", "It works in a process of its own.")
    async def test_d18_isolated(self, rig: Rig) -> None:
        """`isolation = "process"` runs the unchanged driver in a child process: connect, status, a use, disconnect."""
        from countertop.server.isolation.remote import IsolatedDriver

        cls = rig.driver_class
        isolated = IsolatedDriver(cls.name, f"{cls.__module__}:{cls.__name__}", rig.link, rig.options)
        try:
            rig.info = await rig.within(60, "connect in a process", isolated.connect())
            await rig.within(REPLY_SECONDS, "status", isolated.status())
            await self.prepare(rig)
            await rig.perform("the use", self.use(rig, isolated, rig.run()))
        finally:
            await isolated.disconnect()

    # --- helpers ---------------------------------------------------------------------------------------------------

    async def _again(self, rig: Rig) -> None:
        """Take away what `prepare` has put there, so that it can be put there again."""

    @staticmethod
    async def _polled(driver: Any) -> None:
        """Ask for the status again and again, as a daemon does, until it raises; at most for the time of an answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_SECONDS):
                while True:
                    await driver.status()
                    await asyncio.sleep(0.05)

    async def _under_way(self, rig: Rig, task: asyncio.Future[Any], messages: int) -> None:
        """Wait until so many messages were on the line since now, or the work has ended, or the line is silent.
        Where the driver opens links of its own kind: for a moment for each message.
        """
        if not rig.line.opened:
            await asyncio.wait({task}, timeout=messages * MOMENT_SECONDS)
            return
        target = len(rig.line.log) + messages
        seen, since = len(rig.line.log), asyncio.get_running_loop().time()
        while len(rig.line.log) < target and not task.done():
            await asyncio.wait({task}, timeout=0.002)
            now = asyncio.get_running_loop().time()
            if len(rig.line.log) > seen:
                seen, since = len(rig.line.log), now
            elif now - since > SILENT_SECONDS:
                return

    @staticmethod
    async def _typed(task: asyncio.Future[Any]) -> None:
        error = task.exception()
        expect(
            error is None or isinstance(error, CountertopError),
            f"A verb fails with a CountertopError; got {type(error).__name__}.",
        )
