"""The server's side of the USB/IP codec, against structures packed here by hand."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.emulators.core.usb.device import InterfaceDescriptor, Setup, UsbDescriptors
from countertop.emulators.core.usb.wire import (
    MAX_TRANSFER,
    ST_ERROR,
    ST_NODEV,
    ST_OK,
    DevListRequest,
    HostDecoder,
    HostEvent,
    ImportRequest,
    Submit,
    Unlink,
    UsbIpError,
    devlist_reply,
    import_reply,
    ret_submit,
    ret_unlink,
)

number = st.integers(0, 2**32 - 1)


def submit_bytes(seqnum: int, direction: int, endpoint: int, length: int, setup: bytes, data: bytes = b"") -> bytes:
    head = struct.pack(">IIIII", 1, seqnum, 0x10001, direction, endpoint)
    return head + struct.pack(">IiIIi", 0, length, 0, 0xFFFFFFFF, 0) + setup + data


requests = st.one_of(
    st.builds(
        lambda seqnum, endpoint, data, setup: submit_bytes(seqnum, 0, endpoint, len(data), setup, data),
        number,
        st.integers(0, 15),
        st.binary(max_size=200),
        st.binary(min_size=8, max_size=8),
    ),
    st.builds(
        lambda seqnum, endpoint, length, setup: submit_bytes(seqnum, 1, endpoint, length, setup),
        number,
        st.integers(0, 15),
        st.integers(0, MAX_TRANSFER),
        st.binary(min_size=8, max_size=8),
    ),
    st.builds(lambda seqnum, other: struct.pack(">IIIIII24x", 2, seqnum, 0x10001, 0, 0, other), number, number),
)


def decoded(pieces: list[bytes], imported: bool) -> list[HostEvent]:
    decoder = HostDecoder()
    decoder.imported = imported
    return [event for piece in pieces for event in decoder.feed(piece)]


@given(st.lists(requests, max_size=6), st.lists(st.integers(0, 2000), max_size=6))
def test_any_split_of_the_bytes_gives_the_same_requests(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(messages)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert decoded(pieces, True) == decoded([stream], True)
    assert len(decoded([stream], True)) == len(messages)


def test_a_submit_is_read_field_by_field() -> None:
    setup = bytes.fromhex("a101 0803 0000 1100")
    assert decoded([submit_bytes(7, 1, 0, 17, setup)], True) == [
        Submit(7, 0x10001, 0x80, 0, 17, Setup(0xA1, 1, 0x0308, 0, 17))
    ]
    assert decoded([submit_bytes(8, 0, 2, 3, bytes(8), b"abc")], True) == [
        Submit(8, 0x10001, 0x02, 0, 3, Setup(0, 0, 0, 0, 0), b"abc")
    ]
    assert decoded([struct.pack(">IIIIII24x", 2, 9, 0, 0, 0, 7)], True) == [Unlink(9, 7)]


def test_the_two_operations_are_read_in_any_split() -> None:
    stream = struct.pack(">HHI", 0x0111, 0x8005, 0) + struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1")
    for cut in range(len(stream)):
        assert decoded([stream[:cut], stream[cut:]], False) == [DevListRequest(), ImportRequest("1-1")]


@given(st.lists(st.binary(max_size=300), max_size=5), st.booleans())
def test_garbage_ends_in_one_typed_error_and_bounded_memory(pieces: list[bytes], imported: bool) -> None:
    decoder = HostDecoder()
    decoder.imported = imported
    try:
        for piece in pieces:
            list(decoder.feed(piece))
    except UsbIpError as error:
        assert str(error).startswith("expected")  # noqa: PT017 - both ends are right
    assert len(decoder._buffer) <= 48 + MAX_TRANSFER


@pytest.mark.parametrize(
    "message",
    [
        submit_bytes(1, 0, 1, MAX_TRANSFER + 1, bytes(8)),
        submit_bytes(1, 0, 1, -1, bytes(8)),
        submit_bytes(1, 2, 1, 0, bytes(8)),
        submit_bytes(1, 1, 16, 0, bytes(8)),
        struct.pack(">IIIII", 1, 1, 1, 1, 1) + struct.pack(">IiIIi", 0, 0, 0, 4, 0) + bytes(8),
        struct.pack(">IIIII28x", 3, 1, 1, 1, 1),
    ],
)
def test_what_is_not_served_is_refused(message: bytes) -> None:
    with pytest.raises(UsbIpError):
        decoded([message], True)


@given(number, st.integers(-200, 0), st.binary(max_size=64))
def test_answers_are_laid_out_as_the_kernel_reads_them(seqnum: int, status: int, data: bytes) -> None:
    request = Submit(seqnum, 0x10001, 0x81, 0, 64, Setup(0, 0, 0, 0, 0))
    answer = ret_submit(request, status, len(data), data)
    assert struct.unpack(">IIIIIiiiii8x", answer[:48]) == (3, seqnum, 0, 0, 0, status, len(data), 0, 0, 0)
    assert answer[48:] == data
    assert struct.unpack(">IIIIIi24x", ret_unlink(seqnum, status)) == (4, seqnum, 0, 0, 0, status)


DEVICE = UsbDescriptors(
    0x056A,
    0x00A8,
    release=0x0102,
    device_class=1,
    subclass=2,
    protocol=3,
    speed=2,
    interfaces=(InterfaceDescriptor(0, interface_class=3), InterfaceDescriptor(1, interface_class=7, subclass=1)),
)


def record(bus_id: str, number: int) -> bytes:
    """A device as the kernel's document lays it out: path, bus id, numbers, ids, class, configurations, interfaces."""
    path = b"/sys/devices/platform/countertop/usb1/" + bus_id.encode()
    head = path.ljust(256, b"\0") + bus_id.encode().ljust(32, b"\0")
    return head + struct.pack(">III HHH BBB BBB", 1, number, 2, 0x056A, 0x00A8, 0x0102, 1, 2, 3, 1, 1, 2)


