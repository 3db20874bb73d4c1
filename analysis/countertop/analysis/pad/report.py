"""The report of an evaluation: one HTML page with everything in it, and the same as plain data."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from countertop.analysis.pad.evaluation import NONE, Answer, is_wrong
from countertop.analysis.pad.rates import Rate, Summary
from countertop.sdk.errors import InvalidRequest
from countertop.v1.camera_pb2 import ModelInfo

__all__ = ["DISCLAIMER", "as_data", "html_report", "percent", "rate_rows"]

DISCLAIMER = (
    "Not an ISO/IEC 30107-3 evaluation, no certification: it uses that standard's rates on the pictures of one folder, "
    "and says nothing about attacks that are not in it."
)
_THUMBNAIL = 160
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.3rem .9rem .3rem 0;"
    "border-bottom:1px solid #ddd;vertical-align:top}.note{background:#fff4d6;padding:.6rem .9rem}"
    "figure{display:inline-block;margin:.4rem;width:170px;vertical-align:top;overflow-wrap:anywhere}"
    "figcaption{font-size:12px;color:#555}code{font-size:12px}"
)


def percent(share: float | None) -> str:
    """`4.2 %`; a dash for what is unknown."""
    return "–" if share is None else f"{100 * share:.1f} %"


def rate_rows(summary: Summary) -> list[tuple[str, str, str, str]]:
    """Name, value, 95 % interval and counts of every rate, for tables."""

    def row(name: str, rate: Rate) -> tuple[str, str, str, str]:
        low, high = rate.interval
        return name, percent(rate.value), f"{percent(low)} to {percent(high)}", f"{rate.errors} of {rate.trials}"

    rows = []
    for species, rate in summary.apcer.items():
        rows.append(row(f"APCER {species}{' (worst)' if species == summary.worst else ''}", rate))
        rows.append(row(f"APNRR {species}", summary.attacks[species].non_response))
    rows += [row("BPCER", summary.bpcer), row("BPNRR", summary.bona_fide.non_response)]
    low, high = summary.acer_interval
    rows.append(("ACER", percent(summary.acer), f"{percent(low)} to {percent(high)}", "worst APCER and BPCER"))
    return rows


def as_data(summary: Summary, answers: Sequence[Answer], models: Sequence[ModelInfo]) -> dict[str, Any]:
    """All of it as plain data, for JSON."""

    def rate(of: Rate) -> dict[str, Any]:
        return {"value": of.value, "interval_95": list(of.interval), "errors": of.errors, "trials": of.trials}

    return {
        "disclaimer": DISCLAIMER,
        "apcer": {species: rate(of) for species, of in summary.apcer.items()},
        "apnrr": {species: rate(of.non_response) for species, of in summary.attacks.items()},
        "worst_species": summary.worst,
        "bpcer": rate(summary.bpcer),
        "bpnrr": rate(summary.bona_fide.non_response),
        "acer": {"value": summary.acer, "interval_95": list(summary.acer_interval)},
        "models": [{"name": model.name, "role": model.role, "sha256": model.sha256.hex()} for model in models],
        "presentations": [
            {
                "name": answer.presentation.name,
                "species": answer.presentation.species,
                "frames": len(answer.presentation.files),
                "answer": answer.answer,
                "why": answer.why,
                "score": answer.score,
                "wrong": is_wrong(answer),
            }
            for answer in answers
        ],
    }


def html_report(title: str, summary: Summary, answers: Sequence[Answer], models: Sequence[ModelInfo]) -> str:
    """A page that needs no other file. Shows the pictures that got a wrong answer: it may show people."""
    wrong = [answer for answer in answers if is_wrong(answer)]
    silent = [answer for answer in answers if answer.answer == NONE]
    rates = _table(("rate", "value", "95 % interval", "counts"), rate_rows(summary))
    used = _table(
        ("role", "model", "sha256", "licence, source"),
        [(model.role, model.name, model.sha256.hex(), model.licence) for model in models],
    )
    unanswered = _table(("presentation", "why"), [(answer.presentation.name, answer.why) for answer in silent])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        f'<p class="note">{html.escape(DISCLAIMER)}</p>'
        "<p>APCER: attacks taken for living persons, by species. BPCER: living persons taken for attacks. Both are of "
        "the presentations that got an answer; those that got none are APNRR and BPNRR. ACER: the mean of the worst "
        "APCER and BPCER. Intervals are Wilson's.</p>"
        f"{rates}<h2>Wrong answers ({len(wrong)})</h2>{''.join(map(_figure, wrong))}"
        f"<h2>No answer ({len(silent)})</h2>{unanswered}<h2>Models</h2>{used}</html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _figure(answer: Answer) -> str:
    presentation = answer.presentation
    kind = "attack taken for live" if presentation.species is not None else "living person taken for an attack"
    score = "" if answer.score is None else f", score {answer.score:.2f}"
    picture = _thumbnail(presentation.files[len(presentation.files) // 2])
    caption = f"{html.escape(presentation.name)}<br>{kind}{score}"
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _thumbnail(path: Path) -> str:
    from countertop.analysis.pictures import decode_photo, shrunk, to_jpeg

    try:
        small, _ = shrunk(decode_photo(path.read_bytes()), _THUMBNAIL)
    except InvalidRequest:
        return "<p>The picture cannot be decoded.</p>"
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(to_jpeg(small, 80)).decode()}">'
