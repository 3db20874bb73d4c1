"""Links of USB: their URLs, udev rules, and the host's side of USB/IP, against structures packed here by hand."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk import LinkFault, parse_link
from countertop.sdk.links import _serial
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._udev import udev_rules
from countertop.sdk.links._usb_find import pick
from countertop.sdk.links.usbip.descriptors import parse_configuration
from countertop.sdk.links.usbip.transfers import Transfers
from countertop.sdk.links.usbip.wire import UsbIpError

# -- URLs --


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("usb://056A:00A4", "056A:00A4"),
        ("hid://056a:00a4/7EA00Q", "056a:00a4/7EA00Q"),
        ("usb://0000:ffff/A%20B", "0000:ffff/A B"),
    ],
)
def test_usb_and_hid_links_name_ids_and_serial(text: str, path: str) -> None:
    url = parse_link(text)
    assert (url.scheme, url.path, url.host, url.port) == (text.partition(":")[0], path, "", 0)


def test_usbip_and_serial_links_of_usb() -> None:
    url = parse_link("usbip://127.0.0.1:3240/1-1.2")
    assert (url.host, url.port, url.path) == ("127.0.0.1", 3240, "/1-1.2")
    assert parse_link("serial://?usb=0403:6001/A1&baud=19200").query == {"usb": "0403:6001/A1", "baud": "19200"}


@pytest.mark.parametrize(
    "text",
    [
        "usb://56A:00A4",
        "usb://056A",
        "hid://056A:00A4/",
        "hid://056A:00A4/a/b",
        "usbip://127.0.0.1/1-1",
        "usbip://127.0.0.1:3240",
        "usbip://127.0.0.1:3240/x",
        "serial://?usb=zzzz:6001",
        "serial:///dev/ttyUSB0?usb=0403:6001",
        "serial://?baud=9600",
        "rfc2217://host:1?usb=0403:6001",
    ],
)
def test_a_link_that_is_none_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_link(text)


def test_a_device_without_rights_is_told_with_the_udev_rule() -> None:
    for text, rule in (
        ("usb://056A:00A4", 'SUBSYSTEM=="usb", ATTRS{idVendor}=="056a", ATTRS{idProduct}=="00a4", MODE="0660"'),
        ("hid://056A:00A4/S1", 'KERNEL=="hidraw*", ATTRS{idVendor}=="056a", ATTRS{idProduct}=="00a4", MODE="0660"'),
    ):
        url = parse_link(text)
        (found,) = udev_rules(url)
        assert found.startswith(rule)
        fault = link_fault(url, "open", PermissionError(errno.EACCES, "denied"), opening=True)
        assert rule in fault.action
        assert "/etc/udev/rules.d/" in fault.action
    assert udev_rules(parse_link("tcp://127.0.0.1:1")) == []


def test_one_device_is_picked_by_its_serial_number() -> None:
    url = parse_link("usb://056A:00A4")
    assert pick(url, [("A", 1)], "") == 1
    assert pick(url, [("A", 1), ("B", 2)], "B") == 2
    assert pick(url, [(None, 1)], "B") == 1  # nobody may read its number: opening it will tell why
    with pytest.raises(LinkFault, match="their serial numbers are A, B"):
        pick(url, [("A", 1), ("B", 2)], "")
    with pytest.raises(LinkFault, match="there is no such"):
        pick(url, [("A", 1)], "B")


def test_a_serial_port_is_found_by_its_usb_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None, serial_number=None),
        SimpleNamespace(device="/dev/ttyUSB0", vid=0x0403, pid=0x6001, serial_number="A"),
        SimpleNamespace(device="/dev/ttyUSB1", vid=0x0403, pid=0x6001, serial_number="B"),
    ]
    monkeypatch.setattr(_serial, "comports", lambda: ports)
    assert _serial.port_of(parse_link("serial://?usb=0403:6001/B")) == "/dev/ttyUSB1"
    with pytest.raises(LinkFault, match="serial numbers are A, B"):
        _serial.port_of(parse_link("serial://?usb=0403:6001"))


# -- transfers --


def ret_submit(seqnum: int, status: int, actual: int, data: bytes = b"") -> bytes:
    return struct.pack(">IIIIIii20x", 3, seqnum, 0, 0, 0, status, actual) + data


def ret_unlink(seqnum: int, status: int) -> bytes:
    return struct.pack(">IIIIIi24x", 4, seqnum, 0, 0, 0, status)


class Ends:
    """What became of transfers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, bytes, int]] = []

    def of(self, name: str) -> Any:
        return lambda status, data, actual: self.told.append((name, status, data, actual))


