"""The printer's jobs: making one, finding one again, waiting for one, taking one back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from countertop.drivers.ipp_card.link import IppLink
from countertop.drivers.ipp_card.states import blocking, likely, reason_words, values
from countertop.sdk import DeviceFault
from countertop.v1 import error_pb2

__all__ = ["RASTER", "Jobs"]

RASTER = "image/pwg-raster"
LOOK_SECONDS = 0.5
STOPPED, CANCELED, ABORTED, COMPLETED = 6, 7, 8, 9
_ATTRIBUTES = ["job-id", "job-name", "job-state", "job-state-reasons", "job-impressions-completed"]


class Jobs:
    """A job is a dict of its attributes, `job-id` among them. Every method raises LinkFault, ProtocolFault, and
    DeviceFault for a request that the printer refuses.
    """

    def __init__(self, link: IppLink, look: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """`look` gives the printer's own attributes as they are now."""
        self._link = link
        self._look = look

    async def start(self, name: str, data: bytes, *, media: str, two_sided: bool) -> dict[str, Any]:
        """Give the printer a document as a job of this name."""
        from pyipp.enums import IppOperation

        answer = await self._link.ask(
            IppOperation.PRINT_JOB,
            {"job-name": name, "document-format": RASTER},
            {"media": media, "sides": "two-sided-long-edge" if two_sided else "one-sided"},
            data,
        )
        return next(iter(answer["jobs"]), {})

    async def find(self, name: str) -> dict[str, Any] | None:
        """The job of this name, among the last hundred."""
        from pyipp.enums import IppOperation

        for which in ("not-completed", "completed"):
            answer = await self._link.ask(
                IppOperation.GET_JOBS, {"which-jobs": which, "limit": 100, "requested-attributes": _ATTRIBUTES}
            )
            for job in answer["jobs"]:
                if job.get("job-name") == name:
                    return dict(job)
        return None

    async def wait(self, job: dict[str, Any], print_seconds: float, mend_seconds: float) -> None:
        """Until the job has ended; one that is held up is cancelled after a while. Raises DeviceFault."""
        loop = asyncio.get_running_loop()
        until = loop.time() + print_seconds
        held_since: float | None = None
        while job.get("job-state") not in (CANCELED, ABORTED, COMPLETED):
            await asyncio.sleep(LOOK_SECONDS)
            job = await self._again(job["job-id"])
            words = [*values(job, "job-state-reasons"), *values(await self._look(), "printer-state-reasons")]
            held = blocking(words) is not None or job.get("job-state") == STOPPED
            held_since = (held_since or loop.time()) if held else None
            too_long = held_since is not None and loop.time() - held_since > mend_seconds
            if too_long or loop.time() > until:
                await self._cancel(job)
                raise _failed(job, likely(words) or error_pb2.REASON_DEVICE_TIMEOUT, words)
        if job["job-state"] != COMPLETED:
            words = values(job, "job-state-reasons")
            raise _failed(job, likely(words) or error_pb2.REASON_PRINTER_FAULT, words)

    async def _again(self, job_id: int) -> dict[str, Any]:
        from pyipp.enums import IppOperation

        answer = await self._link.ask(
            IppOperation.GET_JOB_ATTRIBUTES, {"job-id": job_id, "requested-attributes": _ATTRIBUTES}
        )
        return next(iter(answer["jobs"]), {}) | {"job-id": job_id}

    async def _cancel(self, job: dict[str, Any]) -> None:
        """So that nothing is printed when it is mended. A job that ends at that moment is as it is."""
        from pyipp.enums import IppOperation

        try:
            await self._link.ask(IppOperation.CANCEL_JOB, {"job-id": job["job-id"]})
        except DeviceFault as fault:
            if fault.reason != error_pb2.REASON_PRINTER_FAULT:
                raise


def _failed(job: dict[str, Any], reason: error_pb2.Reason, words: list[Any]) -> DeviceFault:
    """A card that was never fed has done nothing; any other may lie anywhere in the printer."""
    printed = job.get("job-impressions-completed")
    untouched = reason == error_pb2.REASON_CARDS_OUT and not printed
    effect = error_pb2.PHYSICAL_EFFECT_NONE if untouched else error_pb2.PHYSICAL_EFFECT_UNKNOWN
    return DeviceFault(reason, step="print-job", expected="completed", got=reason_words(words), effect=effect)
