"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["add_address", "add_json", "count", "seconds"]


def add_address(parser: argparse.ArgumentParser) -> None:
    """`--address`: where the daemon answers."""
    parser.add_argument(
        "--address",
        metavar="ADDR",
        help="where the daemon listens: unix:/PATH or HOST:PORT (default: $COUNTERTOP_ADDRESS, else the daemon's own "
        "default socket, else 127.0.0.1:7411)",
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    """`--json`: for programs."""
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object a line")


def seconds(text: str) -> float:
    """A time of 0.1 s to 600 s. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"expected seconds, 0.1 to 600, got {text!r}")
    return value


def count(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} to {most}, got {text!r}")
        return value

    return parse
