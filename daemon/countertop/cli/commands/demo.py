"""`countertop demo`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from countertop.cli.output import complain, console, say

__all__ = ["configure", "run"]

MAX_SOCKET_PATH = 104
"""A unix socket's path may be no longer, on any system; folders for temporary files sometimes are."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `demo`."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("counter-visit"),
        help="for the files (default: ./counter-visit)",
    )
    parser.add_argument(
        "--address",
        metavar="ADDR",
        help="the visit at a daemon that runs already, with the emulated terminal (countertop serve); by default the "
        "demo has a daemon of its own",
    )
    parser.add_argument(
        "--models-dir",
        type=Path,
        metavar="DIR",
        help="where the models for liveness lie, which are not part of this package: see `countertop models list`",
    )
    parser.epilog = (
        "It leaves photo.png, face.jpg (with --models-dir), document.png, pad.png, signature.png, signature.svg, "
        "signature.json, receipt.png, phone.jpg, card-front.png, card-back.png and visit.json. Everything in it is "
        "invented; no hardware is used."
    )


def run(args: argparse.Namespace) -> int:
    """A terminal of emulated devices, and a visit at it."""
    from countertop.cli.calls import tell
    from countertop.client.errors import CountertopError
    from countertop.sdk.errors import CountertopError as EngineError

    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="countertop-") as folder:
            asyncio.run(_demo(args.out, Path(folder), args.address, args.models_dir and args.models_dir.resolve()))
    except CountertopError as error:
        tell(error)
        return 1
    except (EngineError, ImportError) as error:
        complain(f"The receipt cannot be drawn: {error}", "pip install 'countertop[receipt]'")
        return 1
    say(f"Done. The files lie in {args.out}")
    return 0


async def _demo(out: Path, folder: Path, address: str | None, models: Path | None) -> None:
    from datetime import datetime

    from countertop.cli.sample_receipt import sample_receipt
    from countertop.cli.visit import Visit
    from countertop.client import connect
    from countertop.server.app import Daemon
    from countertop.server.config import Config, ListenConfig

    moment = datetime.now().astimezone()
    receipt = sample_receipt(moment, f"{moment:%Y%m%d}000042")
    config = Config.emulated()
    socket = f"{folder}/countertop.sock"
    config.listen = ListenConfig([f"unix:{socket}" if len(socket) < MAX_SOCKET_PATH else "127.0.0.1:0"])
    config.terminal.drain_seconds = 0.0
    if models is not None:
        config.analysis.models_dir = str(models)
    config.terminal.state_dir = f"{folder}/state"
    async with AsyncExitStack() as stack:
        if address is None:
            daemon = await stack.enter_async_context(Daemon(config))
            address = daemon.addresses[0]
        counter = await stack.enter_async_context(connect(address))
        visit = Visit(counter, out, console())
        try:
            await visit.run(receipt)
        finally:
            visit.save()
