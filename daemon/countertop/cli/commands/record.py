"""`countertop record`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, count
from countertop.cli.calls import tell, with_counter
from countertop.cli.output import Refused, complain, error_console, say

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["Tally", "configure", "run"]

_EPILOG = """\
The device is connected anew, and recorded until Ctrl-C. What tells of a person is masked before it leaves the driver;
with --encrypt-to nothing is masked, and only the key's holder can read the file. docs/recording.md tells how it
becomes a regression test.
"""
_LONGEST = 24 * 3600
_PRIVATE = 0o600


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `record`."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="the device's id, from `countertop devices`")
    parser.add_argument("--out", type=Path, metavar="FILE.trace", help="where the recording goes; a new file")
    parser.add_argument("--encrypt-to", type=Path, metavar="KEY.pem", help="encrypt it to this public key")
    parser.add_argument("--seconds", type=count(1, _LONGEST), metavar="N", help="end after N seconds")
    parser.add_argument(
        "--new-key",
        type=Path,
        metavar="FILE.pem",
        help="make a key pair instead: the private key in FILE.pem, the public one in FILE.pub.pem",
    )
    add_address(parser)
    add_json(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Record, or make a key pair."""
    if args.new_key is not None:
        return _make_keys(args.new_key)
    if args.device is None or args.out is None:
        raise Refused("record needs a device and --out FILE.trace.", "See: countertop devices")
    key = args.encrypt_to.read_text(encoding="utf-8") if args.encrypt_to is not None else None

    async def work(counter: Counter) -> int:
        return await _record(counter, args, key)

    return with_counter(args, work)


class Tally:
    """Counts what a recording holds, from its lines."""

    def __init__(self) -> None:
        self.openings = 0
        self.entries = 0
        self.bytes = 0
        self._in_data = False

    def take(self, line: str) -> None:
        """One more line."""
        if line.startswith("countertop-trace "):
            self.openings += 1
        elif line.startswith("* "):
            self.entries += 1
            self.bytes += len(line) * 3 // 4
        elif line.startswith(("> ", "< ", "! ")):
            self.entries += 1
        if line.startswith(("> ", "< ", "  ")):
            self.bytes += sum(len(word) == 2 for word in line.split())

    def words(self, seconds: float) -> str:
        """For people."""
        return f"{self.entries} entries, {self.bytes} bytes, {seconds:.0f} s"


async def _record(counter: Counter, args: argparse.Namespace, key: str | None) -> int:
    from countertop.client.errors import CountertopError

    tally, began, failure = Tally(), time.monotonic(), None
    try:
        with args.out.open("xb", buffering=0) as file, error_console().status("connecting anew ...") as shown:

            def take(line: str) -> None:
                file.write(f"{line}\n".encode())  # one call: a file that is cut off ends with a whole line
                tally.take(line)
                shown.update(f"recording {args.device}: {tally.words(time.monotonic() - began)}  (Ctrl-C ends it)")

            async with _until_stopped(args.seconds):
                await _follow(counter, args.device, key, take)
    except CountertopError as error:
        failure = error
    if not tally.openings:
        args.out.unlink()
    _tell(args, tally, time.monotonic() - began, encrypted=key is not None)
    if failure is not None:
        tell(failure)
    return 0 if failure is None and tally.openings else 1


async def _follow(counter: Counter, device: str, key: str | None, take: Callable[[str], None]) -> None:
    async with aclosing(counter.record(device, key)) as lines:
        async for line in lines:
            take(line)


@asynccontextmanager
async def _until_stopped(seconds: int | None) -> AsyncIterator[None]:
    """End the block without an error at Ctrl-C, or when the time is up."""
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            loop.add_signal_handler(signal.SIGINT, lambda: limit.reschedule(loop.time()))
            try:
                yield
            finally:
                loop.remove_signal_handler(signal.SIGINT)
    except TimeoutError:
        if not limit.expired():
            raise


def _tell(args: argparse.Namespace, tally: Tally, seconds: float, *, encrypted: bool) -> None:
    if args.json:
        facts = {"openings": tally.openings, "entries": tally.entries, "bytes": tally.bytes}
        whole = {"file": str(args.out) if tally.openings else "", **facts, "seconds": round(seconds, 3)}
        say(json.dumps({**whole, "encrypted": encrypted}))
    elif tally.openings:
        say(f"{args.out}: {tally.words(seconds)}")
    else:
        complain("Nothing was recorded.")


def _make_keys(path: Path) -> int:
    from countertop.sdk.errors import CountertopError
    from countertop.sdk.trace.sealing import new_key_pair

    public_path = path.with_suffix(f".pub{path.suffix}")
    try:
        private, public = new_key_pair()
    except CountertopError as error:
        raise Refused(error.message) from None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
    with public_path.open("xb") as file:
        file.write(public)
    say(f"{path}: the private key. Keep it where recordings are read, never on a counter.")
    say(f"{public_path}: the public key, for --encrypt-to.")
    return 0
