"""`countertop evaluate-pad`: how well attacks are told from living faces, on pictures of one's own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli import EXIT_OK
from countertop.cli.arguments import add_json
from countertop.cli.output import Refused, console, error_console, say, table

if TYPE_CHECKING:
    from countertop.analysis.pad.evaluation import Answer
    from countertop.analysis.pad.rates import Summary

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `evaluate-pad`."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="the pictures: DIR/bona-fide/ and DIR/attacks/SPECIES/; a sub-folder there is one presentation of several "
        "frames",
    )
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help="look for models here first")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write a page with the wrong answers' pictures"
    )
    add_json(parser)
    parser.epilog = (
        "Rates are named as in ISO/IEC 30107-3 and given with Wilson's 95 % interval: no error in 150 tries still only "
        "means at most 2.5 %. Not an ISO/IEC 30107-3 evaluation, no certification. The report may show people."
    )


def run(args: argparse.Namespace) -> int:
    """Show every picture to the analyser, and count."""
    from countertop.analysis.pad.corpus import presentations
    from countertop.analysis.pad.evaluation import evaluate, summary_of
    from countertop.analysis.pad.report import as_data, html_report
    from countertop.analysis.presence import make
    from countertop.sdk.cameras.analysis import AnalysisSettings
    from countertop.sdk.errors import CountertopError

    try:
        found = presentations(args.folder)
    except ValueError as error:
        raise Refused(str(error), "countertop evaluate-pad --help tells how to lay pictures out.") from error
    try:
        analyser = make(AnalysisSettings(args.models_dir))
        with error_console().status("") as status:
            answers = evaluate(
                analyser, found, lambda done: status.update(f"{done} of {len(found)} presentations judged")
            )
    except CountertopError as error:
        raise Refused(error.message) from error
    summary = summary_of(answers)
    if args.report is not None:
        page = html_report(f"Presence: {args.folder.name}", summary, answers, analyser.models())
        args.report.write_text(page, encoding="utf-8")
    if args.json:
        say(json.dumps(as_data(summary, answers, analyser.models()), ensure_ascii=False))
    else:
        _show(summary, answers, args.report)
    return EXIT_OK


def _show(summary: Summary, answers: list[Answer], report: Path | None) -> None:
    from rich.markup import escape

    from countertop.analysis.pad.evaluation import is_wrong
    from countertop.analysis.pad.report import DISCLAIMER, rate_rows

    counts = table("presentations", "all", "live", "spoof", "no answer")
    for name, outcome in (("bona fide", summary.bona_fide), *summary.attacks.items()):
        counts.add_row(escape(name), *map(str, (outcome.total, outcome.live, outcome.spoof, outcome.none)))
    rates = table("rate", "value", "95 % interval", "counts")
    for row in rate_rows(summary):
        rates.add_row(*map(escape, row))
    console().print(counts)
    console().print(rates)
    for answer in filter(is_wrong, answers):
        score = "" if answer.score is None else f" (score {answer.score:.2f})"
        say(f"wrong: {answer.presentation.name} was taken for {answer.answer}{score}")
    say(DISCLAIMER)
    if report is not None:
        say(f"saved {report}")
