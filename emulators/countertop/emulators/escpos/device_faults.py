"""The faults that only a printer has, for the bench."""

from __future__ import annotations

from countertop.emulators.core.faults import FaultSpec

__all__ = ["DEVICE_FAULTS"]

DEVICE_FAULTS = (
    FaultSpec("paper-near-end", "The near-end sensor answers; printing works."),
    FaultSpec("paper-out", "The end sensor answers: printing stops before the next line."),
    FaultSpec("cover-open", "The cover is open: printing stops."),
    FaultSpec("cutter-error", "The cutter jams at the next cut; recoverable once the fault has ended."),
    FaultSpec("unrecoverable-error", "A voltage or circuit error: nothing helps but switching off and on."),
    FaultSpec("overheat", "The head is too hot: printing goes on by itself when the fault ends."),
    FaultSpec("offline", "The printer is offline without a cause that it could name."),
    FaultSpec("feed-button", "Somebody holds the feed button: one blank line comes, and the printer is offline."),
    FaultSpec("power-cycle", "The power fails for a moment: buffers and settings are lost."),
)
