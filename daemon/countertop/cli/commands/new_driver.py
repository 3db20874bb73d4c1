"""`countertop new-driver`: a project for a driver of your own, with an emulator, tests and a README."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from countertop.cli import EXIT_OK, EXIT_USAGE
from countertop.cli.output import Refused, complain, say

__all__ = ["configure", "run"]

_KINDS = ("id_reader", "receipt_printer", "signature_pad", "card_printer", "camera")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `new-driver`."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="of the driver: small letters, digits and '-', such as blue-box; no installed driver's",
    )
    parser.add_argument("--kind", required=True, choices=_KINDS, help="of the device")
    parser.add_argument(
        "--into", metavar="DIR", type=Path, default=Path(), help="where the folder NAME is made (default: here)"
    )
    parser.epilog = (
        "What it writes is a whole distribution for an invented device of that kind, whose tests and conformance suite "
        "pass before a line is changed: put your device's wire in its place, step by step. docs/new-driver.md tells "
        "the layout. Tests need: pip install 'countertop[testing]'"
    )


def run(args: argparse.Namespace) -> int:
    """Write it."""
    from countertop.server.plugins import Plugins
    from countertop.testing.new_driver import check_name, write_project

    installed = Plugins()
    try:
        names = check_name(args.name, {*installed.drivers, *installed.emulators})
    except ValueError as error:
        complain(f"NAME: {error}.")
        return EXIT_USAGE
    target: Path = args.into / names.name
    try:
        written = write_project(names, args.kind, args.into)
    except FileExistsError:
        raise Refused(f"{target} is there already.", "Name another folder with --into DIR.") from None
    say(f"Wrote {len(written)} files to {target}. Next:")
    folder = shlex.quote(str(target) if target.is_absolute() else f"./{target}")
    for command in (f"pip install -e {folder}", f"pytest {folder}", f"countertop conformance --driver {names.name}"):
        say(f"  {command}")
    return EXIT_OK
