"""`countertop verify-presence`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, count, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import error_console, json_line, say

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.camera_pb2 import VerifyPresenceResponse

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `verify-presence`."""
    parser.add_argument("device", metavar="DEVICE", help="the camera's id, from `countertop devices`")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="who it should be: JPEG, PNG or BMP")
    parser.add_argument("--frames", type=count(3, 16), default=0, metavar="N", help="good frames to judge (default: 5)")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="wait for them for so long (default: 15)")
    parser.add_argument("--best", type=Path, metavar="FILE", help="save the best frame")
    add_address(parser)
    add_json(parser)
    parser.epilog = (
        "exit codes: 0 LIVE (and MATCH, where a photo was given); 1 anything else. Liveness needs models that are not "
        "part of this package: see `countertop models list`."
    )


def run(args: argparse.Namespace) -> int:
    """One check."""

    async def work(counter: Counter) -> int:
        from countertop.cli.presence_view import GUIDANCE, show_presence
        from countertop.v1 import camera_pb2
        from countertop.v1.image_pb2 import Image

        reference = Image(data=args.photo.read_bytes()) if args.photo is not None else None
        handle = counter.camera(args.device).start_verify_presence(
            reference, frames=args.frames, best_frame=args.best is not None, timeout=args.timeout
        )

        def tell(update: VerifyPresenceResponse) -> None:
            sentence = GUIDANCE.get(update.guidance.guidance, "") if update.HasField("guidance") else ""
            if sentence:
                error_console().print(f"  {sentence}")

        result = await follow(handle, tell)
        if args.best is not None and result.HasField("best"):
            args.best.write_bytes(result.best.data)
            if not args.json:
                say(f"saved {args.best}")
        result.ClearField("best")
        if args.json:
            json_line(result)
        else:
            show_presence(result)
        matches = reference is None or result.match == camera_pb2.MATCH_VERDICT_MATCH
        return 0 if result.verdict == camera_pb2.PRESENCE_VERDICT_LIVE and matches else 1

    return with_counter(args, work)
