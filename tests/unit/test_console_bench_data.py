"""The console's copies of what `countertop demo` uses are what the demo uses.

`python tests/unit/test_console_bench_data.py` writes them anew.
"""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format

import countertop.cli.visit
from countertop.cli.card_file import read_design
from countertop.cli.sample_receipt import sample_receipt
from countertop.v1.card_design_pb2 import CardDesign
from countertop.v1.receipt_pb2 import Receipt

DATA = Path(countertop.cli.visit.__file__).parents[1] / "console" / "bench" / "data"
MOMENT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as printed
PRINTED = "2026-01-02 03:04:05"
NUMBER = "20260102000042"


def test_the_card_design_is_that_of_the_demo() -> None:
    copied = json_format.ParseDict(_read("bank-card"), CardDesign())
    assert copied == read_design(countertop.cli.visit.DESIGN)


def test_the_receipt_is_that_of_the_demo_when_its_moment_and_number_are_filled_in() -> None:
    text = (DATA / "receipt.json").read_text("utf-8")
    assert text.count("{moment}") == 1
    assert text.count("{number}") == 2
    copied = json_format.ParseDict(json.loads(text.replace("{moment}", PRINTED).replace("{number}", NUMBER)), Receipt())
    wanted = sample_receipt(MOMENT, NUMBER)
    assert _pixels(copied) == _pixels(wanted)
    for receipt in (copied, wanted):
        receipt.blocks[0].picture.data = b"compared by its pixels: what a PNG file is like depends on the library"
    assert copied == wanted


def _read(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text("utf-8"))


def _pixels(receipt: Receipt) -> tuple[tuple[int, int], bytes]:
    from PIL import Image

    with Image.open(io.BytesIO(receipt.blocks[0].picture.data)) as picture:
        return picture.size, picture.convert("L").tobytes()


def _write() -> None:
    design = json_format.MessageToDict(read_design(countertop.cli.visit.DESIGN))
    receipt = json_format.MessageToDict(sample_receipt(MOMENT, NUMBER))
    assert base64.b64decode(receipt["blocks"][0]["picture"]["data"]).startswith(b"\x89PNG")
    for name, form in (("bank-card", design), ("receipt", receipt)):
        text = json.dumps(form, ensure_ascii=False, indent=1).replace(PRINTED, "{moment}").replace(NUMBER, "{number}")
        (DATA / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    _write()
