"""What drivers read from devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date
from functools import partial

from quality.fuzz.target import Feed, Run, Target, quiet, stream

__all__ = ["DRIVERS"]


def _stu_framing() -> Run:
    from countertop.drivers.wacom_stu.framing import FrameCutter

    decode = stream(lambda: FrameCutter().feed)

    def run(data: bytes) -> None:
        decode(data)
        cutter = FrameCutter()
        cut = b"".join(piece.raw for piece in cutter.feed(data))
        assert data.startswith(cut), "a byte has changed"
        assert len(cut) + cutter.pending == len(data), "a byte is lost"

    return run


def _stu_reports() -> Run:
    from countertop.drivers.wacom_stu.reports import parse_capability, parse_information, parse_status
    from countertop.sdk.errors import ProtocolFault

    parts = [quiet(parse, ProtocolFault) for parse in (parse_status, parse_information, parse_capability)]
    return lambda data: [part(data) for part in parts]


def _topaz() -> Run:
    from countertop.drivers.topaz.packets import Format, PacketCutter, PacketDecoder

    forms = list(Format)

    def run(data: bytes) -> None:
        first = data[0] if data else 0
        form = forms[first % len(forms)]
        stream(lambda: PacketDecoder(form, strict=first > 127).feed)(data[1:])
        cutter = PacketCutter(form)
        assert len(b"".join(cutter.feed(data))) + cutter.pending == len(data), "a byte is lost"

    return run


def _sdt_protocol() -> Run:
    from countertop.drivers.sdt.protocol import Decoder, Response, describe, parse_sam_id
    from countertop.sdk.errors import ProtocolFault

    decode = stream(lambda: Decoder(2048).feed)

    def run(data: bytes) -> None:
        decode(data)
        for found in Decoder(2048).feed(data):
            if isinstance(found, Response):
                assert describe(found)
        quiet(parse_sam_id, ProtocolFault)(data)

    return run


def _sdt_layouts() -> Run:
    from countertop.drivers.sdt import layouts
    from countertop.sdk.errors import DeviceFault

    parts = [
        quiet(partial(layouts.decode_text, today=date(2026, 1, 1)), DeviceFault),
        quiet(layouts.decode_additional_address, DeviceFault),
        quiet(layouts.decode_fingerprints, DeviceFault),
    ]
    return lambda data: [part(data.ljust(256, b" ")[:256] if part is parts[0] else data) for part in parts]


def _evolis() -> Run:
    from countertop.drivers.evolis.protocol import ReplyReader, number, reason_of, volts
    from countertop.sdk.errors import ProtocolFault

    decode = stream(lambda: ReplyReader().feed, ProtocolFault)

    def run(data: bytes) -> None:
        decode(data)
        with contextlib.suppress(ProtocolFault):
            for reply in ReplyReader().feed(data):
                reason_of(reply), number(reply), volts(reply)

    return run


def _magicard() -> Run:
    from countertop.drivers.magicard.protocol import AnswerReader
    from countertop.sdk.errors import ProtocolFault

    return stream(lambda: AnswerReader().feed, ProtocolFault)


def _escpos() -> Run:
    from countertop.drivers.escpos.protocol import AutomaticStatus, Decoder, Garbage, Pending, RealtimeStatus
    from countertop.drivers.escpos.status import StatusBoard

    def feed(waits: int) -> Feed:
        decoder = Decoder()
        for kind in Pending:
            if waits & kind.value:
                decoder.expect(kind)

        def decode(data: bytes) -> Iterator[object]:
            """Garbage byte by byte: adjacent bytes of it come in as many events as they arrived in pieces."""
            for event in decoder.feed(data):
                yield from [Garbage(1)] * event.count if isinstance(event, Garbage) else [event]

        return decode

    def run(data: bytes) -> None:
        waits = data[0] if data else 0
        stream(lambda: feed(waits))(data[1:])
        board = StatusBoard()
        for event in feed(waits)(data[1:]):
            if isinstance(event, AutomaticStatus):
                board.asb(event.value)
            elif isinstance(event, RealtimeStatus):
                board.eot(1 + waits % 4, event.value)
            board.status()

    return run


def _hid() -> Run:
    from countertop.drivers.hid_digitizer.descriptor_items import FlawError
    from countertop.drivers.hid_digitizer.layout import find_pen
    from countertop.drivers.hid_digitizer.report_descriptor import parse_report_descriptor

    def run(data: bytes) -> None:
        pen = find_pen(parse_report_descriptor(data))
        if pen is not None:
            pen.payload(data)

    return quiet(run, FlawError)


def _multipart() -> Run:
    from countertop.drivers.opencv.multipart import MjpegParser

    def run(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        stream(lambda: MjpegParser(kind.decode("latin-1")).feed, ValueError)(b"\x07" + body)

    return run


_PEN = bytes.fromhex("050d0902a1010920a100094209321500250175019502810205010930750c9501264c1d8102c0c0")
_MJPEG = b"multipart/x-mixed-replace;boundary=b\n--b\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n--b"

DRIVERS = (
    Target("stu-framing", _stu_framing, (b"\x05\x80\x02\x10\x20",)),
    Target("stu-reports", _stu_reports, (b"\x03\0\0\0\0", b"\x08STU-430\0\0", b"\x09" + bytes(range(1, 16)))),
    Target("topaz-packets", _topaz, (b"\x81\x05\xc0\x10\x20\x30\x40",)),
    Target("sdt-protocol", _sdt_protocol, (b"\x05\xaa\xaa\xaa\x96\x69\0\x04\0\0\x9f\x9b",)),
    Target("sdt-layouts", _sdt_layouts, ("李小样".ljust(15).encode("utf-16-le") + b"1\0000\0001\0",)),
    Target("evolis-protocol", _evolis, (b"\x03OK\r\nERR;1\0",)),
    Target("magicard-protocol", _magicard, (b"\x03\x01READY\x03",)),
    Target("escpos-protocol", _escpos, (b"\x07\x12\x16\x37\x22ab\0\x10\0\0\0",)),
    Target("hid-descriptor", _hid, (_PEN,)),
    Target("mjpeg-multipart", _multipart, (_MJPEG,)),
)
