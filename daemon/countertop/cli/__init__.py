"""The command line. This module imports nothing but argparse, so that help is there at once; each command is a module
of `commands`, imported when it is asked for, and imports heavy things (grpc, rich, pydantic) only when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import Protocol, cast

from countertop.cli.output import Refused, complain, show_anything

__all__ = ["COMMANDS", "EXIT_FAILED", "EXIT_INTERRUPTED", "EXIT_OK", "EXIT_USAGE", "Command", "main"]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

COMMANDS = {
    "demo": ("demo", "a whole visit at the counter, on emulated devices"),
    "serve": ("serve", "run the daemon; without a configuration, with the emulated terminal"),
    "devices": ("devices", "what there is and how it is"),
    "watch": ("watch", "follow everything that happens on the terminal"),
    "read-id": ("read_id", "read an identity document"),
    "print": ("print", "print text, or a receipt as JSON or YAML; or preview it"),
    "sign": ("sign", "take a signature on a pad"),
    "verify-signature": ("verify_signature", "check a signature file"),
    "signing-key": ("signing_key", "the public key that this terminal's signature files are checked with"),
    "capture": ("capture", "take a still with a camera, or a document under one"),
    "preview": ("preview", "see what a camera sees, in this terminal or in a window"),
    "scan": ("scan", "look for a QR code or bar code"),
    "verify-presence": ("verify_presence", "check that a living person is before a camera, and who"),
    "evaluate-pad": ("evaluate_pad", "count how often a presence check is deceived, on pictures of your own"),
    "models": ("models", "the models that look at faces: what there is, and add one"),
    "issue-card": ("issue_card", "make a card: stripe, print, and give it out"),
    "preview-card": ("preview_card", "draw a card's design, with no printer"),
    "inventory": ("inventory", "hoppers, bins and ribbon of card printers; fill and empty them"),
    "operations": ("operations", "what was done, newest first"),
    "resolve": ("resolve", "say what became of an operation that is UNCERTAIN"),
    "cancel": ("cancel", "give an operation up"),
    "claims": ("claims", "who uses which devices alone, and who waits"),
    "health": ("health", "check a device's health"),
    "maintenance": ("maintenance", "take a device out of use, or back into use"),
    "statistics": ("statistics", "what a device has done"),
    "audit": ("audit", "what was done and by whom: check it, export it, show it"),
    "reset": ("reset", "end what runs on a device and connect anew"),
    "call": ("call", "carry out a command of a device's vendor, or list them"),
    "record": ("record", "record what goes over a device's link, to play it back in a test"),
    "bench": ("bench", "hands on emulated devices: cards, covers, paper, pens, customers, scenes, plugs, faults"),
    "emulate": ("emulate", "run one emulator, for any software"),
    "new-driver": ("new_driver", "write a project for a driver of your own, with an emulator and tests that pass"),
    "conformance": ("conformance", "check a driver against its contract, on an emulator or on a real device"),
    "pair": ("pair", "tokens and certificates: who may call besides this machine's own users"),
    "doctor": ("doctor", "what is missing on this machine, and the command that mends it"),
    "version": ("version", "the version"),
}
"""Each command, its module in `countertop.cli.commands`, and its line in the help."""

_EPILOG = """\
exit codes:
  0    done
  1    failed; standard error says why and what to do next
  2    the command line has a mistake
  130  interrupted with Ctrl-C; what ran was cancelled

`countertop COMMAND --help` tells the options of a command.
"""


class Command(Protocol):
    """What each module of `commands` offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Returns the exit code."""
        ...


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns its exit code; never raises for what a user or a device does."""
    show_anything()
    words = sys.argv[1:] if argv is None else argv
    parser, subparsers = _parser()
    command: Command | None = None
    for name, (module, line) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=line, description=_sentence(line), formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if words and words[0] == name:
            command = cast("Command", import_module(f"countertop.cli.commands.{module}"))
            command.configure(subparser)
    try:
        args = parser.parse_args(words)
    except SystemExit as end:  # argparse has printed the help or the mistake
        return end.code if isinstance(end.code, int) else EXIT_USAGE
    if command is None:
        parser.print_help()
        return EXIT_USAGE
    return _run(command, args)


def _run(command: Command, args: argparse.Namespace) -> int:
    try:
        return command.run(args)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Refused as refusal:
        complain(str(refusal), refusal.next_step)
        return EXIT_FAILED
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing may complain at exit
        return EXIT_OK
    except OSError as error:
        complain(f"{error.strerror}: {error.filename}" if error.filename else str(error))
        return EXIT_FAILED


def _parser() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="countertop",
        description="Every device on a bank counter behind one protocol.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser, parser.add_subparsers(title="commands", metavar="COMMAND")


def _sentence(line: str) -> str:
    return f"{line[0].upper()}{line[1:]}."
