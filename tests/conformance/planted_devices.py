"""What any driver can do wrong (D-01 to D-18), planted in the driver of a reader of identity cards."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from typing import Any

from pydantic import ConfigDict

from countertop.drivers.sdt.driver import SdtOptions, SdtReader
from countertop.sdk import DriverSpec
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault, NoAnswer
from countertop.testing.conformance import IdReaderConformance
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from tests.conformance.planted import Planted

__all__ = ["PLANTED"]

EMULATOR = {"boot_seconds": 0, "read_seconds": 0.05}
QUICK = {"answer_seconds": 0.3, "boot_seconds": 0.2}
log = logging.getLogger("planted")
counted = itertools.count()


class OfAnotherKind(SdtReader):
    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER


class AnnouncedOtherwise(IdReaderConformance):
    """As a plugin would announce the driver under a name that is not its own."""

    def spec(self) -> DriverSpec:
        return DriverSpec("sdt-2", device_pb2.DEVICE_KIND_ID_READER, "acme:SdtReader", "A reader.")


class Sound(SdtReader):
    """Nothing is wrong with the class."""


class LooseOptions(SdtOptions):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TakesAnyOption(SdtReader):
    options_type = LooseOptions


class SaysNoCapabilities(SdtReader):
    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        info.ClearField("capabilities")
        return info


class SaysNoSeverity(SdtReader):
    async def status(self) -> DeviceStatus:
        status = await super().status()
        status.conditions.add(reason=error_pb2.REASON_COVER_OPEN)
        return status


class RaisesOsErrors(SdtReader):
    async def connect(self) -> DeviceInfo:
        try:
            return await super().connect()
        except LinkFault as fault:
            raise FileNotFoundError(fault.message) from None


class LeavesOpenWhatItCouldNotReach(SdtReader):
    async def connect(self) -> DeviceInfo:
        os.open(os.devnull, os.O_RDONLY)
        return await super().connect()


class LeaksDescriptors(SdtReader):
    async def disconnect(self) -> None:
        os.open(os.devnull, os.O_RDONLY)
        await super().disconnect()


class LeaksTasks(SdtReader):
    async def connect(self) -> DeviceInfo:
        self.keeping = asyncio.create_task(asyncio.sleep(3600))
        return await super().connect()


class DisconnectsOnce(SdtReader):
    async def disconnect(self) -> None:
        if self._link is None and self._field is None:
            raise RuntimeError("is not connected")
        await super().disconnect()


class IsAnotherEachTime(SdtReader):
    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        info.serial = f"{next(counted)}"
        return info


class SwallowsUnplug(SdtReader):
    async def status(self) -> DeviceStatus:
        try:
            return await super().status()
        except DeviceFault:
            return DeviceStatus()


class RaisesKeyErrorAtWork(SdtReader):
    async def read(self, request: Any, run: Any) -> Any:
        try:
            return await super().read(request, run)
        except DeviceFault as fault:
            raise KeyError(fault.step) from None


class WantsWholeMessages(SdtReader):
    """Throws away what it takes for too short to be an answer."""

    async def connect(self) -> DeviceInfo:
        opening = self.open_link

        async def opened(**defaults: str) -> Any:
            link = await opening(**defaults)
            receiving = link.receive

            async def receive(max_bytes: int = 65536) -> bytes:
                while len(data := await receiving(max_bytes)) < 2:
                    pass
                return data

            link.receive = receive  # type: ignore[method-assign]
            return link

        self.open_link = opened  # type: ignore[method-assign]
        return await super().connect()


class RaisesKeyErrorOnGarbage(SdtReader):
    async def status(self) -> DeviceStatus:
        try:
            return await super().status()
        except DeviceFault as fault:
            raise KeyError(fault.got) from None


class RaisesTimeoutErrorOnSilence(SdtReader):
    async def connect(self) -> DeviceInfo:
        try:
            return await super().connect()
        except NoAnswer:
            raise TimeoutError from None


class HoldsTheLoop(SdtReader):
    async def read(self, request: Any, run: Any) -> Any:
        time.sleep(1.5)  # noqa: ASYNC251 - the fault
        return await super().read(request, run)


class IsBusyAfterCancel(SdtReader):
    busy = False

    async def read(self, request: Any, run: Any) -> Any:
        if self.busy:
            raise CountertopError(error_pb2.REASON_DOCUMENT_UNREADABLE, "It reads another card.")
        self.busy = True
        result = await super().read(request, run)
        self.busy = False
        return result


class FindsNothing(SdtReader):
    async def check_health(self, request: Any, run: Any) -> Any:
        return device_pb2.CheckHealthResult(healthy=True)


class IsHealthyWhateverItFinds(SdtReader):
    async def check_health(self, request: Any, run: Any) -> Any:
        result = await super().check_health(request, run)
        result.findings.add(item="antenna", passed=False)
        return result


class IsBlockedByReset(SdtReader):
    async def reset(self, request: Any, run: Any) -> Any:
        result = await super().reset(request, run)
        result.status.conditions.add(reason=error_pb2.REASON_COVER_OPEN, severity=device_pb2.SEVERITY_BLOCKING)
        return result


class LogsTheName(SdtReader):
    async def read(self, request: Any, run: Any) -> Any:
        result = await super().read(request, run)
        log.debug("read the card of %s", result.document.person.name)
        return result


class KeepsTheNameAsEvidence(SdtReader):
    async def read(self, request: Any, run: Any) -> Any:
        result = await super().read(request, run)
        await run.commit_point("read", {"name": result.document.person.name})
        return result


def _within_a_function() -> type[SdtReader]:
    class NotOnTheFirstLevel(SdtReader):
        """Another process cannot import it."""

    return NotOnTheFirstLevel


def _planted(name: str, broken: type[SdtReader], number: str, **more: Any) -> Planted:
    return Planted(name, more.pop("suite", IdReaderConformance), broken, number, EMULATOR, more)


PLANTED = [
    _planted("is of another kind", OfAnotherKind, "D-01"),
    _planted("is announced under another name", Sound, "D-01", suite=AnnouncedOtherwise),
    _planted("takes any option", TakesAnyOption, "D-02"),
    _planted("says no capabilities", SaysNoCapabilities, "D-03"),
    _planted("says no severity", SaysNoSeverity, "D-04"),
    _planted("raises OSError without a device", RaisesOsErrors, "D-05"),
    _planted("leaves open what it could not reach", LeavesOpenWhatItCouldNotReach, "D-05"),
    _planted("leaks descriptors", LeaksDescriptors, "D-06"),
    _planted("leaks tasks", LeaksTasks, "D-06"),
    _planted("raises in a second disconnect", DisconnectsOnce, "D-06"),
    _planted("says another serial number each time", IsAnotherEachTime, "D-07"),
    _planted("swallows the pulled plug", SwallowsUnplug, "D-08"),
    _planted("raises KeyError when the plug is pulled", RaisesKeyErrorAtWork, "D-09"),
    _planted("wants whole messages", WantsWholeMessages, "D-10", **QUICK),
    _planted("raises KeyError on garbage", RaisesKeyErrorOnGarbage, "D-11", **QUICK),
    _planted("raises TimeoutError on silence", RaisesTimeoutErrorOnSilence, "D-12", **QUICK),
    _planted("holds the loop", HoldsTheLoop, "D-13"),
    _planted("is busy after a cancel", IsBusyAfterCancel, "D-14"),
    _planted("checks nothing", FindsNothing, "D-15"),
    _planted("is healthy whatever it finds", IsHealthyWhateverItFinds, "D-15"),
    _planted("is blocked by a reset", IsBlockedByReset, "D-16"),
    _planted("logs the name", LogsTheName, "D-17"),
    _planted("keeps the name as evidence", KeepsTheNameAsEvidence, "D-17"),
    _planted("cannot be imported by its name", _within_a_function(), "D-18"),
]
