"""What is fuzzed: one function of bytes for each parser. Only the errors that a parser documents may come out of it.

A target's code is imported when it is made, so that it can be instrumented. One that reads a stream is fed the same bytes
whole and in two pieces, and must say the same both times; the first byte says where they are parted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

__all__ = ["TARGETS", "Target"]

Run = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test."""

    name: str
    make: Callable[[], Run]
    seeds: tuple[bytes, ...] = ()
    """What a run begins with beside the kept corpus."""


def _stream(make: Callable[[], Callable[[bytes], Iterable[object]]], *errors: type[Exception]) -> Run:
    """`make` gives the `feed` of a fresh decoder. What it says must not depend on where its bytes are parted."""

    def fed(*pieces: bytes) -> list[object]:
        feed, said = make(), []
        try:
            for piece in pieces:
                said += feed(piece)
        except errors as error:
            said.append(type(error))
        return said

    def run(data: bytes) -> None:
        data, place = data[1:], data[:1]
        at = place[0] % (len(data) + 1) if place else 0
        whole, parted = fed(data), fed(data[:at], data[at:])
        assert whole == parted, f"whole: {whole!r:.200}; in pieces of {at}: {parted!r:.200}"

    return run


def _quiet(parse: Run, *errors: type[Exception]) -> Run:
    def run(data: bytes) -> None:
        with contextlib.suppress(*errors):
            parse(data)

    return run


def _stu_framing() -> Run:
    from countertop.drivers.wacom_stu.framing import FrameCutter, FrameDecoder

    decode = _stream(lambda: FrameDecoder().feed)

    def run(data: bytes) -> None:
        decode(data)
        cutter = FrameCutter()
        pieces = [*cutter.feed(data)]
        assert len(cutter.pending) + sum(len(piece.raw) for piece in pieces) == len(data), "a byte is lost"

    return run


def _stu_reports() -> Run:
    from countertop.drivers.wacom_stu.reports import parse_capability, parse_information, parse_status
    from countertop.sdk.errors import ProtocolFault

    parts = [_quiet(parse, ProtocolFault) for parse in (parse_status, parse_information, parse_capability)]
    return lambda data: [part(data) for part in parts]


def _topaz() -> Run:
    from countertop.drivers.topaz.packets import Format, PacketCutter, PacketDecoder

    forms = list(Format)

    def run(data: bytes) -> None:
        form = forms[data[0] % len(forms)] if data else forms[0]
        _stream(lambda: PacketDecoder(form, strict=bool(data and data[0] & 0x80)).feed)(data)
        cutter = PacketCutter(form)
        assert sum(len(piece) for piece in map(_raw, cutter.feed(data))) + len(cutter.pending) == len(data)

    return run


def _raw(piece: Any) -> bytes:
    raw: bytes = piece if isinstance(piece, bytes) else getattr(piece, "raw", None) or piece[0]
    return raw


def _sdt_protocol() -> Run:
    from countertop.drivers.sdt.protocol import Decoder, describe, parse_sam_id
    from countertop.sdk.errors import ProtocolFault

    decode = _stream(lambda: Decoder(2048).feed)

    def run(data: bytes) -> None:
        decode(data)
        for found in Decoder(2048).feed(data[1:]):
            if type(found).__name__ == "Response":
                describe(found)  # type: ignore[arg-type]
        _quiet(parse_sam_id, ProtocolFault)(data)

    return run


def _sdt_layouts() -> Run:
    from countertop.drivers.sdt import layouts
    from countertop.sdk.errors import DeviceFault

    def run(data: bytes) -> None:
        text = data.ljust(256, b" ")[:256]
        with contextlib.suppress(DeviceFault):
            layouts.decode_text(text, date(2026, 1, 1))
        _quiet(layouts.decode_additional_address, DeviceFault)(data)
        _quiet(layouts.decode_fingerprints, DeviceFault)(data)

    return run


def _evolis() -> Run:
    from countertop.drivers.evolis.protocol import ReplyReader, number, reason_of, volts
    from countertop.sdk.errors import ProtocolFault

    def read(data: bytes) -> None:
        for reply in ReplyReader().feed(data):
            for parse in (reason_of, number, volts):
                parse(reply)

    return _both(_stream(lambda: ReplyReader().feed, ProtocolFault), _quiet(read, ProtocolFault))


def _both(first: Run, second: Run) -> Run:
    return lambda data: (first(data), second(data))


def _magicard() -> Run:
    from countertop.drivers.magicard.protocol import AnswerReader
    from countertop.sdk.errors import ProtocolFault

    return _stream(lambda: AnswerReader().feed, ProtocolFault)


