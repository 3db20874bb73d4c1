"""What an IPP printer says of itself, in our words (RFC 8011, 5.4.12; PWG 5100.9 for markers)."""

from __future__ import annotations

import re
from typing import Any

from countertop.sdk.cards.printer import condition
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["blocking", "conditions", "likely", "media_name", "reason_words", "ribbon", "values"]

_REASONS: tuple[tuple[str, Reason, device_pb2.Severity], ...] = (
    ("media-empty", error_pb2.REASON_CARDS_OUT, device_pb2.SEVERITY_BLOCKING),
    ("media-needed", error_pb2.REASON_CARDS_OUT, device_pb2.SEVERITY_BLOCKING),
    ("input-tray-missing", error_pb2.REASON_CARDS_OUT, device_pb2.SEVERITY_BLOCKING),
    ("media-low", error_pb2.REASON_CARDS_NEAR_END, device_pb2.SEVERITY_WARNING),
    ("media-jam", error_pb2.REASON_CARD_JAMMED, device_pb2.SEVERITY_BLOCKING),
    ("cover-open", error_pb2.REASON_COVER_OPEN, device_pb2.SEVERITY_BLOCKING),
    ("door-open", error_pb2.REASON_COVER_OPEN, device_pb2.SEVERITY_BLOCKING),
    ("marker-supply-empty", error_pb2.REASON_RIBBON_OUT, device_pb2.SEVERITY_BLOCKING),
    ("marker-supply-low", error_pb2.REASON_RIBBON_LOW, device_pb2.SEVERITY_WARNING),
    ("output-area-full", error_pb2.REASON_OUTPUT_FULL, device_pb2.SEVERITY_BLOCKING),
    ("cleaner-life-almost-over", error_pb2.REASON_CLEANING_DUE, device_pb2.SEVERITY_WARNING),
    ("cleaner-life-over", error_pb2.REASON_CLEANING_DUE, device_pb2.SEVERITY_WARNING),
    ("paused", error_pb2.REASON_PRINTER_OFFLINE, device_pb2.SEVERITY_BLOCKING),
    ("shutdown", error_pb2.REASON_PRINTER_OFFLINE, device_pb2.SEVERITY_BLOCKING),
)
"""Keywords of `printer-state-reasons` and `job-state-reasons`, without `-error`, `-warning`, `-report`."""
_ALWAYS_BLOCKING = (error_pb2.REASON_CARD_JAMMED, error_pb2.REASON_COVER_OPEN)
LOW_PERCENT = 10
_SIZE = re.compile(r"_(\d{2}(?:\.\d+)?)x(\d{2}(?:\.\d+)?)mm$")
ID1_MM, TOLERANCE_MM = (53.98, 85.60), 0.5


def values(attributes: dict[str, Any], name: str) -> list[Any]:
    """The values of an attribute, which may have one, several or none."""
    found = attributes.get(name)
    if found is None or found == "":
        return []
    return list(found) if isinstance(found, (list, tuple, set)) else [found]


def _found(words: list[Any]) -> list[tuple[Reason, device_pb2.Severity]]:
    found: list[tuple[Reason, device_pb2.Severity]] = []
    for word in map(str, words):
        begins, _, severity = word.rpartition("-")
        keyword = begins if severity in ("error", "warning", "report") else word
        for name, reason, usual in _REASONS:
            if keyword == name and severity != "report":
                actual = device_pb2.SEVERITY_WARNING if severity == "warning" else usual
                found.append((reason, actual))
    return found


def conditions(printer: dict[str, Any]) -> tuple[device_pb2.Condition, ...]:
    """What stands."""
    return tuple(condition(reason, severity) for reason, severity in _found(values(printer, "printer-state-reasons")))


def blocking(words: list[Any]) -> Reason | None:
    """Why nothing goes on; None when nothing stands in the way. A jam and an open cover do, even as a warning."""
    return next(
        (
            reason
            for reason, severity in _found(words)
            if severity == device_pb2.SEVERITY_BLOCKING or reason in _ALWAYS_BLOCKING
        ),
        None,
    )


def likely(words: list[Any]) -> Reason | None:
    """Why a job does not end, when time is up: what stands in the way, else what is warned about."""
    warned = next((reason for reason, _ in _found(words)), None)
    return blocking(words) or warned


def reason_words(words: list[Any]) -> str:
    """Keywords for an error's text: what RFC 8011 has, no more."""
    return ", ".join(str(word) for word in words if re.fullmatch(r"[a-z0-9.-]{1,64}", str(word))) or "none"


def ribbon(printer: dict[str, Any]) -> tuple[device_pb2.Consumable, ...]:
    """Each marker with its level in percent; a level below 0 means that it is not known."""
    made = []
    names, levels = values(printer, "marker-names"), values(printer, "marker-levels")
    for name, level in zip(names, levels, strict=False):
        known = isinstance(level, int) and 0 <= level <= 100
        state = device_pb2.SUPPLY_LEVEL_OK
        if known and level <= LOW_PERCENT:
            state = device_pb2.SUPPLY_LEVEL_LOW if level else device_pb2.SUPPLY_LEVEL_OUT
        made.append(
            device_pb2.Consumable(
                name="ribbon",
                type=str(name)[:64],
                level=state,
                remaining=level if known else None,
                capacity=100 if known else 0,
            )
        )
    return tuple(made)


def media_name(printer: dict[str, Any]) -> str:
    """The name of a medium of the size of an ID-1 card (PWG 5101.1: `..._53.98x85.6mm`); empty when there is none."""
    for name in (*values(printer, "media-ready"), *values(printer, "media-supported")):
        size = _SIZE.search(str(name))
        if size and all(
            abs(float(found) - wanted) <= TOLERANCE_MM for found, wanted in zip(size.groups(), ID1_MM, strict=True)
        ):
            return str(name)
    return ""