@given(st.lists(st.binary(max_size=100), max_size=8), st.lists(st.integers(0, 1500), max_size=6))
def test_any_split_of_the_answers_ends_transfers_alike(answers: list[bytes], cuts: list[int]) -> None:
    def ended(split: bool) -> list[tuple[str, int, bytes, int]]:
        transfers, ends, stream = Transfers(0x10001), Ends(), b""
        for index, data in enumerate(answers):
            seqnum, _ = transfers.begin(0x81, 100, ends.of(str(index)))
            stream += ret_submit(seqnum, 0, len(data), data)
        edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)] if split else [0, len(stream)]
        for start, end in pairwise(edges):
            transfers.feed(stream[start:end])
        return ends.told

    assert ended(True) == ended(False) == [(str(n), 0, data, len(data)) for n, data in enumerate(answers)]


@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_one_typed_error_and_everything_pending_can_be_failed(data: bytes, asked: bool) -> None:
    transfers, ends = Transfers(1), Ends()
    if asked:
        transfers.begin(0x81, 64, ends.of("x"))
    with suppress(UsbIpError):
        transfers.feed(data)
    transfers.fail(-errno.ENODEV)
    assert len(ends.told) == int(asked)


def test_a_submit_is_packed_as_the_kernel_reads_it() -> None:
    _, message = Transfers(0x10002).begin(0x83, 64, Ends().of("x"))
    assert struct.unpack(">IIIIIIiIIi8s", message) == (1, 1, 0x10002, 1, 3, 0, 64, 0, 0xFFFFFFFF, 0, bytes(8))
    _, message = Transfers(0x10002).begin(0x02, 3, Ends().of("x"), data=b"abc")
    assert message[48:] == b"abc"


@pytest.mark.parametrize("status", [-errno.ECONNRESET, 0])
def test_a_transfer_that_was_taken_back_ends_once_whatever_the_server_calls_it(status: int) -> None:
    transfers, ends = Transfers(1), Ends()
    seqnum, _ = transfers.begin(0x81, 64, ends.of("x"))
    message = transfers.take_back(seqnum)
    number = struct.unpack_from(">I", message, 4)[0]
    assert struct.unpack(">IIIIII24x", message) == (2, number, 1, 0, 0, seqnum)
    transfers.feed(ret_unlink(number, status))
    assert ends.told == [("x", -errno.ECONNRESET, b"", 0)]
    assert transfers.take_back(seqnum) == b""


def test_data_that_was_faster_than_its_unlink_is_kept() -> None:
    transfers, ends = Transfers(1), Ends()
    seqnum, _ = transfers.begin(0x81, 64, ends.of("x"))
    number = struct.unpack_from(">I", transfers.take_back(seqnum), 4)[0]
    transfers.feed(ret_submit(seqnum, 0, 2, b"ok") + ret_unlink(number, 0))
    assert ends.told == [("x", 0, b"ok", 2)]


def test_more_data_than_there_is_room_for_is_an_error() -> None:
    transfers, ends = Transfers(1), Ends()
    seqnum, _ = transfers.begin(0x81, 4, ends.of("x"))
    with pytest.raises(UsbIpError):
        transfers.feed(ret_submit(seqnum, 0, 5, b"12345"))


@given(st.binary(max_size=80))
def test_reading_a_configuration_is_total(data: bytes) -> None:
    with suppress(ValueError):
        parse_configuration(b"\x09\x02" + data)
