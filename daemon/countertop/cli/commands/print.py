"""`countertop print`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.receipt_printer_pb2 import PrintResult

__all__ = ["configure", "describe", "run"]

_KNOWN_BY = {
    "WRITTEN": "the link took every byte; this printer cannot confirm more",
    "FENCE": "the printer answered after the last byte",
    "PROCESS_ID": "the printer named this receipt after printing it",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `print`."""
    parser.add_argument("device", metavar="DEVICE", help="the printer's id, from `countertop devices`")
    parser.add_argument("file", metavar="FILE", help="text; or a receipt, named .json, .yaml or .yml; `-` is stdin")
    parser.add_argument("--format", choices=("text", "json", "yaml"), help="what FILE is (default: by its suffix)")
    parser.add_argument("--preview", type=Path, metavar="OUT.png", help="save it as it would look; print nothing")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="time on the printer, 0.1 to 600 s")
    add_address(parser)
    add_json(parser)
    parser.epilog = (
        "A receipt file has the JSON form of countertop.v1.Receipt, for example\n"
        '  {"blocks": [{"paragraph": {"spans": [{"text": "您好", "bold": true}]}}, {"cut": {}}]}\n'
        "Text is UTF-8; a form feed cuts the paper. Progress goes to standard error. Ctrl-C cancels what has not begun."
    )


def run(args: argparse.Namespace) -> int:
    """Read the file, then print or preview it."""
    from countertop.cli.receipt_file import load_receipt

    receipt = load_receipt(args.file, args.format or "")

    async def work(counter: Counter) -> int:
        printer = counter.receipt_printer(args.device)
        if args.preview is not None:
            preview = await printer.preview(receipt)
            args.preview.write_bytes(preview.image.data)
            if args.json:
                preview.image.ClearField("data")  # it is in the file
                json_line(preview)
            else:
                size = f"{preview.image.width} x {preview.image.height} dots"
                say(f"{args.preview}: {size}, {preview.paper_mm:.0f} mm of paper")
            return 0
        result = await follow(printer.start_print(receipt, timeout=args.timeout))
        if args.json:
            json_line(result)
        else:
            say(describe(result))
        return 0

    return with_counter(args, work)


def describe(result: PrintResult) -> str:
    """How surely it was printed, in a sentence."""
    from countertop.v1 import receipt_printer_pb2

    known = word(receipt_printer_pb2.Confirmation, result.confirmation, "CONFIRMATION_")
    sentence = f"Printed {result.blocks} blocks, {result.paper_mm:.0f} mm: {_KNOWN_BY.get(known, 'not confirmed')}."
    if result.missing_glyphs:
        sentence += f" {result.missing_glyphs} characters are in no font; their code points were printed."
    return sentence
