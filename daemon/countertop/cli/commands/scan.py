"""`countertop scan`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, count, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.camera_pb2 import ScanCodesResponse

__all__ = ["configure", "run"]

FORMATS = (
    "qr", "micro-qr", "data-matrix", "aztec", "pdf417", "code-128", "code-39", "ean-13", "ean-8", "itf", "codabar",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `scan`."""
    parser.add_argument("device", metavar="DEVICE", help="the camera's id, from `countertop devices`")
    parser.add_argument(
        "--format",
        action="append",
        choices=(*FORMATS, "all"),
        default=[],
        help="a kind of code, may be repeated (default: qr, which is the fastest)",
    )
    parser.add_argument("--count", type=count(1, 16), default=1, metavar="N", help="end after N codes (default: 1)")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="look for so long (default: 60)")
    add_address(parser)
    add_json(parser)
    parser.epilog = "The text of each code goes to standard output. Ctrl-C ends the looking."


def run(args: argparse.Namespace) -> int:
    """Look for codes."""

    async def work(counter: Counter) -> int:
        from countertop.v1 import camera_pb2

        names = FORMATS if "all" in args.format else args.format
        formats = [getattr(camera_pb2, f"CODE_FORMAT_{name.upper().replace('-', '_')}") for name in names]
        handle = counter.camera(args.device).start_scan(formats, count=args.count, timeout=args.timeout)

        def tell(update: ScanCodesResponse) -> None:
            if not update.HasField("code"):
                return
            if args.json:
                json_line(update.code)
            else:
                kind = word(camera_pb2.CodeFormat, update.code.format, "CODE_FORMAT_")
                say(f"{kind}: {update.code.text}")

        await follow(handle, tell)
        return 0

    return with_counter(args, work)
