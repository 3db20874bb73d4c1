"""`countertop sign`."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli.arguments import add_address, add_json, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import Teller, give_up
from countertop.cli.output import Refused, complain, error_console, json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.signature_pad_pb2 import CaptureSignatureResult, SignDocument

__all__ = ["configure", "run"]

_SUFFIXES = {".svg": "svg", ".png": "png", ".iso": "iso_19794_7", ".json": "file"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `sign`."""
    parser.add_argument("device", metavar="DEVICE", help="the pad's id, from `countertop devices`")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="the text to sign, shown on pads with a screen")
    what.add_argument("--picture", type=Path, metavar="FILE", help="a PNG or JPEG picture of what is to be signed")
    parser.add_argument("--title", default="", help="a short name of the document")
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="save the ink there: .svg, .png, .iso (ISO/IEC 19794-7) or .json (the signature file); may be repeated",
    )
    parser.add_argument(
        "--accept-after",
        type=seconds,
        metavar="S",
        help="accept by itself when the pen has been up for so long (default for pads without a screen: 2)",
    )
    parser.add_argument("--timeout", type=seconds, metavar="S", help="time for all of it, 0.1 to 600 s (default: 120)")
    add_address(parser)
    add_json(parser)
    parser.epilog = "The ink is drawn in the terminal as it is written. Ctrl-C gives the capture up."


def run(args: argparse.Namespace) -> int:
    """Take one signature."""
    wanted = {_kind(path) for path in args.out}

    async def work(counter: Counter) -> int:
        device = await counter.device(args.device)
        pause = args.accept_after
        if pause is None and not device.info.signature_pad.screen_width:
            pause = 2.0
        options: dict[str, Any] = dict.fromkeys(wanted - {"file"}, True)
        options |= {} if pause is None else {"accept_after_pause": pause}
        options |= {} if args.timeout is None else {"timeout": args.timeout}
        handle = counter.signature_pad(args.device).start_capture(
            _document(args), live_ink=not args.json, unbound="file" not in wanted, **options
        )
        result = await _follow(handle, live=not args.json)
        for path in args.out:
            path.write_bytes(_content(result, _kind(path)))
        if args.json:
            json_line(result)
        else:
            _tell(result, args.out)
        return 0

    return with_counter(args, work)


async def _follow(handle: Any, *, live: bool) -> CaptureSignatureResult:
    from countertop.cli.ink_view import InkView

    teller = Teller()
    with InkView(error_console(), live=live) as view:
        try:
            async for update in handle:
                teller(handle.operation)
                view.take(update)
            result: CaptureSignatureResult = await handle.result()
        except asyncio.CancelledError:
            await give_up(handle)
            raise
    return result


def _kind(path: Path) -> str:
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise Refused(f"{path}: the file's name must end in {', '.join(_SUFFIXES)}.")
    return kind


def _document(args: argparse.Namespace) -> SignDocument:
    from countertop.v1.image_pb2 import Image
    from countertop.v1.signature_pad_pb2 import SignDocument

    if args.text is not None:
        return SignDocument(title=args.title, text=args.text)
    return SignDocument(title=args.title, picture=Image(data=args.picture.read_bytes()))


def _content(result: CaptureSignatureResult, kind: str) -> bytes:
    match kind:
        case "svg":
            return result.svg.encode()
        case "png":
            return result.png.data
        case "iso_19794_7":
            return result.iso_19794_7
    return result.file


def _tell(result: CaptureSignatureResult, paths: list[Path]) -> None:
    from countertop.v1.ink_pb2 import InkFlaw

    quality = result.quality
    say(
        f"{quality.strokes} strokes, {quality.points} points, {quality.length_mm:.0f} mm in "
        f"{quality.duration_seconds:.1f} s; {quality.width_mm:.0f} x {quality.height_mm:.0f} mm"
    )
    for flaw in quality.flaws:
        complain(f"Quality: {word(InkFlaw, flaw, 'INK_FLAW_').lower().replace('_', ' ')}.")
    for path in paths:
        with suppress(ValueError):
            say(f"saved {path}")
