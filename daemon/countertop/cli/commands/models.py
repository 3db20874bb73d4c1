"""`countertop models`: the files that face analysis needs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli import EXIT_FAILED, EXIT_OK
from countertop.cli.arguments import add_json
from countertop.cli.output import Refused, complain, console, say, table

if TYPE_CHECKING:
    from countertop.analysis.models import Located

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `models`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, line in (
        ("list", "which models there are, and where"),
        ("verify", "the same; exit code 1 when one is damaged, or liveness cannot be judged"),
        ("add", "copy a model's file into the folder, recognised by its digest"),
    ):
        action = actions.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name == "add":
            action.add_argument("file", type=Path, metavar="FILE", help="the file, under any name")
        action.add_argument(
            "--dir", type=Path, metavar="DIR", help="the folder that the configuration names (default: the system's)"
        )
        add_json(action)
    parser.epilog = (
        "Models are looked for in DIR, then in /usr/share/countertop/models, then in the package. A file whose size or "
        "digest does not fit is never loaded."
    )


def run(args: argparse.Namespace) -> int:
    """List, verify or add."""
    return _add(args) if args.action == "add" else _list(args)


def _add(args: argparse.Namespace) -> int:
    from countertop.analysis.models import SYSTEM_FOLDER, ModelStore

    into = args.dir or SYSTEM_FOLDER
    try:
        spec = ModelStore(args.dir).add(args.file, into)
    except ValueError as error:
        raise Refused(str(error), "countertop models list tells which files are known.") from error
    except PermissionError as error:
        raise Refused(f"{into} cannot be written to.", "Run it as root, or name another folder with --dir.") from error
    path = into / spec.file
    say(json.dumps({"name": spec.name, "role": spec.role, "path": str(path)}) if args.json else f"{spec.name}: {path}")
    return EXIT_OK


def _list(args: argparse.Namespace) -> int:
    from countertop.analysis.models import ModelState, ModelStore

    store = ModelStore(args.dir)
    located = [store.locate(spec) for spec in store.manifest.models]
    if args.json:
        for one in located:
            say(json.dumps(_as_data(one), ensure_ascii=False))
    else:
        _show(located)
    if args.action == "list":
        return EXIT_OK
    damaged = [one for one in located if one.state is ModelState.DAMAGED]
    for one in damaged:
        complain(f"{one.path} is not {one.spec.name}: {one.problem}.", "Get the file again: countertop models add FILE")
    missing = [
        one.spec.file
        for one in located
        if one.state is ModelState.MISSING and one.spec.name in store.manifest.fusion.models
    ]
    if missing:
        complain(
            f"Liveness cannot be judged: {', '.join(missing)} is missing.", "Get the file: countertop models add FILE"
        )
    return EXIT_FAILED if damaged or missing else EXIT_OK


def _as_data(located: Located) -> dict[str, object]:
    spec = located.spec
    return {
        "name": spec.name,
        "role": spec.role,
        "state": located.state.value,
        "path": None if located.path is None else str(located.path),
        "problem": located.problem,
        "file": spec.file,
        "bytes": spec.bytes,
        "sha256": spec.sha256,
        "licence": spec.licence,
        "source": spec.source,
    }


def _show(located: list[Located]) -> None:
    from rich.markup import escape

    colors = {"found": "green", "missing": "yellow", "damaged": "red"}
    shown = table("model", "role", "state", "file", "sha256", "licence", "source", whole=3)
    for one in located:
        state = one.state.value
        where = f"{one.path or one.spec.file}{f' ({one.problem})' if one.problem else ''}"
        shown.add_row(
            escape(one.spec.name),
            one.spec.role,
            f"[{colors[state]}]{state}[/]",
            *map(escape, (where, f"{one.spec.sha256[:12]}…", one.spec.licence, one.spec.source)),
        )
    console().print(shown)
