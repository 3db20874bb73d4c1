"""A signature pad on a line protocol of the tests' own, so that it runs in the daemon or in a process of its own."""

from __future__ import annotations

import json
from typing import cast

from countertop.sdk import ByteLink, Options, PenSample, SignaturePad, TcpLink
from countertop.sdk.signing import ButtonPress, PadEvent, PadScreen
from countertop.v1 import device_pb2, ink_pb2


class TrialPadOptions(Options):
    """Options of the pad."""

    screen: bool = True


class TrialPad(SignaturePad):
    """Hears JSON lines: `[x, y, touching, pressure, time_us]` is the pen, a number a key. Says what it is told."""

    name = "trial-pad"
    links = (TcpLink,)
    options_type = TrialPadOptions
    poll_interval = 5.0

    _link: ByteLink
    _rest = b""

    @property
    def space(self) -> ink_pb2.InkSpace:
        return ink_pb2.InkSpace(width=8000, height=4800, units_per_mm=80, pressure_levels=1024, report_rate=200)

    @property
    def screen(self) -> PadScreen | None:
        return PadScreen(400, 240, 1) if cast("TrialPadOptions", self.options).screen else None

    async def connect(self) -> device_pb2.DeviceInfo:
        self._link = await self.open_link()
        capabilities = device_pb2.SignaturePadCapabilities(screen_width=400 if self.screen else 0)
        return device_pb2.DeviceInfo(vendor="Invented", model="Pad", serial="P1", signature_pad=capabilities)

    async def disconnect(self) -> None:
        await self._link.close()

    async def status(self) -> device_pb2.DeviceStatus:
        return device_pb2.DeviceStatus()

    async def open_capture(self, operation_id: str) -> None:
        await self._link.send(b"open\n")

    async def show(self, pixels: bytes) -> None:
        await self._link.send(b"show %d\n" % len(pixels))

    async def close_capture(self) -> None:
        await self._link.send(b"close\n")

    async def hear(self) -> list[PadEvent]:
        while b"\n" not in self._rest:
            self._rest += await self._link.receive()
        lines, _, self._rest = self._rest.rpartition(b"\n")
        return [self._event(json.loads(line)) for line in lines.splitlines()]

    @staticmethod
    def _event(told: int | list[int]) -> PadEvent:
        if isinstance(told, int):
            return ButtonPress(told)  # type: ignore[arg-type]
        x, y, touching, pressure, time_us = told
        return PenSample(x, y, bool(touching), pressure, time_us, sequence=None)
