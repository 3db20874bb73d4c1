"""One client's recording of a device's link: from the driver's recorder to the client's stream, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.trace.format import MAX_FILE
from countertop.sdk.trace.recorder import Recorder
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.device import Device as Driver

__all__ = ["QUEUE_LIMIT", "LinkRecording", "RecordingSeat"]

QUEUE_LIMIT = 8 * 1024 * 1024
"""Characters that wait for a client that does not read them in time."""
BATCH_LIMIT = 512 * 1024
"""Characters of one response, about; a line has at most 400 000."""


class LinkRecording:
    """Lines wait here for the client. Ends with an error at the latest when more wait than it may, or when a file of
    them could not be read again.
    """

    def __init__(self, encrypt_to: str) -> None:
        """`encrypt_to` is an X25519 public key in PEM, or empty."""
        self.recorder = Recorder(self.write, encrypt_to=encrypt_to, failed=self.end)
        self.began = asyncio.Event()
        """The device is being connected anew, recorded."""
        self._lines: list[str] = []
        self._waiting = 0
        self._written = 0
        self._error: CountertopError | None = None
        self._news = asyncio.Event()

    def write(self, lines: list[str]) -> None:
        """More lines."""
        if self._error is not None:
            return
        size = sum(len(line) + 1 for line in lines)
        self._waiting += size
        self._written += size
        if self._waiting > QUEUE_LIMIT:
            self.end(_too_slow())
        elif self._written > MAX_FILE:
            self.end(_too_long())
        else:
            self._lines += lines
            self._news.set()

    def end(self, error: CountertopError) -> None:
        """It cannot go on; what waits is still told."""
        if self._error is None:
            self._error = error
        self._news.set()

    async def batches(self) -> AsyncIterator[list[str]]:
        """The lines, some at a time. Raises the error that ended the recording, behind its last line."""
        while True:
            await self._news.wait()
            while self._lines:
                yield self._batch()
            if self._error is not None:
                raise self._error
            self._news.clear()

    def _batch(self) -> list[str]:
        size, count = 0, 0
        for line in self._lines:
            if count and size + len(line) > BATCH_LIMIT:
                break
            size += len(line) + 1
            count += 1
        batch, self._lines = self._lines[:count], self._lines[count:]
        self._waiting -= size
        return batch


class RecordingSeat:
    """The one recording that a device may have at a time, between the client's call and the runner's own task."""

    def __init__(self, device_id: str, wake: Callable[[], object]) -> None:
        self.current: LinkRecording | None = None
        self.renew = False
        """The runner is to connect anew as soon as nothing runs."""
        self._device_id = device_id
        self._wake = wake

    async def take(self, recording: LinkRecording, driver: Driver | None, within: float) -> None:
        """Wait until the device is connected anew, recorded; `driver` is the one by which it is reached now, if it is.

        Raises CountertopError: LINK_RECORDED, DEVICE_TIMEOUT when what runs does not end `within` so many seconds, and
        as the driver refuses, before anything is disturbed.
        """
        if self.current is not None:
            message = f"The link of {self._device_id} is being recorded already."
            raise CountertopError(error_pb2.REASON_LINK_RECORDED, message)
        self.current = recording
        try:
            if driver is not None:
                await driver.record_links(recording.recorder)
            self.renew = True
            self._wake()
            async with asyncio.timeout(within):
                await recording.began.wait()
        except TimeoutError:
            self.leave(recording)
            raise CountertopError(
                error_pb2.REASON_DEVICE_TIMEOUT,
                f"What runs on {self._device_id} has not ended within {within:g} s, so that its link cannot be opened "
                "anew.",
            ) from None
        except BaseException:
            self.leave(recording)
            raise

    async def begin(self, driver: Driver) -> None:
        """The runner is about to connect this driver."""
        self.renew, recording = False, self.current
        if recording is None:
            return
        try:
            await driver.record_links(recording.recorder)
        except CountertopError as error:
            recording.end(error)
        recording.began.set()

    def leave(self, recording: LinkRecording) -> None:
        """Record no more; the driver goes on. Safe to call twice."""
        if self.current is recording:
            self.current, self.renew = None, False
            recording.recorder.stop()

    def end(self, error: CountertopError) -> None:
        """What is recorded ends so."""
        if self.current is not None:
            self.current.end(error)


def _too_slow() -> CountertopError:
    return DeviceFault(
        error_pb2.REASON_WATCHER_TOO_SLOW,
        f"The client does not read the recording in time: more than {QUEUE_LIMIT} characters wait. It is whole up to "
        "there, and has ended.",
        step="record",
        action="Read the lines as they come, and record anew.",
    )


def _too_long() -> CountertopError:
    return DeviceFault(
        error_pb2.REASON_WATCHER_TOO_SLOW,
        f"The recording has reached {MAX_FILE} characters, which is as much as can be played. It is whole up to there, "
        "and has ended.",
        step="record",
        action="Record anew, for a shorter time.",
    )
