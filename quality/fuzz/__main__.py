"""Fuzzes everything that reads bytes from outside: each parser in a process of its own, for a bounded time."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from collections.abc import Sequence

from rich.console import Console

from quality.fuzz.campaign import Campaign, Outcome
from quality.fuzz.target import Target
from quality.fuzz.targets import TARGETS


def main() -> int:
    """Returns 0 when nothing was found, 1 else, 130 when it was broken off."""
    arguments = _arguments()
    chosen = [TARGETS[name] for name in arguments.targets or TARGETS]
    try:
        outcomes = asyncio.run(_run(chosen, arguments))
    except KeyboardInterrupt:
        return 130
    if arguments.json:
        print(json.dumps([_readable(outcome) for outcome in outcomes], indent=2))
    return 0 if all(outcome.clean for outcome in outcomes) else 1


async def _run(targets: Sequence[Target], arguments: argparse.Namespace) -> list[Outcome]:
    campaign = Campaign(arguments.seconds, arguments.seed)
    console = Console(stderr=arguments.json, highlight=False)
    room = asyncio.Semaphore(arguments.jobs)

    async def one(target: Target) -> Outcome:
        async with room:
            outcome = await campaign.run(target, keeping=arguments.keep)
        _show(console, outcome)
        return outcome

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(target)) for target in targets]
    return [task.result() for task in tasks]


def _show(console: Console, outcome: Outcome) -> None:
    console.print(f"{outcome.name:22}{outcome.runs:10} inputs{outcome.edges:7} edges  ", end="")
    console.print("[green]nothing found[/]" if outcome.clean else "[red]FOUND[/]")
    if not outcome.clean:
        console.print(outcome.said, markup=False)
        for data in outcome.findings:
            line = base64.b64encode(data).decode()
            console.print(
                f"Mend it, and add this line to quality/fuzz/corpus/{outcome.name}.txt:\n{line}", markup=False
            )


def _readable(outcome: Outcome) -> dict[str, object]:
    findings = [base64.b64encode(data).decode() for data in outcome.findings]
    return {"target": outcome.name, "inputs": outcome.runs, "edges": outcome.edges, "clean": outcome.clean,
            "findings": findings}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quality.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all, or some of: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=30, help="for each target (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of libFuzzer's choices (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once (default: one a core)")
    parser.add_argument("--keep", action="store_true", help="add what was reached newly to the kept corpus")
    parser.add_argument("--json", action="store_true", help="print what came of it in JSON; progress goes to stderr")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no target is named {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if arguments.seconds < 1 or arguments.jobs < 1:
        parser.error("--seconds and --jobs must be 1 or more")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
