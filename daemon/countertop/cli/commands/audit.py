"""`countertop audit`. Reads the files of the state directory; needs no daemon."""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from countertop.cli.arguments import add_json, count
from countertop.cli.output import Refused, complain, console, say, table

if TYPE_CHECKING:
    from countertop.server.audit.reading import Found
    from countertop.server.audit.verify import Head, Verdict

__all__ = ["configure", "run"]

_EPILOG = """\
verify: exit code 0 when the chain is as the daemon wrote it, 1 when not; the first record that is not is named.
  Keep the head that it shows on another machine: with --head the next verify shows also what was cut off.
"""
_LAST = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `audit`."""
    parser.epilog = _EPILOG
    parser.set_defaults(work=None)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    verify = actions.add_parser("verify", help="check that nothing was changed, removed or put in")
    verify.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.pem",
        help="the terminal's public key, from `countertop signing-key`, kept elsewhere; more than one where it was "
        "replaced",
    )
    verify.add_argument(
        "--head",
        metavar="NUMBER:HASH",
        help="a record that must be there, as an earlier verify or the daemon's log told it; or a file whose last line "
        "is such a record, from `countertop audit export`",
    )
    add_json(verify)
    verify.set_defaults(work=_verify)
    export = actions.add_parser("export", help="records as JSON lines, as they are in the files")
    _add_choice(export)
    export.set_defaults(work=_export)
    show = actions.add_parser("show", help="records as a table")
    _add_choice(show)
    show.add_argument("--last", type=count(1, 100_000), default=_LAST, metavar="N", help=f"so many (default: {_LAST})")
    show.set_defaults(work=_show)
    for action in (verify, export, show):
        action.add_argument(
            "--state", type=Path, metavar="DIR", help="the daemon's state directory (default: where it keeps it)"
        )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=_moment, metavar="TIME", help="from then on: 2026-11-28T09:30")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="before then")
    parser.add_argument("--what", action="append", default=[], metavar="KIND", help="call, denied, resolve, ...")


def run(args: argparse.Namespace) -> int:
    """One of the actions."""
    if args.work is None:
        complain("audit needs an action: verify, export or show.", "See: countertop audit --help")
        return EXIT_USAGE
    return int(args.work(args))


def _moment(text: str) -> str:
    """A time as records have it; without a zone it is local. Raises ArgumentTypeError."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-11-28T09:30, got {text!r}") from None
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _folder(args: argparse.Namespace) -> Path:
    from countertop.server.config import default_state_dir

    state = args.state or Path(default_state_dir())
    folder = state / "audit"
    if not folder.is_dir():
        raise Refused(f"There is no audit in {state}.", "Name the daemon's state directory with --state DIR.")
    return folder


# --- verify --------------------------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    from countertop.sdk.errors import CountertopError
    from countertop.server.audit.verify import verify

    folder = _folder(args)
    try:
        verdict = verify(folder, [_public_key(path) for path in args.key], head=_head(args.head))
    except CountertopError as error:
        raise Refused(error.message) from error
    if args.json:
        say(json.dumps({"intact": verdict.intact, **asdict(verdict)}))
    else:
        _tell(verdict, with_key=bool(args.key), with_head=bool(args.head))
    return EXIT_OK if verdict.intact else EXIT_FAILED


def _public_key(path: Path) -> bytes:
    from countertop.sdk.ink.signer import public_key_of

    try:
        return public_key_of(path.read_bytes())
    except ValueError as error:
        message = f"{path} holds no public key: {error}"
        raise Refused(message, "Get it with: countertop signing-key --out FILE.pem") from error


def _head(text: str | None) -> Head | None:
    from countertop.server.audit.record import line_hash, parse
    from countertop.server.audit.verify import Head

    if text is None:
        return None
    number, colon, digest = text.partition(":")
    if colon and number.isdecimal() and len(digest) == 64:
        return Head(int(number), digest)
    try:
        line = Path(text).read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
        return Head(parse(line)["number"], line_hash(line))
    except ValueError as error:
        message = f"{text} is no head: its last line is no record of an audit ({error})."
        raise Refused(message, "Give NUMBER:HASH, or a file from: countertop audit export --what checkpoint") from error


def _tell(verdict: Verdict, *, with_key: bool, with_head: bool) -> None:
    for problem in verdict.problems:
        place = f" ({problem.file}, line {problem.line})" if problem.line else ""
        complain(f"record {problem.number}{place}: {problem.what}: {problem.detail}")
    if not verdict.intact:
        first = verdict.problems[0].number
        complain("The audit is not as the daemon wrote it.", f"Trust nothing from record {first} on; keep the files.")
        return
    say(f"Intact: {verdict.records} records in {verdict.files} files, {verdict.first} to {verdict.last}.")
    if verdict.checkpoints:
        say(f"Signed up to record {verdict.signed_to}, {verdict.checkpoints} checkpoints.")
    else:
        say("No checkpoint is signed: whoever could write the files could have made them anew.")
    for number, words in (
        (verdict.unchecked, "checkpoints were not looked at: the package cryptography is missing"),
        (verdict.torn, "times a crash cut off what was being written; the records after it say so"),
        (verdict.unfinished, "bytes at the end are no whole line: it is being written, or the daemon was cut off"),
        (verdict.lost, "records were lost while the disk could not be written"),
    ):
        if number:
            say(f"{number} {words}.")
    if verdict.checkpoints and not with_key:
        say("Whose key signed was not checked: give --key.")
    if not with_head:
        say("Whether records are missing at the end was not checked: give --head.")
    say(f"Head: {verdict.last}:{verdict.head}")


# --- export and show -----------------------------------------------------------------------------------------------


def _chosen(args: argparse.Namespace) -> Iterator[Found]:
    from countertop.server.audit.reading import find

    return find(_folder(args), since=args.since or "", until=args.until or "", what=args.what)


def _export(args: argparse.Namespace) -> int:
    for found in _chosen(args):
        print(found.line.decode("ascii"))
    return EXIT_OK


def _show(args: argparse.Namespace) -> int:
    from rich.markup import escape

    shown = table("record", "time", "what", "who", "method", "device", "operation", "outcome", "details", whole=2)
    for found in deque(_chosen(args), maxlen=args.last):
        record = found.record
        moment = datetime.fromisoformat(record["time"]).astimezone()
        cells = (
            str(record["number"]),
            f"{moment:%Y-%m-%d %H:%M:%S}",
            record["what"],
            _who(record),
            record.get("method", ""),
            record.get("device_id", ""),
            record.get("operation_id", ""),
            record.get("outcome", ""),
            _details(record.get("details", {})),
        )
        shown.add_row(*map(escape, map(_plain, cells)))
    console().print(shown)
    return EXIT_OK


def _who(record: dict[str, Any]) -> str:
    who = f"{record['door']} {record.get('identity', '')}".rstrip()
    return f"{who} ({record['name']})" if "name" in record else who


def _details(details: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in details.items() if key not in ("key", "signature", "algorithm"))


def _plain(text: str) -> str:
    """Without what would command the terminal that shows it."""
    return "".join(character if character.isprintable() else "�" for character in text)
