"""`countertop preview-card`: draws a design here, with no daemon and no printer."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_json
from countertop.cli.output import complain, say

if TYPE_CHECKING:
    from countertop.v1.card_design_pb2 import CardDesign, CardValue

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `preview-card`."""
    parser.add_argument("design", type=Path, metavar="DESIGN", help="the design, as YAML or JSON")
    parser.add_argument("--data", type=Path, metavar="FILE", help="its fields, as JSON or YAML")
    parser.add_argument("--samples", action="store_true", help="show samples where --data has nothing")
    parser.add_argument("--mono", action="store_true", help="as a printer with a black ribbon prints it")
    parser.add_argument(
        "--out", type=Path, metavar="NAME", help="write NAME-front.png and NAME-back.png (default: the design's name)"
    )
    add_json(parser)
    parser.epilog = "Without --data the samples of the fields are shown. It needs no daemon and no printer."


def run(args: argparse.Namespace) -> int:
    """Draw it."""
    from countertop.cli.card_file import read_data, read_design
    from countertop.sdk.errors import CountertopError

    design = read_design(args.design)
    data = read_data(args.data, design) if args.data is not None else {}
    try:
        pictures, warnings = _draw(design, data, samples=args.samples or args.data is None, mono=args.mono)
    except CountertopError as error:
        complain(error.message)
        return 1
    stem = args.out or Path(args.design.stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = []
    for name, png in pictures.items():
        path = stem.with_name(f"{stem.name}-{name}.png")
        path.write_bytes(png)
        files.append(str(path))
    if args.json:
        say(json.dumps({"files": files, "warnings": warnings}, ensure_ascii=False))
        return 0
    for file in files:
        say(f"saved {file}")
    for warning in warnings:
        complain(warning)
    return 0


def _draw(
    design: CardDesign, data: dict[str, CardValue], *, samples: bool, mono: bool
) -> tuple[dict[str, bytes], list[str]]:
    from countertop.sdk.cards.artwork import check_artwork
    from countertop.sdk.cards.planes import Canvas
    from countertop.sdk.cards.preview import preview_png
    from countertop.sdk.cards.render import render
    from countertop.v1.card_design_pb2 import CardArtwork

    artwork = CardArtwork(design=design, data=data)
    check_artwork(artwork, samples=samples)
    canvas = Canvas(color=False) if mono else Canvas()
    image = render(artwork, canvas, samples=samples)
    sides = {"front": image.front, "back": image.back}
    return {name: preview_png(side, canvas) for name, side in sides.items() if side is not None}, list(image.warnings)
