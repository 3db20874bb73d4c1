"""Readers of Chinese identity cards with a SAM_V module, which most makers' readers hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import cast

from pydantic import Field as Bounded

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.layouts import LAYOUTS
from countertop.drivers.sdt.masking import SdtMasker
from countertop.drivers.sdt.reading import Field, Reading
from countertop.drivers.sdt.sam import Sam, refusal
from countertop.sdk import ByteLink, IdReader, LinkFault, LinkUrl, NoAnswer, Options, ProtocolFault, Run
from countertop.sdk.device import internal_health
from countertop.sdk.errors import reason_info
from countertop.sdk.links import SerialLink
from countertop.v1 import device_pb2, id_reader_pb2, operation_pb2
from countertop.v1.device_pb2 import Condition, DeviceInfo, DeviceStatus

__all__ = ["SdtOptions", "SdtReader"]

BOOT_LOOK = 0.5
"""Seconds of one attempt to reach a module that may still be starting."""

BLOCKING = frozenset({0x23, 0x60, 0x66})
"""Status words of a module that reads no card at all."""


class SdtOptions(Options):
    """Options of an SDT reader."""

    baud: int = Bounded(115200, ge=9600, le=115200)
    """Speed of the line when the link's URL names none."""
    find_interval_ms: int = Bounded(300, ge=20, le=5000)
    """Least milliseconds between two tries to find a card."""
    read_retries: int = Bounded(5, ge=0, le=20)
    """How often a read that failed, mostly since the card moved, is tried again before the card is asked for anew."""
    answer_seconds: float = Bounded(1.0, ge=0.05, le=10)
    """Longest time that the module may take for a command to itself, find and select, beside the time on the line."""
    read_seconds: float = Bounded(3.0, ge=0.05, le=30)
    """The same for commands that read from the card."""
    boot_seconds: float = Bounded(2.0, ge=0, le=30)
    """How long the module may be mute after it was switched on."""


def _today() -> date:
    return datetime.now().astimezone().date()


class SdtReader(IdReader):
    """A reader with a SAM_V module on a serial line."""

    name = "sdt"
    links = (SerialLink,)
    options_type = SdtOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self.today: Callable[[], date] = _today
        """Tells the day against which validity is checked."""
        self._options = cast("SdtOptions", options)
        self._link: ByteLink | None = None
        self._field: Field | None = None

    async def connect(self) -> DeviceInfo:
        """Wait out the module's start and ask for its id. Raises LinkFault, NoAnswer, ProtocolFault."""
        options = self._options
        self._link = await self.open_link(baud=str(options.baud))
        sam = Sam(
            self._link,
            baud=int(self.url.query.get("baud", options.baud)),
            answer_seconds=options.answer_seconds,
            read_seconds=options.read_seconds,
        )
        self._field = Field(sam, options.find_interval_ms / 1000)
        try:
            serial = await self._serial(sam) if await self._boot(sam) == protocol.OK else ""
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="generic",
            model="SAM_V",
            serial=serial,
            id_reader=device_pb2.IdReaderCapabilities(
                document_types=sorted(kind for kind, _ in LAYOUTS.values()),
                fingerprints=True,
                additional_address=True,
            ),
        )

    def masker(self) -> SdtMasker:
        """Puts an invented person where somebody was read."""
        return SdtMasker()

    async def disconnect(self) -> None:
        """Close the link."""
        link, self._link, self._field = self._link, None, None
        if link is not None:
            await link.close()

    async def status(self) -> DeviceStatus:
        """The module's own state, and whether the card that was last read still lies there."""
        field = self._connected()
        response = await self._ask_twice(field.sam, protocol.SAM_STATUS)
        status = DeviceStatus(media=device_pb2.MEDIA_STATE_NOT_PRESENT)
        if response.sw3 in BLOCKING:
            fault = refusal(protocol.SAM_STATUS, response)
            info = reason_info(fault.reason)
            status.conditions.append(
                Condition(
                    reason=fault.reason,
                    severity=device_pb2.SEVERITY_BLOCKING,
                    fixed_by=info.fixed_by,
                    action=info.app,
                )
            )
        elif response.sw3 != protocol.OK:
            raise refusal(protocol.SAM_STATUS, response)
        elif field.read_lies and await field.still_read():
            status.media = device_pb2.MEDIA_STATE_PRESENT
        return status

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Reset the module, then ask how it is."""
        await self._ask_twice(self._connected().sam, protocol.RESET)
        return device_pb2.ResetDeviceResult(status=await self.status())

    async def check_health(self, request: device_pb2.CheckHealthRequest, run: Run) -> device_pb2.CheckHealthResult:
        """INTERNAL asks for the module's state; INTERACTIVE has a person lay a card on the reader, and reads nothing of
        it. EXTERNAL is NOT_SUPPORTED: a reader does nothing that could be seen.
        """
        if request.level != device_pb2.HEALTH_LEVEL_INTERACTIVE:
            return await super().check_health(request, run)
        result, field, passed = internal_health(await self.status()), self._connected(), False
        if result.healthy:
            run.prompt(operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)
            while not passed and await field.turn(run.time_left):
                passed = await field.find()
            run.working()
            await self._ask_twice(field.sam, protocol.RESET)  # the card may be found again
            detail = "A card was found on the reader." if passed else "No card was found on the reader."
            result.findings.append(device_pb2.HealthFinding(item="card detection", passed=passed, detail=detail))
            result.healthy = passed
        return result

    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """Wait for a card, read it, wait for its removal if asked.

        A card that is pulled away or cannot be read is asked for again while there is time; then DOCUMENT_REMOVED or
        DOCUMENT_UNREADABLE says how it was last. One that lies there since it was read ends with
        DOCUMENT_ALREADY_READ. With `wait_for_removal` the document is not lost when the card stays: time being up,
        the read succeeds without DocumentRemoved.
        """
        field = self._connected()
        reading = Reading(request, run, field, retries=self._options.read_retries, today=self.today)
        try:
            document = await reading.document()
            if request.wait_for_removal:
                run.emit(document)
                await reading.removal()
        except (NoAnswer, ProtocolFault):
            with suppress(NoAnswer, ProtocolFault, LinkFault):
                await field.sam.ask(protocol.RESET)
            raise
        return id_reader_pb2.ReadResult(document=document)

    def _connected(self) -> Field:
        assert self._field is not None, "connect comes first"
        return self._field

    async def _boot(self, sam: Sam) -> int:
        """Ask for the module's state until it answers; its status word."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.boot_seconds + self._options.answer_seconds
        while True:
            try:
                return (await sam.ask(protocol.SAM_STATUS, BOOT_LOOK)).sw3
            except (NoAnswer, ProtocolFault):
                if loop.time() >= until:
                    raise

    async def _serial(self, sam: Sam) -> str:
        response = await self._ask_twice(sam, protocol.SAM_ID)
        return protocol.parse_sam_id(response.data) if response.sw3 == protocol.OK else ""

    @staticmethod
    async def _ask_twice(sam: Sam, command: protocol.Command) -> protocol.Response:
        """Ask; once more after a garbled answer, so that one bad byte does not take the device offline."""
        try:
            return await sam.ask(command)
        except ProtocolFault:
            return await sam.ask(command)