def test_the_list_of_devices_is_laid_out_as_the_kernel_reads_it() -> None:
    assert devlist_reply([]) == bytes.fromhex("0111 0005 00000000 00000000")
    interfaces = bytes.fromhex("03000000 07010000")
    assert devlist_reply([("1-1", 1, 2, DEVICE), ("1-2", 1, 3, DEVICE)]) == (
        bytes.fromhex("0111 0005 00000000 00000002") + record("1-1", 2) + interfaces + record("1-2", 3) + interfaces
    )


def test_an_import_is_granted_with_the_device_and_refused_without_it() -> None:
    assert import_reply(ST_OK, ("1-1", 1, 2, DEVICE)) == bytes.fromhex("0111 0003 00000000") + record("1-1", 2)
    assert import_reply(ST_NODEV) == bytes.fromhex("0111 0003 00000004")
    assert import_reply(ST_ERROR) == bytes.fromhex("0111 0003 00000005")


def test_a_host_begins_with_operations_and_goes_on_with_transfers_once_it_was_granted_a_device() -> None:
    decoder = HostDecoder()
    stream = struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1") + submit_bytes(7, 1, 0, 18, bytes(8))
    events = decoder.feed(stream)
    assert next(events) == ImportRequest("1-1")
    decoder.imported = True
    assert [type(event) for event in events] == [Submit]


@pytest.mark.parametrize(("version", "taken"), [(0x0011, False), (0x0100, True), (0x0106, True), (0x0211, False)])
def test_another_version_is_refused_by_its_first_number(version: int, taken: bool) -> None:
    message = struct.pack(">HHI", version, 0x8005, 0)
    if taken:
        assert decoded([message], False) == [DevListRequest()]
        return
    with pytest.raises(UsbIpError, match="expected an operation of version 0x0111"):
        decoded([message], False)


def test_a_bus_id_may_fill_its_field() -> None:
    message = struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1" * 32)
    assert decoded([message + b"\x01\x11"], False) == [ImportRequest("1" * 32)]


def test_a_transfer_of_a_mebibyte_is_the_longest() -> None:
    (event,) = decoded([submit_bytes(1, 1, 1, 1 << 20, bytes(8))], True)
    assert isinstance(event, Submit)
    with pytest.raises(UsbIpError, match="at most 1048576 bytes, got 1048577"):
        decoded([submit_bytes(1, 1, 1, (1 << 20) + 1, bytes(8))], True)


def test_an_operation_is_waited_for_to_its_last_byte() -> None:
    for message in (struct.pack(">HHI", 0x0111, 0x8005, 0), struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1")):
        decoder = HostDecoder()
        assert list(decoder.feed(message[:-1])) == []
        assert len(list(decoder.feed(message[-1:]))) == 1