def _escpos() -> Run:
    from countertop.drivers.escpos.protocol import AutomaticStatus, Decoder, Pending, RealtimeStatus
    from countertop.drivers.escpos.status import StatusBoard

    def make(waits: int) -> Callable[[bytes], Iterable[object]]:
        decoder = Decoder()
        for kind in Pending:
            if waits & kind.value:
                decoder.expect(kind)
        return decoder.feed

    def run(data: bytes) -> None:
        board = StatusBoard()
        for event in make(data[0] if data else 0)(data[1:]):
            if isinstance(event, AutomaticStatus):
                board.asb(event.value)
            elif isinstance(event, RealtimeStatus):
                board.eot(1 + len(data) % 4, event.value)
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

    return _quiet(run, FlawError)


def _multipart() -> Run:
    from countertop.drivers.opencv.multipart import MjpegParser

    def run(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        content_type = kind.decode("latin-1")
        _stream(lambda: MjpegParser(content_type).feed)(b"\x07" + body)

    return run


def _jpeg() -> Run:
    from countertop.sdk.cameras.jpeg import frame_size, is_whole

    return lambda data: (frame_size(data), is_whole(data))


def _stripe() -> Run:
    from countertop.sdk.cards import stripe

    def run(data: bytes) -> None:
        for track in (1, 2, 3):
            bits = [byte >> place & 1 for byte in data for place in range(8)]
            with contextlib.suppress(stripe.StripeError):
                text = stripe.from_bits(track, bits)
                assert stripe.from_bits(track, _bits(stripe.to_bits(track, text))) == text
            with contextlib.suppress(ValueError):
                stripe.without_sentinels(track, data.decode("latin-1"))

    return run


def _bits(data: bytes) -> list[int]:
    return [byte >> place & 1 for byte in data for place in range(7, -1, -1)]


def _apdu() -> Run:
    from countertop.sdk.cards.apdu import parse_command, status_matches

    def run(data: bytes) -> None:
        with contextlib.suppress(ValueError):
            assert parse_command(data).all_there_is() is not None
        with contextlib.suppress(ValueError):
            status_matches(data[2:].decode("latin-1"), data[:2])

    return run


def _atr() -> Run:
    from countertop.sdk.cards.atr import parse_atr

    def run(data: bytes) -> None:
        try:
            atr = parse_atr(data)
        except ValueError:
            return
        assert atr.raw == data
        assert (atr.protocols, atr.default_protocol, atr.fi, atr.di, atr.fmax_mhz, atr.ifsc, atr.describe())
        for allowed in ((0,), (1,), (0, 1), ()):
            with contextlib.suppress(ValueError):
                atr.choose(allowed)

    return run


def _iso() -> Run:
    from countertop.sdk.ink.iso19794_7 import IsoFormatError, from_iso

    def run(data: bytes) -> None:
        for width in (1, 2):
            for constant in (False, True):
                with contextlib.suppress(IsoFormatError):
                    from_iso(data, switch_bytes=width, constant_has_value=constant)

    return run


def _signature_file() -> Run:
    from countertop.sdk.ink.signature_file import verify

    return lambda data: verify(data, document_sha256=bytes(32))


def _frames() -> Run:
    from countertop.server.isolation.frames import BadFrame, FrameDecoder

    return _stream(lambda: FrameDecoder().feed, BadFrame)


def _trace() -> Run:
    from countertop.sdk.trace.reading import read_lines

    return _quiet(lambda data: read_lines(data.decode("utf-8", "replace").splitlines()), ValueError)


def _host_sdt() -> Run:
    from countertop.emulators.sdt.wire import HostFrames

    return _stream(lambda: HostFrames().feed)


def _host_usbip() -> Run:
    from countertop.emulators.core.usb.wire import HostDecoder, UsbIpError

    def make(imported: bool) -> Callable[[bytes], Iterable[object]]:
        decoder = HostDecoder()
        decoder.imported = imported
        return decoder.feed

    operations, transfers = (_stream(lambda given=given: make(given), UsbIpError) for given in (False, True))  # type: ignore[misc]
    return lambda data: (operations(data), transfers(data))


def _host_escpos() -> Run:
    from countertop.emulators.escpos.tokenizer import Tokenizer

    def run(data: bytes) -> None:
        for parted in (False, True):
            tokens = Tokenizer()
            for piece in ([data[:7], data[7:]] if parted else [data]):
                tokens.feed(piece)
                while tokens.next() is not None:
                    pass
            assert tokens.waiting <= len(data)

    return run


def _host_evolis() -> Run:
    from countertop.emulators.evolis.framing import Tokenizer

    return _stream(lambda: Tokenizer().feed)


def _host_magicard() -> Run:
    from countertop.emulators.magicard.framing import Tokenizer

    return _stream(lambda: Tokenizer().feed)


def _host_stu() -> Run:
    from countertop.emulators.wacom_stu.serial import FrameDecoder

    return _stream(lambda: FrameDecoder().feed)


def _handwriting() -> Run:
    from countertop.bench.v1.bench_pb2 import SignRequest
    from countertop.emulators.core.handwriting.plan import plan
    from countertop.v1.ink_pb2 import InkSpace

    space = InkSpace(width=9600, height=6000, units_per_mm=100.0, pressure_levels=1024)

    def run(data: bytes) -> None:
        for request in (SignRequest(inkml=data), SignRequest(svg_path=data.decode("latin-1"))):
            with contextlib.suppress(ValueError):
                ink = plan(request, space, 200.0)
                assert all(0 <= point.x < 9600 and 0 <= point.y < 6000 for stroke in ink.strokes for point in stroke.points)

    return run


def _browser() -> Run:
    """The browser door's envelopes and both codecs: a request of each kind that a page can send, to a method that only
    answers.
    """
    from connectrpc.errors import ConnectError

    from countertop.server.doors.browser.codec import BinaryCodec, JsonCodec
    from countertop.v1.receipt_printer_pb2 import PrintRequest

    def run(data: bytes) -> None:
        for codec in (JsonCodec(), BinaryCodec()):
            try:
                codec.decode(data, PrintRequest)
            except ConnectError as error:
                assert len(error.message) < 2000

    return run


def _door() -> Run:
    from quality.fuzz.door import ask, door

    app = door()
    loop = asyncio.new_event_loop()
    return lambda data: loop.run_until_complete(ask(app, data))


TARGETS = (
    Target("stu-framing", _stu_framing, (b"\x05\x10\x02\x00\x01\x03",)),
    Target("stu-reports", _stu_reports, (b"\x03\0\0\0\0", b"\x08STU-430\0\0", b"\x09" + bytes(range(1, 16)))),
    Target("topaz-packets", _topaz, (b"\x01\xc0\x10\x20\x30\x40",)),
    Target("sdt-protocol", _sdt_protocol, (b"\x05\xaa\xaa\xaa\x96\x69\0\x04\0\0\x9f\x9b",)),
    Target("sdt-layouts", _sdt_layouts, ("李小样".encode("utf-16-le").ljust(256, b" "),)),
    Target("evolis-protocol", _evolis, (b"\x03OK\0ERR;1\0",)),
    Target("magicard-protocol", _magicard, (b"\x03\x01READY\x03",)),
    Target("escpos-protocol", _escpos, (b"\x07\x12\x16\x37\x22ab\0\x10\0\0\0",)),
    Target("hid-descriptor", _hid, (bytes.fromhex("050d0902a101092009428501150025017501950181020509c0"),)),
    Target("mjpeg-multipart", _multipart, (b"multipart/x-mixed-replace;boundary=b\n--b\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n--b",)),
    Target("jpeg", _jpeg, (b"\xff\xd8\xff\xc0\0\x11\x08\0\x10\0\x10\x03\xff\xd9",)),
    Target("card-stripe", _stripe, (b"\x05\x42\x84",)),
    Target("apdu", _apdu, (bytes.fromhex("00a4040007d2760000850101"), b"\x90\x009000,61xx")),
    Target("atr", _atr, (bytes.fromhex("3b9f958131fe9f006646530560001071df0000028000"),)),
    Target("iso19794-7", _iso, (b"SDI\0 10\0\xe0\0",)),
    Target("signature-file", _signature_file, (b'{"format":"countertop-signature"}',)),
    Target("isolation-frames", _frames, (b"\x03\0\0\0\x0a\0\0\0\x02{}blob",)),
    Target("trace", _trace, (b"countertop-trace 1\ndriver: sdt\nlink: bytes\nscheme: serial\n+0 > write 00\n",)),
    Target("emulated-sdt", _host_sdt, (b"\x05\xaa\xaa\xaa\x96\x69\0\x03\x12\xff\xee",)),
    Target("emulated-usbip", _host_usbip, (b"\x05\x01\x11\x80\x05\0\0\0\0", b"\x05\0\0\0\x01" + bytes(43))),
    Target("emulated-escpos", _host_escpos, (b"\x1b@text\n\x1dv0\0\x01\0\x01\0\xff\x1dV\0",)),
    Target("emulated-evolis", _host_evolis, (b"\x05\x1bRfv\r\x1bDb;k;2;1;\x80\0\r",)),
    Target("emulated-magicard", _host_magicard, (b"\x05\x01\x01,STA\x03",)),
    Target("emulated-stu", _host_stu, (b"\x05\x10\x02\x03\x01\x10\x03",)),
    Target("handwriting", _handwriting, (b"<ink><trace>1 2, 3 4</trace></ink>", b"M 1,2 L 3,4 C 1 2 3 4 5 6 Z")),
    Target("browser-codec", _browser, (b'{"deviceId":"x","receipt":{"blocks":[{"cut":{}}]}}', b"\x12\x01x")),
    Target("browser-door", _door, (b"\0{}", b"\1\0\0\0\0\2{}")),
)
"""By what is read, the drivers' side first."""
