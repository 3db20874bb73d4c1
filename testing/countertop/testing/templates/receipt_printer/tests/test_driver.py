"""The driver on the emulated printer: all that a daemon does with it, over the wire."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from countertop.client import CountertopError
from countertop.client.sync import Bench, Counter, ReceiptPrinter
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import DEVICE_STATE_OFFLINE, DEVICE_STATE_READY, DeviceState
from countertop.v1.receipt_pb2 import Receipt

QUICK = {"speed": 10}
pytestmark = pytest.mark.terminal(devices=[{"id": "acme", "emulator": "acme", "emulator_options": QUICK}])
PARTIAL, NONE = error_pb2.PHYSICAL_EFFECT_PARTIAL, error_pb2.PHYSICAL_EFFECT_NONE


def receipt(lines: int = 5) -> Receipt:
    """So many lines, and a cut."""
    made = Receipt()
    for number in range(1, lines + 1):
        made.blocks.add().paragraph.spans.add(text=f"Line {number}")
    made.blocks.add().cut.SetInParent()
    return made


def printed(bench: Bench) -> list[str]:
    """The text of each piece of paper."""
    return [output.text for output in bench.output("acme", limit=20, text_only=True)]


def lines(first: int, last: int) -> str:
    return "".join(f"Line {number}\n" for number in range(first, last + 1))


def test_who_is_there_is_told(counter: Counter) -> None:
    device = counter.device("acme")
    assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "AT-1", "AT100001")
    assert device.info.receipt_printer.columns == 48
    assert [item.name for item in device.status.consumables] == ["paper"]


def test_a_receipt_comes_out_once(receipt_printer: ReceiptPrinter, bench: Bench) -> None:
    handle = receipt_printer.start_print(receipt())
    confirmed = [update.printed.blocks for update in handle if update.HasField("printed")]
    result = handle.result()
    assert (result.blocks, confirmed[-1], confirmed) == (6, 6, sorted(set(confirmed)))
    assert printed(bench) == [lines(1, 5)]
    (output,) = bench.output("acme")
    assert (output.finished, output.image.width) == (True, 576)
    assert result.paper_mm == pytest.approx(output.image.height * 25.4 / 203)


def test_rules_and_codes_are_drawn(receipt_printer: ReceiptPrinter, bench: Bench) -> None:
    made = Receipt()
    made.blocks.add().rule.SetInParent()
    made.blocks.add().symbol.data = "https://example.org"
    made.blocks.add().cut.SetInParent()
    receipt_printer.print(made)
    (output,) = bench.output("acme")
    assert output.finished
    assert output.image.height > 100


def test_no_paper_and_an_open_cover_are_told_before_anything_is_printed(
    receipt_printer: ReceiptPrinter, bench: Bench
) -> None:
    bench.load_paper("acme", empty=True)
    with pytest.raises(CountertopError, match="PAPER_OUT") as raised:
        receipt_printer.print(receipt())
    assert raised.value.operation is not None
    assert raised.value.operation.physical_effect == NONE
    bench.load_paper("acme")
    bench.open_cover("acme")
    with pytest.raises(CountertopError, match="COVER_OPEN"):
        receipt_printer.print(receipt())
    assert printed(bench) == []


def test_paper_that_ends_half_way_is_told_with_the_block_reached(receipt_printer: ReceiptPrinter, bench: Bench) -> None:
    bench.load_paper("acme", mm=10)  # 30 dots a line: it ends with the third
    with pytest.raises(CountertopError, match="PAPER_OUT") as raised:
        receipt_printer.print(receipt())
    operation = raised.value.operation
    assert operation is not None
    assert (operation.physical_effect, operation.progress.done) == (PARTIAL, 3)
    bench.load_paper("acme")
    receipt_printer.print(receipt(1))
    assert printed(bench) == [lines(1, 3), lines(1, 1)]


def test_a_receipt_goes_on_where_it_stopped(receipt_printer: ReceiptPrinter, bench: Bench) -> None:
    bench.load_paper("acme", mm=10)
    handle = receipt_printer.start_print(receipt(), interruption=receipt_printer_pb2.INTERRUPTION_CONTINUE)
    for update in handle:
        if update.operation.prompt == operation_pb2.PROMPT_KIND_LOAD_PAPER:
            bench.load_paper("acme")
    assert handle.result().blocks == 6
    assert printed(bench) == [lines(1, 5)]


def test_a_printer_that_lost_its_power_half_way_is_asked_what_it_printed(
    receipt_printer: ReceiptPrinter, bench: Bench
) -> None:
    bench.inject_fault("acme", "power-fails-while-printing", times=1)
    with pytest.raises(CountertopError, match="PRINTER_FAULT") as raised:
        receipt_printer.print(receipt())
    assert raised.value.operation is not None
    assert raised.value.operation.physical_effect == PARTIAL  # the first line has begun
    assert printed(bench) == []


@pytest.mark.parametrize("after_bytes", [5, 20, 60, 100, 130])
def test_a_link_that_breaks_anywhere_leaves_no_doubt(
    counter: Counter, receipt_printer: ReceiptPrinter, bench: Bench, after_bytes: int
) -> None:
    bench.inject_fault("acme", "disconnect", times=1, after_bytes=after_bytes)
    handle = receipt_printer.start_print(receipt())
    with suppress(CountertopError):
        handle.result()
    came_out, operation = printed(bench), counter.operations.get(handle.id)
    if operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED:
        assert came_out == [lines(1, 5)]
    else:
        assert operation.state == operation_pb2.OPERATION_STATE_FAILED
        assert (operation.physical_effect == PARTIAL) == bool(came_out)


@pytest.mark.parametrize("fault", ["mute", "corrupt-reply", "noise", "split-replies"])
@pytest.mark.parametrize("after_bytes", [1, 40, 90])
def test_one_fault_of_the_line_costs_nothing_and_prints_nothing_twice(
    receipt_printer: ReceiptPrinter, bench: Bench, fault: str, after_bytes: int
) -> None:
    bench.inject_fault("acme", fault, times=1, after_bytes=after_bytes)
    receipt_printer.print(receipt())
    assert printed(bench) == [lines(1, 5)]


def test_a_jammed_cutter_is_told(counter: Counter, receipt_printer: ReceiptPrinter, bench: Bench) -> None:
    bench.inject_fault("acme", "cutter-jam")
    with pytest.raises(CountertopError, match="CUTTER_ERROR"):
        receipt_printer.print(receipt())


def test_the_drawer_is_given_its_pulse(receipt_printer: ReceiptPrinter) -> None:
    assert not receipt_printer.open_drawer().reported_open


def test_a_plug_that_is_pulled_and_put_back(
    receipt_printer: ReceiptPrinter, bench: Bench, until: Callable[[DeviceState], None]
) -> None:
    bench.unplug("acme")
    until(DEVICE_STATE_OFFLINE)
    bench.replug("acme")
    until(DEVICE_STATE_READY)
    receipt_printer.print(receipt(1), queue_timeout=20)
    assert printed(bench) == [lines(1, 1)]


def test_the_status_tells_of_little_paper(counter: Counter, bench: Bench) -> None:
    bench.load_paper("acme", mm=500)
    for update in counter.watch():
        levels = [item.level for item in update.event.device_changed.status.consumables]
        levels += [item.level for device in update.snapshot.devices for item in device.status.consumables]
        if device_pb2.SUPPLY_LEVEL_LOW in levels:
            return
    raise AssertionError("the events ended")
