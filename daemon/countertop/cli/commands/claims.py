"""`countertop claims`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import console, json_line, local_time, say, table, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from countertop.client import Counter
    from countertop.v1.claim_pb2 import ClaimInfo

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `claims`."""
    parser.add_argument("--revoke", metavar="ID", help="take the devices from this claim's holder, or end its wait")
    parser.add_argument("--reason", help="why; needed with --revoke; no customer data")
    parser.add_argument("--by", default="", metavar="WHO", help="with --revoke: a staff number or a role")
    add_address(parser)
    add_json(parser)
    parser.set_defaults(refuse=parser.error)
    parser.epilog = "The holder of a revoked claim is not asked. Reason and WHO go into the audit."


def run(args: argparse.Namespace) -> int:
    """List them, in the order in which they were asked for; or revoke one."""
    if bool(args.revoke) != bool(args.reason) or (args.by and not args.revoke):
        args.refuse("--revoke needs a --reason, and --reason and --by need --revoke")

    async def work(counter: Counter) -> int:
        if args.revoke:
            await counter.revoke_claim(args.revoke, args.reason, args.by)
            say(f"Claim {args.revoke} is revoked.")
            return 0
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

    shown = table("id", "since", "claimed by", "devices", "state", "waits for", whole=4)
    for claim in claims:
        cells = (
            claim.id,
            local_time(claim.since),
            claim.label,
            ", ".join(claim.device_ids),
            word(claim_pb2.ClaimState, claim.state, "CLAIM_STATE_"),
            f"{claim.position} before it" if claim.position > 1 else "the holder" if claim.position else "",
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
