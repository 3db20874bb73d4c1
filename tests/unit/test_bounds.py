"""Requests are checked against the bounds that their protos state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.bench.v1 import bench_pb2
from countertop.sdk.errors import InvalidRequest
from countertop.server.bounds import check
from countertop.v1 import (
    card_design_pb2,
    card_printer_pb2,
    device_pb2,
    identity_pb2,
    operation_pb2,
    receipt_pb2,
    receipt_printer_pb2,
)

FEED = receipt_pb2.Block(feed=receipt_pb2.Feed(mm=3))


def violations(request) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        check(request)
    return caught.value.violations


def printing(**fields):
    return receipt_printer_pb2.PrintRequest(**{"device_id": "p", "receipt": {"blocks": [FEED]}} | fields)


def test_a_good_request_passes():
    check(printing())
    check(device_pb2.GetTerminalRequest())


def test_every_mistake_is_named_at_once_with_its_path():
    request = receipt_printer_pb2.PrintRequest(
        options=operation_pb2.OperationOptions(operation_id="x" * 65, visit_id="no spaces allowed"),
        receipt=receipt_pb2.Receipt(
            blocks=[
                FEED,
                receipt_pb2.Block(feed=receipt_pb2.Feed(mm=900)),
                receipt_pb2.Block(table=receipt_pb2.Table()),
                receipt_pb2.Block(paragraph={"spans": [{"text": "a" * 8193}]}),
                receipt_pb2.Block(paragraph={"align": 77}),  # type: ignore[arg-type]
            ]
        ),
    )
    found = violations(request)
    assert found == {
        "options.operation_id": "expected at most 64 characters, got 65",
        "options.visit_id": "expected text that matches [A-Za-z0-9._:-]*",
        "device_id": "required",
        "receipt.blocks[1].feed.mm": "expected 0.1 to 200, got 900",
        "receipt.blocks[2].table.columns": "required",
        "receipt.blocks[3].paragraph.spans[0].text": "expected at most 8192 characters, got 8193",
        "receipt.blocks[4].paragraph.align": "expected one of ALIGN_LEFT, ALIGN_CENTER, ALIGN_RIGHT",
    }


def test_too_many_items_are_refused_without_looking_at_each():
    assert violations(printing(receipt={"blocks": [receipt_pb2.Block()] * 501})) == {
        "receipt.blocks": "expected at most 500 items, got 501"
    }


def test_a_missing_message_is_required_where_it_is():
    assert violations(receipt_printer_pb2.PrintRequest(device_id="p")) == {"receipt": "required"}


def test_a_zero_without_presence_means_the_default():
    check(receipt_printer_pb2.PreviewRequest(receipt={"blocks": [FEED]}, width_dots=0))
    assert "width_dots" in violations(receipt_printer_pb2.PreviewRequest(receipt={"blocks": [FEED]}, width_dots=64))


def test_a_zero_with_presence_is_checked():
    picture = receipt_pb2.Picture(data=b"x", width_percent=0)
    assert "receipt.blocks[0].picture.width_percent" in violations(printing(receipt={"blocks": [{"picture": picture}]}))


def test_not_a_number_is_out_of_any_range():
    assert violations(printing(receipt={"blocks": [{"feed": {"mm": float("nan")}}]})) == {
        "receipt.blocks[0].feed.mm": "expected 0.1 to 200, got nan"
    }


def test_violations_never_hold_the_value_of_a_text():
    card = identity_pb2.IdentityDocument(number="11010519491231002X" * 2)
    found = violations(bench_pb2.InsertCardRequest(device_id="r", card=card))
    assert "11010519491231002X" not in str(found)


@given(st.text(max_size=200))
def test_length_counts_characters(text):
    request = printing(receipt={"blocks": [{"barcode": {"symbology": 1, "data": text}}]})
    if not text:
        assert violations(request) == {"receipt.blocks[0].barcode.data": "required"}
    elif len(text) > 80:
        assert list(violations(request)) == ["receipt.blocks[0].barcode.data"]
    else:
        check(request)


def test_the_values_of_a_map_are_checked_and_named_by_their_key():
    data = {
        "name": card_design_pb2.CardValue(text="李小样"),
        "photo": card_design_pb2.CardValue(picture=b"x" * 900_000),
    }
    request = card_printer_pb2.IssueCardRequest(device_id="p")
    request.artwork.design.name = "card"
    for name, value in data.items():
        request.artwork.data[name].CopyFrom(value)
    assert violations(request) == {"artwork.data[photo].picture": "expected at most 786432 bytes, got 900000"}
    del request.artwork.data["photo"]
    check(request)


def test_a_map_with_too_many_entries_is_refused():
    request = card_printer_pb2.IssueCardRequest(device_id="p")
    for number in range(65):
        request.artwork.data[f"field{number}"].text = "x"
    assert violations(request)["artwork.data"] == "expected at most 64 items, got 65"
