"""`countertop version`."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version

from countertop.cli.output import say

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(args: argparse.Namespace) -> int:
    """Print it."""
    say(f"countertop {version('countertop')} (Python {platform.python_version()}, grpcio {version('grpcio')})")
    return 0
