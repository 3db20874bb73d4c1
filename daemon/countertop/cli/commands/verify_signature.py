"""`countertop verify-signature`. Needs no daemon."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from countertop.cli import EXIT_FAILED, EXIT_OK
from countertop.cli.arguments import add_json
from countertop.cli.output import Refused, complain, console, json_line, table

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `verify-signature`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the signature file, from `countertop sign --file`")
    parser.add_argument(
        "--key", type=Path, metavar="FILE.pem", help="the terminal's public key, from `countertop signing-key`"
    )
    parser.add_argument("--document", type=Path, metavar="FILE", help="the document that was signed")
    add_json(parser)
    parser.epilog = (
        "Exit code 0: everything fits. 1: something does not, and is named. Without --key only what the file says of "
        "itself is checked: somebody could have sealed it with a key of their own."
    )


def run(args: argparse.Namespace) -> int:
    """Check every part of it."""
    from countertop.sdk.errors import CountertopError
    from countertop.sdk.ink.signature_file import verify

    digest = hashlib.sha256(args.document.read_bytes()).digest() if args.document is not None else b""
    try:
        answer = verify(args.file.read_bytes(), public_key=_public_key(args.key), document_sha256=digest)
    except CountertopError as error:
        raise Refused(str(error)) from error
    if args.json:
        json_line(answer)
        return EXIT_OK if answer.genuine else EXIT_FAILED
    shown = table("", "part", "what was found")
    for check in answer.checks:
        shown.add_row("[green]fits[/]" if check.passed else "[red]FAILS[/]", check.name, check.detail)
    console().print(shown)
    if not answer.genuine:
        complain("The signature file is not genuine.", "Get it again from where it was first stored.")
        return EXIT_FAILED
    binding = answer.binding
    console().print(
        f"Signed on {binding.device_id} of {binding.terminal_id} at {binding.time.ToJsonString()}: "
        f"{binding.document_title or 'a document without a title'}",
        markup=False,
    )
    if args.key is None:
        console().print("The key was not checked: give --key.", style="yellow")
    return EXIT_OK


def _public_key(path: Path | None) -> bytes:
    if path is None:
        return b""
    from countertop.sdk.ink.signer import public_key_of

    try:
        return public_key_of(path.read_bytes())
    except ValueError as error:
        raise Refused(
            f"{path} holds no public key: {error}", "Get it with: countertop signing-key --out FILE.pem"
        ) from error
