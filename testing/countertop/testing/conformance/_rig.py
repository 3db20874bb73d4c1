"""What one requirement is checked on: an emulator, or a real device, with hands, a line and fresh drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from countertop.bench.v1.bench_pb2 import Output
from countertop.sdk.device import Device
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.links import parse_link
from countertop.sdk.plugins import Emulator
from countertop.testing.conformance._hands import EmulatedHands, Hands, Person, PersonsHands
from countertop.testing.conformance._line import Line
from countertop.testing.conformance._requirement import RequirementBroken, expect
from countertop.testing.conformance._run import RecordingRun
from countertop.v1.device_pb2 import DeviceInfo
from countertop.v1.error_pb2 import Reason

__all__ = ["CONNECT_SECONDS", "REPLY_SECONDS", "Rig"]

CONNECT_SECONDS = 15.0
"""What the daemon gives a driver to connect."""
REPLY_SECONDS = 10.0
"""What it gives it to tell the status."""
VERB_SECONDS = 60.0


class Rig:
    """One device, and what can be done to it."""

    def __init__(
        self,
        driver_class: type[Device],
        link: str,
        options: dict[str, Any],
        *,
        emulator: Emulator | None,
        person: Person | None,
    ) -> None:
        self.driver_class = driver_class
        self.link = link
        self.options = options
        self.emulator = emulator
        self.person = person
        self.hands: Hands = EmulatedHands(emulator) if emulator is not None else PersonsHands(person)
        self.line = Line()
        """On the way to every driver that `fresh` makes, where it opens its link by the SDK (`Device.open_link`)."""
        self.info = DeviceInfo()
        """What the driver that connected last said of the device."""

    def fresh(self) -> Device:
        """A driver that is not connected."""
        options = self.driver_class.options_type.model_validate(self.options)
        driver = self.driver_class(parse_link(self.link), options)
        self.line.attach(driver)
        return driver

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """A fresh driver, connected as a daemon would do it, and disconnected at the end."""
        driver = self.fresh()
        try:
            self.info = await self.within(CONNECT_SECONDS, "connect", driver.connect())
            await self.within(REPLY_SECONDS, "status", driver.status())
            yield driver
        finally:
            await self.within(REPLY_SECONDS, "disconnect", driver.disconnect())

    def run(self, timeout: float = 30.0, **options: Any) -> RecordingRun:
        """An operation."""
        return RecordingRun(timeout, **options)

    async def within(self, seconds: float, what: str, doing: Any) -> Any:
        """Await, and break the requirement when it takes longer than a daemon would wait. Who is cancelled meanwhile
        cancels what is awaited.
        """
        task = asyncio.ensure_future(doing)
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=3)
        if not done:
            raise RequirementBroken(f"{what} did not end within {seconds:g} s.")
        return task.result()

    async def perform(self, what: str, doing: Any, seconds: float = VERB_SECONDS) -> Any:
        """Await a verb."""
        return await self.within(seconds, what, doing)

    async def outputs(self) -> list[Output]:
        """All that came out of an emulated device, finished or not. Skips the requirement on a real one."""
        if self.emulator is None:
            pytest.skip("only an emulator can tell what came out")
        found: list[Output] = []
        while True:
            answer = await self.hands.do("get_output", skip=len(found), limit=20)
            found += answer.outputs
            if len(found) >= answer.total or not answer.outputs:
                return found

    async def saw(self, question: str) -> None:
        """Ask the person at a real device; breaks the requirement on a no, skips it when they cannot tell."""
        seen = None if self.person is None else await self.person.sees(question)
        if seen is None:
            pytest.skip("nobody could tell")
        expect(seen, f"The person at the device answered no to: {question}")

    def needs_emulator(self) -> None:
        """Skip the requirement on a real device."""
        if self.emulator is None:
            pytest.skip("needs an emulator")

    def needs_line(self) -> None:
        """Skip the requirement for a driver that opens a link of its own kind, past the SDK; ask once connected."""
        if not self.line.opened:
            pytest.skip("the driver opens links of its own kind, so nothing can be put into its line")

    @contextmanager
    def refuses(self, what: str, *reasons: Reason) -> Iterator[list[CountertopError]]:
        """A CountertopError with one of the reasons (any, when none is given) is expected; anything else breaks the
        requirement. What was raised is in the list afterwards.
        """
        raised: list[CountertopError] = []
        try:
            yield raised
        except CountertopError as error:
            raised.append(error)
            names = ", ".join(Reason.Name(reason).removeprefix("REASON_") for reason in reasons)
            expect(not reasons or error.reason in reasons, f"{what} fails with {names or 'a reason'}; got {error}.")
            return
        raise RequirementBroken(f"{what} must fail with a typed error; it succeeded.")

    @staticmethod
    def is_typed(error: BaseException) -> bool:
        """It is an error that the daemon can pass on as it is."""
        return isinstance(error, DeviceFault | CountertopError)
