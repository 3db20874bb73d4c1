"""`countertop capture`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, count
from countertop.cli.calls import with_counter
from countertop.cli.output import complain, json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Camera, Counter
    from countertop.v1.camera_pb2 import CaptureDocumentResult, DocumentSize, Frame

__all__ = ["configure", "run"]

SIZES = ("any", "a4", "a5", "id-1")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `capture`."""
    parser.add_argument("device", metavar="DEVICE", help="the camera's id, from `countertop devices`")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("still.jpg"), help="for the picture (default: still.jpg)"
    )
    parser.add_argument("--document", choices=SIZES, help="find a document, and straighten it; the size that it has")
    parser.add_argument("--color", choices=("color", "gray", "bitonal"), default="color", help="of a document")
    parser.add_argument(
        "--dpi", type=count(72, 600), default=0, metavar="N", help="of a document (default: 200, or 300)"
    )
    parser.add_argument("--pdf", type=Path, metavar="FILE", help="also save the document as PDF")
    parser.add_argument("--original", type=Path, metavar="FILE", help="also save the still that it was taken from")
    parser.add_argument(
        "--calibrate",
        choices=("empty", "a4", "a5", "id-1"),
        help="measure the stage instead: empty, then with a sheet of known size on it",
    )
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Take a picture."""

    async def work(counter: Counter) -> int:
        camera = counter.camera(args.device)
        if args.calibrate:
            return await _calibrate(camera, args)
        return await (_document(camera, args) if args.document else _still(camera, args))

    return with_counter(args, work)


async def _still(camera: Camera, args: argparse.Namespace) -> int:
    still = await camera.capture()
    args.out.write_bytes(still.data)
    _tell(still, args)
    return 0


def _tell(still: Frame, args: argparse.Namespace) -> None:
    size = len(still.data)
    still.ClearField("data")  # it is in the file
    if args.json:
        json_line(still)
    else:
        say(f"saved {args.out}: {still.width} x {still.height}, {size} bytes, sha256 {still.sha256.hex()}")


async def _document(camera: Camera, args: argparse.Namespace) -> int:
    from countertop.v1 import camera_pb2

    color = getattr(camera_pb2, f"DOCUMENT_COLOR_{args.color.upper()}")
    result = await camera.capture_document(_size(args.document), color=color, dpi=args.dpi, pdf=args.pdf is not None)
    if args.original is not None:
        args.original.write_bytes(result.original.data)
    if result.HasField("document"):
        args.out.write_bytes(result.document.data)
    if args.pdf is not None and result.pdf:
        args.pdf.write_bytes(result.pdf)
    _tell_document(result, args)
    return 0 if result.HasField("document") else 1


def _tell_document(result: CaptureDocumentResult, args: argparse.Namespace) -> None:
    from countertop.v1 import camera_pb2

    found = result.HasField("document")
    method = word(camera_pb2.DocumentMethod, result.method, "DOCUMENT_METHOD_").lower()
    if args.json:
        for field in ("original", "document", "pdf"):
            if field == "pdf":
                result.ClearField("pdf")
            else:
                getattr(result, field).ClearField("data")
        json_line(result)
    elif found:
        say(f"saved {args.out}: {result.document.width} x {result.document.height}, {result.dpi} dpi, by {method}")
    if not found:
        complain(
            f"The document's edges are not sure enough ({result.confidence:.0%}); nothing was cut off.",
            "Measure the empty stage first: countertop capture DEVICE --calibrate empty",
        )


async def _calibrate(camera: Camera, args: argparse.Namespace) -> int:
    result = await camera.calibrate_stage(_size("any" if args.calibrate == "empty" else args.calibrate))
    if args.json:
        json_line(result)
    else:
        dpi = f"{result.dpi:.0f} dpi" if result.dpi else "its resolution is not measured yet: lay a sheet on it"
        say(f"The stage is measured; {dpi}.")
    return 0


def _size(name: str) -> DocumentSize:
    from countertop.v1 import camera_pb2

    words = {"any": "UNSPECIFIED", "id-1": "ID_1"}
    size: DocumentSize = getattr(camera_pb2, f"DOCUMENT_SIZE_{words.get(name, name.upper())}")
    return size
