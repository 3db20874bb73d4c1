"""What the SDK and the daemon read from files, cards, requests and other processes."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from pathlib import Path

from quality.fuzz.target import Run, Target, quiet, stream

__all__ = ["FORMATS"]


def _jpeg() -> Run:
    from countertop.sdk.cameras.jpeg import frame_size, is_whole

    return lambda data: (frame_size(data), is_whole(data))


def _stripe() -> Run:
    from countertop.sdk.cards import stripe

    def bits(data: bytes) -> list[int]:
        return [byte >> place & 1 for byte in data for place in range(7, -1, -1)]

    def run(data: bytes) -> None:
        for track in (1, 2, 3):
            with contextlib.suppress(ValueError):  # some characters are read and never written
                text = stripe.from_bits(track, bits(data))
                assert stripe.from_bits(track, bits(stripe.to_bits(track, text))) == text
            with contextlib.suppress(ValueError):
                stripe.without_sentinels(track, data.decode("latin-1"))

    return run


def _apdu() -> Run:
    from countertop.sdk.cards.apdu import parse_command, status_matches

    parse = quiet(lambda data: parse_command(data).all_there_is, ValueError)
    match = quiet(lambda data: status_matches(data[2:].decode("latin-1"), data[:2]), ValueError)
    return lambda data: (parse(data), match(data))


def _atr() -> Run:
    from countertop.sdk.cards.atr import parse_atr

    def run(data: bytes) -> None:
        atr = parse_atr(data)
        assert atr.raw == data
        assert all((atr.protocols, atr.default_protocol < 16, atr.ifsc < 256, atr.describe()))
        assert (atr.fi is None) == (atr.fmax_mhz is None)
        for allowed in ((0,), (1,), (0, 1), ()):
            with contextlib.suppress(ValueError):
                atr.choose(allowed)

    return quiet(run, ValueError)


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

    return stream(lambda: FrameDecoder().feed, BadFrame)


def _trace() -> Run:
    from countertop.sdk.trace.reading import parse_trace

    return quiet(lambda data: parse_trace(data.decode("utf-8", "replace").splitlines()), ValueError)


def _handwriting() -> Run:
    from countertop.bench.v1.bench_pb2 import SignRequest
    from countertop.emulators.core.handwriting.plan import plan
    from countertop.v1.ink_pb2 import InkSpace

    space = InkSpace(width=9600, height=6000, units_per_mm=100.0, pressure_levels=1024)

    def run(data: bytes) -> None:
        for request in (SignRequest(inkml=data), SignRequest(svg_path=data.decode("latin-1"))):
            with contextlib.suppress(ValueError):
                ink = plan(request, space, 200.0)
                assert all(0 <= at.x < 9600 and 0 <= at.y < 6000 for stroke in ink.strokes for at in stroke.points)

    return run


def _audit() -> Run:
    """A file of the audit, whatever somebody has made of it."""
    from countertop.server.audit.chain import find_tail
    from countertop.server.audit.files import audit_files
    from countertop.server.audit.reading import find
    from countertop.server.audit.verify import verify

    folder = Path(tempfile.mkdtemp(prefix="fuzz-audit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def run(data: bytes) -> None:
        (folder / "audit-000000001.jsonl").write_bytes(data)
        verdict = verify(folder)
        records = sum(1 for _ in find(folder))
        assert verdict.records <= records + 1, "a record was made up"
        find_tail(audit_files(folder))

    return run


_AUDIT = b"".join(
    b'{"number":%d,"time":"2026-11-18T11:06:4%d.000000Z","what":"call","door":"unix","roles":["teller"],"prev":"%s"}\n'
    % (number, number, prev)
    for number, prev in ((1, b"0" * 64), (2, b"1" * 64))
)

FORMATS = (
    Target("jpeg", _jpeg, (b"\xff\xd8\xff\xc0\0\x11\x08\0\x10\0\x10\x03\xff\xd9",)),
    Target("card-stripe", _stripe, (b"\x05\x42\x84",)),
    Target("apdu", _apdu, (bytes.fromhex("00a4040007d2760000850101"), b"\x90\x009000,61xx")),
    Target("atr", _atr, (bytes.fromhex("3b9f958131fe9f006646530560001071df0000028000"),)),
    Target("iso19794-7", _iso, (b"SDI\0 10\0\xe0\0",)),
    Target("signature-file", _signature_file, (b'{"format":"countertop-signature"}',)),
    Target("isolation-frames", _frames, (b"\x03\0\0\0\x0a\0\0\0\x02{}blob",)),
    Target("trace", _trace, (b"countertop-trace 1\ndriver: sdt\nlink: bytes\nscheme: serial\n+0 > write 00\n",)),
    Target("handwriting", _handwriting, (b"<ink><trace>1 2, 3 4</trace></ink>", b"M 1,2 L 3,4 C 1 2 3 4 5 6 Z")),
    Target("audit", _audit, (_AUDIT,)),
)
