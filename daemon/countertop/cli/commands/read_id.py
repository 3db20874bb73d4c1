"""`countertop read-id`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import complain, json_line

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `read-id`."""
    parser.add_argument("device", metavar="DEVICE", help="the reader's id, from `countertop devices`")
    parser.add_argument("--photo", type=Path, metavar="FILE.png", help="also read the picture, and save it there")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="time for the document to come, 0.1 to 600 s")
    add_address(parser)
    add_json(parser)
    parser.epilog = "Prompts go to standard error, the document to standard output. Ctrl-C ends the reading."


def run(args: argparse.Namespace) -> int:
    """Read one document."""

    async def work(counter: Counter) -> int:
        from countertop.cli.document import save_photo, show_document

        reader = counter.id_reader(args.device)
        result = await follow(reader.start_read(photo=args.photo is not None, timeout=args.timeout))
        if args.json:
            json_line(result)
        else:
            show_document(result.document)
        if args.photo is None or save_photo(result.document, args.photo):
            return 0
        complain(
            "The picture is in the chip's own format, which only the vendor's decoder can read.",
            "Install a plugin with the hook countertop_decode_photo; --json gives the chip's bytes.",
        )
        return 1

    return with_counter(args, work)
