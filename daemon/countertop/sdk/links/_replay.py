"""Links that play a recording back to a driver: `replay:///path/FILE.trace`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from countertop.sdk.errors import CountertopError, LinkFault, ReportRefused
from countertop.sdk.links._base import ByteLink, HidInfo, HidLink, Link, LinkUrl
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._replay_player import MEND, Player, recorded_fault
from countertop.sdk.trace.format import FAULT, Entry, Section
from countertop.sdk.trace.masking import Masker
from countertop.sdk.trace.reading import read_trace
from countertop.sdk.trace.script import ByteScript, HidScript
from countertop.v1 import error_pb2

__all__ = ["ReplayByteLink", "ReplayHidLink", "open_replay"]

AnyLink = TypeVar("AnyLink", bound=Link)


async def open_replay(url: LinkUrl, allowed: tuple[type[AnyLink], ...], masker: Callable[[], Masker | None]) -> AnyLink:
    """The link that plays the URL's recording. Raises LinkFault: DEVICE_OFFLINE when the file cannot be read, is of
    another kind of link than those `allowed`, or was masked and `masker` makes none; the fault that was recorded where
    the link could not be opened.
    """
    section = await asyncio.to_thread(_load, url)
    header = section.header
    wanted = {"bytes" if issubclass(link, ByteLink) else "hid" if issubclass(link, HidLink) else "" for link in allowed}
    if header.link not in wanted:
        names = ", ".join(f"{scheme}://" for link in allowed for scheme in link.schemes) or "another kind of link"
        raise _unfit(url, f"it is of a {header.link} link, and the driver asks for {names} here")
    for entry in section.entries:
        if entry.mark == FAULT and entry.verb == "open":
            raise recorded_fault(url, entry)
    made = masker() if header.masked_by else None
    if header.masked_by and made is None:
        raise _unfit(url, f"the driver {header.masked_by} has masked it, and this one has no masker to compare with")
    link = ReplayByteLink(url, section, made) if header.link == "bytes" else ReplayHidLink(url, section, made)
    return cast("AnyLink", link)


def _load(url: LinkUrl) -> Section:
    unseal = None
    try:
        if "key" in url.query:
            from countertop.sdk.trace.sealing import Unsealer

            unseal = Unsealer.from_file(Path(url.query["key"]))
        sections = read_trace(Path(url.path), unseal)
    except OSError as error:
        raise _unfit(url, f"{error.filename} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _unfit(url, str(error)) from error
    except CountertopError as error:  # cryptography is missing
        raise _unfit(url, error.message) from error
    opening = int(url.query.get("opening", "1"))
    if opening > len(sections):
        raise _unfit(url, f"the link was opened {len(sections)} times in it, not {opening}")
    return sections[opening - 1]


def _unfit(url: LinkUrl, cause: str) -> LinkFault:
    return LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"The recording {url.path} cannot be played: {cause}.",
        step="open",
        expected="a recording that this driver can play",
        got=cause,
        action=MEND,
    )


class ReplayByteLink(Player, ByteLink):
    """Plays a stream. `mode=strict` wants the bytes that were sent when it was recorded, in that order; `tolerant`
    looks for them from the present place on, then from the start. `pace=recorded` keeps the times of what comes.
    """

    schemes: ClassVar[tuple[str, ...]] = ("replay",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["replay"]

    def __init__(self, url: LinkUrl, section: Section, masker: Masker | None) -> None:
        super().__init__(url, ByteScript(section, tolerant=url.query.get("mode") == "tolerant"), masker)
        self._rest = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """A piece as it was recorded, or the rest of one."""
        if not self._rest:
            self._rest = (await self.input()).data
        data, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return data

    async def send(self, data: bytes) -> None:
        """Compare, and go on. Raises LinkFault(LINK_LOST) that names the line where the driver deviates."""
        await self.play(bytes(data))

    def discard_input(self) -> bytes:
        """Take what has come."""
        data, self._rest = self._rest, b""
        return data + b"".join(self.arrived())


class ReplayHidLink(Player, HidLink):
    """Plays reports, as `ReplayByteLink` plays a stream."""

    schemes: ClassVar[tuple[str, ...]] = ("replay",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["replay"]

    def __init__(self, url: LinkUrl, section: Section, masker: Masker | None) -> None:
        super().__init__(url, HidScript(section, tolerant=url.query.get("mode") == "tolerant"), masker)
        self.info = section.header.hid or HidInfo(0, 0)

    async def receive(self) -> bytes:
        """The next input report."""
        return (await self.input()).data

    async def report_descriptor(self) -> bytes:
        """As it was recorded."""
        return await self._answer(b"", "descriptor")

    async def get_feature(self, report_id: int, size: int) -> bytes:
        """As it was recorded."""
        request = bytes([report_id & 0xFF]) + (size & 0xFFFF).to_bytes(2, "big")
        report = await self._answer(request, "get")
        self.seen(report)
        return report

    async def set_feature(self, report: bytes) -> None:
        """Compare, and go on."""
        self._refused(await self.play(bytes(report), "set"), report, "set feature")

    async def send(self, report: bytes) -> None:
        """Compare, and go on."""
        self._refused(await self.play(bytes(report), "out"), report, "send")

    def discard_input(self) -> list[bytes]:
        """Take what has come."""
        return self.arrived()

    async def _answer(self, request: bytes, verb: str) -> bytes:
        reply = await self.play(request, verb)
        while reply is None:  # it was given up before it was answered, and is so again
            self.check()
            await asyncio.shield(self._news)
        self._refused(reply, request or b"\0", f"{verb} feature" if verb == "get" else "report descriptor")
        return reply.data

    @staticmethod
    def _refused(reply: Entry | None, report: bytes, verb: str) -> None:
        if reply is not None and reply.verb == "refused":
            raise ReportRefused(report[0], verb)
