"""A camera as its V4L2 node shows it: a state machine without I/O or time."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from countertop.emulators.core.v4l2 import constants as v4l2
from countertop.emulators.core.v4l2.answers import Answer, Opener, Refused
from countertop.emulators.core.v4l2.buffers import Buffer, BufferQueue, BufferState
from countertop.emulators.core.v4l2.modes import Mode, PixelFormat, nearest_mode
from countertop.emulators.core.v4l2.priority import PriorityBoard
from countertop.emulators.core.v4l2.questions import (
    enum_format,
    enum_input,
    enum_intervals,
    enum_sizes,
    expect_capture,
    expect_mmap,
    no_controls,
)
from countertop.emulators.core.v4l2.structs import BY_NAME, Fields, Ioctl

__all__ = ["CaptureDevice", "Exposure", "Naming"]

_STATE_FLAGS = {
    BufferState.DEQUEUED: 0,
    BufferState.QUEUED: v4l2.BUF_FLAG_QUEUED,
    BufferState.FILLING: v4l2.BUF_FLAG_QUEUED,
    BufferState.DONE: v4l2.BUF_FLAG_DONE,
}


@dataclass(frozen=True, slots=True)
class Naming:
    """What QUERYCAP tells: at most 15, 31 and 31 bytes."""

    driver: str
    card: str
    bus_info: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """A frame that is to be written into a buffer, or nowhere: no buffer was queued. `sequence` counts from 0."""

    session: int
    sequence: int
    mode: Mode
    buffer: Buffer | None


class CaptureDevice:
    """Answers ioctls as uvcvideo does. Whoever sets a format or asks for buffers owns the stream until it gives the
    buffers back or closes; to all others those calls are EBUSY. Frames come from `expose` and `complete`.
    """

    def __init__(self, naming: Naming, formats: tuple[PixelFormat, ...]) -> None:
        self._naming = naming
        self._formats = formats
        self._mode = Mode(formats[0], formats[0].sizes[0])
        self._rate = self._mode.size.rates[0]
        self._queue = BufferQueue()
        self._priorities = PriorityBoard()
        self._owner: Opener | None = None
        self._waiting: Opener | None = None
        self._streaming = False
        self._failed = False
        self._session = 0
        self._sequence = 0
        self.io_error = False  # DQBUF and STREAMON fail with EIO
        self._calls: dict[str, Callable[[Opener, Fields], Mapping[str, Any] | None]] = {
            "QUERYCAP": self._query_capabilities,
            "ENUM_FMT": lambda _opener, fields: enum_format(formats, fields),
            "G_FMT": self._get_format,
            "TRY_FMT": self._try_format,
            "S_FMT": self._set_format,
            "REQBUFS": self._request_buffers,
            "QUERYBUF": self._query_buffer,
            "QBUF": self._queue_buffer,
            "DQBUF": self._dequeue_buffer,
            "STREAMON": self._stream_on,
            "STREAMOFF": self._stream_off,
            "G_PARM": self._get_parameters,
            "S_PARM": self._set_parameters,
            "ENUMINPUT": lambda _opener, fields: enum_input(fields),
            "G_INPUT": lambda _opener, _fields: {"value": 0},
            "S_INPUT": self._set_input,
            "G_PRIORITY": lambda _opener, _fields: {"value": self._priorities.highest},
            "S_PRIORITY": self._set_priority,
            "G_EXT_CTRLS": lambda _opener, fields: no_controls(fields, fields["count"]),
            "S_EXT_CTRLS": lambda _opener, fields: no_controls(fields, fields["count"]),
            "TRY_EXT_CTRLS": lambda _opener, fields: no_controls(fields, 0),
            "ENUM_FRAMESIZES": lambda _opener, fields: enum_sizes(formats, fields),
            "ENUM_FRAMEINTERVALS": lambda _opener, fields: enum_intervals(formats, fields),
        }

    @property
    def session(self) -> int | None:
        """A number for the stream that runs; None while none does."""
        return self._session if self._streaming else None

    @property
    def waiting(self) -> bool:
        """A client waits in DQBUF."""
        return self._waiting is not None

    @property
    def mode(self) -> Mode:
        """Format and size."""
        return self._mode

    @property
    def rate(self) -> int:
        """Frames per second that the client chose."""
        return self._rate

    @property
    def extent(self) -> int:
        """How many bytes of the node's file the buffers take."""
        return self._queue.extent

    def call(self, opener: Opener, ioctl: Ioctl, data: bytes) -> Answer | None:
        """Answer, or None where DQBUF waits for a frame. Controls are EINVAL: there are none. `data` has the
        structure's size.
        """
        handler = self._calls.get(ioctl.name)
        if handler is None:
            return Answer(errno.EINVAL)
        if not self._priorities.allows(opener, ioctl.name):
            return Answer(errno.EBUSY)
        try:
            fields = handler(opener, ioctl.layout.unpack(data))
        except Refused as refused:
            return Answer(refused.errno, ioctl.layout.pack(refused.fields) if refused.fields else b"")
        return None if fields is None else Answer(0, ioctl.layout.pack(fields))

    def release(self, opener: Opener) -> None:
        """The file was closed: its stream ends, its buffers are gone."""
        self._priorities.forget(opener)
        if opener is self._owner:
            self._stop()
            self._queue.allocate(0, 0)
            self._owner = None

    def abort(self, number: int) -> None:
        """The stream broke: a DQBUF that waits and all later ones fail with this errno, until STREAMOFF."""
        self._failed = self._streaming
        self._answer_waiting(Answer(number))

    def skip(self, frames: int) -> None:
        """So many frames passed unseen: a gap in the sequence numbers."""
        self._sequence += frames

    def expose(self) -> Exposure | None:
        """Begin the next frame. None while nothing streams."""
        if not self._streaming or self._failed:
            return None
        sequence = self._sequence
        self._sequence += 1
        return Exposure(self._session, sequence, self._mode, self._queue.begin())

    def complete(self, exposure: Exposure, used: int, timestamp: float) -> None:
        """End a frame that was begun with a buffer: `used` bytes were written, begun at `timestamp` seconds. A raw
        frame that is not whole, and one that is empty, is dropped, as uvcvideo does. What belongs to a stream that
        has ended is ignored.
        """
        buffer = exposure.buffer
        if buffer is None or exposure.session != self.session:
            return
        whole = exposure.mode.format.compressed or used == exposure.mode.image_bytes
        if not whole or not 0 < used <= exposure.mode.image_bytes:
            self._queue.give_up(buffer)
            return
        self._queue.finish(buffer, used, exposure.sequence, timestamp)
        if self._waiting is not None:
            done = self._queue.dequeue()
            assert done is not None
            self._answer_waiting(Answer(0, BY_NAME["DQBUF"].layout.pack(self._describe(done))))

    def _answer_waiting(self, answer: Answer) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.answer(answer)

    def _query_capabilities(self, _opener: Opener, _fields: Fields) -> Mapping[str, Any]:
        return v4l2.capability(self._naming.driver, self._naming.card, self._naming.bus_info, v4l2.CAP_VIDEO_CAPTURE)

    def _get_format(self, _opener: Opener, fields: Fields) -> Mapping[str, Any]:
        expect_capture(fields)
        return v4l2.picture(self._mode)

    def _try_format(self, _opener: Opener, fields: Fields) -> Mapping[str, Any]:
        return v4l2.picture(self._wanted(fields))

    def _set_format(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        wanted = self._wanted(fields)
        self._own(opener)
        if self._queue.buffers:
            raise Refused(errno.EBUSY)
        self._mode = wanted
        self._rate = wanted.size.rates[0]
        return v4l2.picture(wanted)

    def _wanted(self, fields: Fields) -> Mode:
        expect_capture(fields)
        return nearest_mode(self._formats, fields["pixelformat"], fields["width"], fields["height"])

    def _get_parameters(self, _opener: Opener, fields: Fields) -> Mapping[str, Any]:
        expect_capture(fields)
        return v4l2.parameters(self._rate)

    def _set_parameters(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        expect_capture(fields)
        self._own(opener)
        if self._streaming:
            raise Refused(errno.EBUSY)
        rates = self._mode.size.rates
        numerator, denominator = fields["numerator"], fields["denominator"]
        if numerator and denominator:
            interval = numerator / denominator
            self._rate = min(rates, key=lambda rate: abs(1 / rate - interval))
        else:
            self._rate = rates[0]
        return v4l2.parameters(self._rate)

    def _set_input(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        self._own(opener)
        if fields["value"]:
            raise Refused(errno.EINVAL)
        return {"value": 0}

    def _set_priority(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        if not self._priorities.set(opener, fields["value"]):
            raise Refused(errno.EINVAL)
        return fields

    def _request_buffers(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        expect_capture(fields)
        expect_mmap(fields)
        self._own(opener)
        if self._streaming:
            raise Refused(errno.EBUSY)
        made = self._queue.allocate(fields["count"], self._mode.image_bytes)
        if not made:
            self._owner = None
        return {
            "count": made,
            "type": v4l2.BUF_TYPE_VIDEO_CAPTURE,
            "memory": v4l2.MEMORY_MMAP,
            "capabilities": v4l2.BUF_CAP_SUPPORTS_MMAP,
        }

    def _query_buffer(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        return self._describe(self._buffer(opener, fields))

    def _queue_buffer(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        buffer = self._buffer(opener, fields)
        expect_mmap(fields)
        if not self._queue.queue(buffer):
            raise Refused(errno.EINVAL)
        return self._describe(buffer)

    def _dequeue_buffer(self, opener: Opener, fields: Fields) -> Mapping[str, Any] | None:
        expect_capture(fields)
        self._expect_owner(opener)
        expect_mmap(fields)
        if not self._streaming:
            raise Refused(errno.EINVAL)
        if self._failed or self.io_error:
            raise Refused(errno.EIO)
        buffer = self._queue.dequeue()
        if buffer is None:
            self._waiting = opener
            return None
        return self._describe(buffer)

    def _stream_on(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        self._expect_stream(opener, fields)
        if self._streaming:
            return fields
        if not self._queue.buffers:
            raise Refused(errno.EINVAL)
        if self.io_error:
            raise Refused(errno.EIO)
        self._streaming, self._failed = True, False
        self._session += 1
        self._sequence = 0
        return fields

    def _stream_off(self, opener: Opener, fields: Fields) -> Mapping[str, Any]:
        self._expect_stream(opener, fields)
        self._stop()
        return fields

    def _stop(self) -> None:
        self._streaming = self._failed = False
        self._queue.stop()
        self._answer_waiting(Answer(errno.EINVAL))

    def _expect_stream(self, opener: Opener, fields: Fields) -> None:
        if fields["value"] != v4l2.BUF_TYPE_VIDEO_CAPTURE:
            raise Refused(errno.EINVAL)
        self._expect_owner(opener)

    def _buffer(self, opener: Opener, fields: Fields) -> Buffer:
        expect_capture(fields)
        self._expect_owner(opener)
        buffer = self._queue.get(fields["index"])
        if buffer is None:
            raise Refused(errno.EINVAL)
        return buffer

    def _own(self, opener: Opener) -> None:
        if self._owner is None:
            self._owner = opener
        self._expect_owner(opener)

    def _expect_owner(self, opener: Opener) -> None:
        if self._owner is not None and self._owner is not opener:
            raise Refused(errno.EBUSY)

    def _describe(self, buffer: Buffer) -> Mapping[str, Any]:
        microseconds = round(buffer.timestamp * 1_000_000)
        return {
            "index": buffer.index,
            "type": v4l2.BUF_TYPE_VIDEO_CAPTURE,
            "bytesused": buffer.used,
            "flags": v4l2.BUF_FLAGS | _STATE_FLAGS[buffer.state],
            "field": v4l2.FIELD_NONE,
            "seconds": microseconds // 1_000_000,
            "microseconds": microseconds % 1_000_000,
            "sequence": buffer.sequence,
            "memory": v4l2.MEMORY_MMAP,
            "offset": buffer.offset,
            "length": buffer.length,
        }
