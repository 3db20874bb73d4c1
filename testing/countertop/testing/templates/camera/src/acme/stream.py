"""The camera's stream: on while somebody looks. A task reads pictures from the link into the slot of the newest."""

from __future__ import annotations

import asyncio

from countertop.sdk import DeviceFault, LinkFault
from countertop.sdk.cameras import FrameSlot, Shot, frame_size, is_whole
from countertop.v1 import error_pb2

from acme.protocol import PICTURE, Command, parse_status
from acme.session import Session

__all__ = ["Stream"]


class Stream:
    """Switches the camera on and off, and waits for its pictures. Any number of tasks may use it."""

    def __init__(self, session: Session, stall_seconds: float) -> None:
        self._session = session
        self._stall_seconds = stall_seconds
        self._slot = FrameSlot()
        self._switching = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._damaged = 0
        self._looked_at = 0.0
        self._began = 0.0

    async def shot(self, newer_than: int) -> Shot:
        """The newest picture that is newer; the camera is switched on for it. Raises DeviceFault."""
        loop = asyncio.get_running_loop()
        self._looked_at = loop.time()
        async with self._switching:
            await self._switch_on()
        damaged = self._damaged
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await self._slot.newer_than(newer_than)
        except TimeoutError:
            raise self._silent(self._damaged - damaged) from None

    async def next_shot(self) -> Shot:
        """A picture that comes after the call. Raises DeviceFault."""
        newest = self._slot.newest
        return await self.shot(newest.sequence if newest is not None else 0)

    async def check(self, idle_seconds: float) -> None:
        """While it is on its pictures tell how it is; else it is asked. One that nobody looked at for so long is
        switched off. Raises DeviceFault.
        """
        now = asyncio.get_running_loop().time()
        async with self._switching:
            if self._reader is not None and now - self._looked_at > idle_seconds:
                await self._switch_off()
            if self._reader is None:
                parse_status(await self._session.ask(Command.STATUS))
                return
            if self._slot.fault is not None:
                raise self._slot.fault
            newest = self._slot.newest
            last = newest.monotonic_ns / 1e9 if newest is not None else 0.0
            if now - max(last, self._began) > self._stall_seconds:
                raise self._silent(0)

    async def off(self) -> None:
        """Switch it off; nothing is left of what it saw. Raises DeviceFault."""
        async with self._switching:
            await self._switch_off()

    async def close(self) -> None:
        """End the reading; those who wait for a picture are told. Never raises."""
        self._slot.fail(LinkFault(error_pb2.REASON_LINK_LOST, "The camera was let go.", step="read"))
        await self._stop_reading()

    async def _switch_on(self) -> None:
        if self._reader is None:
            await self._session.ask(Command.BEGIN)
            self._began = asyncio.get_running_loop().time()
            self._reader = asyncio.create_task(self._read(), name="acme pictures")

    async def _switch_off(self) -> None:
        if self._reader is not None:
            await self._stop_reading()
            await self._session.ask(Command.END)
            self._session.forget()
        self._slot.wipe()

    async def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader})

    async def _read(self) -> None:
        try:
            while True:
                for frame in await self._session.unasked():
                    if frame.letter == PICTURE:
                        self._take(frame.payload)
        except DeviceFault as fault:
            self._slot.fail(fault)

    def _take(self, jpeg: bytes) -> None:
        size = frame_size(jpeg) if is_whole(jpeg) else None
        if size is None:
            self._damaged += 1
        else:
            self._slot.put(lambda: jpeg, *size)

    def _silent(self, damaged: int) -> DeviceFault:
        """Why no picture came."""
        if damaged:
            reason = error_pb2.REASON_CAMERA_PICTURE_DAMAGED
            return DeviceFault(reason, step="read", expected="whole JPEG files", got=f"{damaged} that are not")
        return DeviceFault(error_pb2.REASON_CAMERA_STALLED, step="read", got=f"no picture in {self._stall_seconds:g} s")
