"""`countertop signing-key`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import json_line, say

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `signing-key`."""
    parser.add_argument("--out", type=Path, metavar="FILE.pem", help="save it there (default: print it)")
    add_address(parser)
    add_json(parser)
    parser.epilog = "Give it to those who check this terminal's signature files: verify-signature FILE --key FILE.pem"


def run(args: argparse.Namespace) -> int:
    """Show the public half; the private half never leaves the terminal."""

    async def work(counter: Counter) -> int:
        key = await counter.signature_pad().signing_key()
        if args.out is not None:
            args.out.write_text(key.pem, encoding="ascii")
        if args.json:
            json_line(key)
        elif args.out is None:
            say(key.pem.rstrip())
        else:
            say(f"The {key.algorithm} key of {key.terminal_id} is in {args.out}")
        return 0

    return with_counter(args, work)
