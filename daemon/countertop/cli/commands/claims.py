"""`countertop claims`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import console, json_line, local_time, table, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from countertop.client import Counter
    from countertop.v1.claim_pb2 import ClaimInfo

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `claims`."""
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List them, in the order in which they were asked for."""

    async def work(counter: Counter) -> int:
        claims = await counter.claims()
        if args.json:
            for claim in claims:
                json_line(claim)
        else:
            _show(claims)
        return 0

    return with_counter(args, work)


def _show(claims: Sequence[ClaimInfo]) -> None:
    from rich.markup import escape

    from countertop.v1 import claim_pb2

    shown = table("since", "claimed by", "devices", "state", "waits for", whole=3)
    for claim in claims:
        cells = (
            local_time(claim.since),
            claim.label,
            ", ".join(claim.device_ids),
            word(claim_pb2.ClaimState, claim.state, "CLAIM_STATE_"),
            f"{claim.position} before it" if claim.position > 1 else "the holder" if claim.position else "",
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
