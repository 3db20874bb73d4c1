"""`countertop emulate`: one emulator, for any software that speaks to such a device."""

from __future__ import annotations

import argparse
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from countertop.cli.hands import WORDS, Hands
from countertop.cli.output import complain, say

if TYPE_CHECKING:
    from countertop.sdk.plugins import EmulatorSpec

__all__ = ["configure", "run"]

_SAME_NAMES = ("pty", "tcp", "usbip", "model", "cards", "ribbon", "speed", "http", "v4l2", "width", "height", "fps",
               "scene", "picture", "text")  # fmt: skip
"""Arguments that are emulators' options."""
_POLL_SECONDS = 0.25
"""How often the folder of `--out` is looked at."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `emulate`."""
    kinds = parser.add_subparsers(dest="emulator", metavar="EMULATOR", required=True)
    sdt = kinds.add_parser("sdt", help="a reader of Chinese resident ID cards (SAM_V module) on a pty")
    sdt.add_argument("--pty", metavar="PATH", help="where the serial port appears (default: in a private folder)")
    sdt.add_argument("--no-card", action="store_true", help="leave the reader empty (default: an invented card)")
    escpos = kinds.add_parser("escpos", help="an ESC/POS receipt printer on TCP or a pty")
    place = escpos.add_mutually_exclusive_group()
    place.add_argument("--tcp", metavar="HOST:PORT", help="listen there; port 0 takes a free one (the default)")
    place.add_argument("--pty", metavar="PATH", help="where the serial port appears")
    escpos.add_argument("--out", metavar="DIR", type=Path, required=True, help="where each receipt is written")
    escpos.add_argument("--model", help="the printer's model (default: the emulator's own choice)")
    stu = kinds.add_parser("wacom-stu", help="a Wacom STU signature pad on USB/IP, or on a pty for the serial models")
    stu.add_argument("--model", help="430, 500, 520, 530, 540, 430V, ... (default: the emulator's own choice)")
    topaz = kinds.add_parser("topaz", help="a Topaz signature pad on a pty")
    topaz.add_argument("--model", help="the pad's model (default: the emulator's own choice)")
    digitizer = kinds.add_parser("hid-digitizer", help="an ePad signature pad on USB/IP")
    evolis = kinds.add_parser("evolis", help="an Evolis card printer on TCP or USB/IP")
    evolis.add_argument("--tcp", metavar="HOST:PORT", help="listen there; port 0 takes a free one (the default)")
    evolis.add_argument("--model", help="KC200B with a bezel for the customer, or Primacy (default: KC200B)")
    magicard = kinds.add_parser("magicard", help="a Magicard card printer on USB/IP or TCP")
    magicard.add_argument("--tcp", metavar="HOST:PORT", help="listen there instead; port 0 takes a free one")
    magicard.add_argument("--model", help="Enduro, or Pronto with one side and another head (default: Enduro)")
    for cards in (evolis, magicard):
        _card_machine(cards)
    _camera(kinds.add_parser("camera", help="a camera with scenes, as MJPEG over HTTP or as a V4L2 device"))
    for usb in (stu, digitizer, evolis, magicard):
        usb.add_argument("--usbip", metavar="HOST:PORT", help="serve USB/IP there; port 0 takes a free one")
    for serial in (stu, topaz):
        serial.add_argument(
            "--pty", metavar="PATH", help="where the serial port appears (default: in a private folder)"
        )
    parser.epilog = (
        'It runs until Ctrl-C (exit code 0). Connect your own software, or a daemon with `link = "..."`. Hands on it: '
        f"a line on standard input with one of {', '.join(WORDS)}."
    )


def _camera(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--http", metavar="HOST:PORT", help="listen there; port 0 takes a free one (the default)")
    parser.add_argument(
        "--v4l2", metavar="DIR", help="be a V4L2 device for programs that see this folder as /dev (Linux, umockdev)"
    )
    parser.add_argument("--width", type=int, help="of its frames (default: 1280)")
    parser.add_argument("--height", type=int, help="of its frames (default: 720)")
    parser.add_argument("--fps", type=float, help="frames a second (default: 30)")
    parser.add_argument(
        "--scene", help="what is before it: person, phone-replay, code, document, ... (default: person)"
    )
    parser.add_argument("--picture", metavar="FILE", help="of the person or the document (default: a drawn one)")
    parser.add_argument("--text", help="what a code says")


def _card_machine(parser: argparse.ArgumentParser) -> None:
    """What all card printers have."""
    parser.add_argument("--out", metavar="DIR", type=Path, help="where each card is written as PNG and JSON")
    parser.add_argument("--cards", type=int, help="blanks in the feeder (default: 50)")
    parser.add_argument("--ribbon", help="YMCKO, YMCKOK, KO, K, ... or none (default: YMCKO)")
    parser.add_argument("--speed", type=float, help="how many times as fast as a real one it works; 0 for at once")


def run(args: argparse.Namespace) -> int:
    """Run it until Ctrl-C or SIGTERM, which end it as they should."""
    import asyncio

    from countertop.server.plugins import Plugins

    spec = Plugins().emulators.get(args.emulator)
    if spec is None:
        complain(f"The emulator {args.emulator} is not installed.", "Install it: pip install --upgrade countertop")
        return 1
    return asyncio.run(_emulate(spec, _options(args), getattr(args, "out", None)))


def _options(args: argparse.Namespace) -> dict[str, Any]:
    options = {name: value for name in _SAME_NAMES if (value := getattr(args, name, None)) is not None}
    if args.emulator == "sdt":
        options["card"] = not args.no_card
    if getattr(args, "out", None):
        options["out"] = str(args.out)
    return options


async def _emulate(spec: EmulatorSpec, options: dict[str, Any], out: Path | None) -> int:
    import asyncio
    import signal

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    seen = _files(out)
    try:
        emulator = await spec.start(options)
    except ValueError as error:
        complain(f"The emulator cannot start: {error}")
        return EXIT_USAGE
    except OSError as error:
        complain(f"The emulator cannot start: {error}", "Choose another address or path.")
        return EXIT_FAILED
    hands = Hands(emulator)
    try:
        say(f"{spec.description}: {emulator.link_url}")
        environment = getattr(emulator, "environment", None)
        if environment:
            words = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
            say(f"Programs that are started with this see it: {words}")
        say("Ctrl-C ends it.")
        hands.listen()
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _POLL_SECONDS)
            for path in sorted(_files(out) - seen):
                say(f"wrote {path}")
                seen.add(path)
    finally:
        await hands.close()
        await emulator.close()
    return EXIT_OK


def _files(out: Path | None) -> set[Path]:
    return set(out.iterdir()) if out is not None and out.is_dir() else set()
