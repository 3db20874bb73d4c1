"""What emulated devices read from hosts."""

from __future__ import annotations

from quality.fuzz.target import Feed, Run, Target, stream

__all__ = ["EMULATORS"]


def _sdt() -> Run:
    from countertop.emulators.sdt.wire import HostFrames

    return stream(lambda: HostFrames().feed)


def _usbip() -> Run:
    from countertop.emulators.core.usb.wire import HostDecoder, UsbIpError

    def feed(*, imported: bool) -> Feed:
        decoder = HostDecoder()
        decoder.imported = imported
        return decoder.feed

    operations = stream(lambda: feed(imported=False), UsbIpError)
    transfers = stream(lambda: feed(imported=True), UsbIpError)
    return lambda data: (operations(data), transfers(data))


def _escpos() -> Run:
    from countertop.emulators.escpos.tokenizer import Tokenizer

    def feed() -> Feed:
        tokenizer = Tokenizer()

        def cut(data: bytes) -> list[object]:
            """Without text, which comes in as many tokens as it arrived in pieces."""
            tokenizer.feed(data)
            tokens = list(iter(tokenizer.next, None))
            assert tokenizer.waiting <= 255 + 2**16
            return [token for token in tokens if token.name != "text"]

        return cut

    return stream(feed)


def _evolis() -> Run:
    from countertop.emulators.evolis.framing import Tokenizer

    return stream(lambda: Tokenizer().feed)


def _magicard() -> Run:
    from countertop.emulators.magicard.framing import Tokenizer

    return stream(lambda: Tokenizer().feed)


def _stu() -> Run:
    from countertop.emulators.wacom_stu.serial import FrameDecoder

    return stream(lambda: FrameDecoder().feed)


EMULATORS = (
    Target("emulated-sdt", _sdt, (b"\x05\xaa\xaa\xaa\x96\x69\0\x03\x12\xff\xee",)),
    Target("emulated-usbip", _usbip, (b"\x05\x01\x11\x80\x05\0\0\0\0", b"\x05\0\0\0\x01" + bytes(43))),
    Target("emulated-escpos", _escpos, (b"\x05\x1b@text\n\x1dv0\0\x01\0\x01\0\xff\x1dV\0",)),
    Target("emulated-evolis", _evolis, (b"\x05\x1bRfv\r\x1bDb;k;2;1;\x80\0\r",)),
    Target("emulated-magicard", _magicard, (b"\x05\x01\x01,STA\x03",)),
    Target("emulated-stu", _stu, (b"\x05\x80\x02\x10\x20",)),
)
