"""`python -m tests.faults [--cards] --kills 1000`: kill the daemon again and again; compare paper or cards, journal and
client.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from tests.faults.cards import CardLab
from tests.faults.daemon import Report
from tests.faults.lab import Lab

KINDS: dict[str, tuple[type[Lab | CardLab], tuple[str, ...]]] = {
    "receipts": (Lab, ("DUPLICATE", "LOST", "HANG")),
    "cards": (CardLab, ("DOUBLE", "UNACCOUNTED", "LOST", "HANG")),
}
"""What is made, in which laboratory, and what must not happen to it."""


async def run(kind: str, kills: int, seed: int, lanes: int, only: str, progress: bool) -> Report:
    """So many kills in so many laboratories at the same time; or only the round of that name."""
    report = Report()
    began = time.monotonic()

    async def lane(number: int, folder: Path) -> None:
        async with KINDS[kind][0](folder / str(number), report) as lab:
            if only:
                await lab.round(only)
                return
            count = 0
            while report.kills.total() < kills:
                await lab.round(f"{seed}:{number}:{count}")
                count += 1
                if progress:
                    show(report, kind, kills, began)

    with tempfile.TemporaryDirectory(prefix="countertop-lab-") as folder:
        async with asyncio.TaskGroup() as group:
            for number in range(1 if only else lanes):
                group.create_task(lane(number, Path(folder)))
    return report


def show(report: Report, kind: str, kills: int, began: float) -> None:
    """One line that is written over."""
    done, seconds = report.kills.total(), time.monotonic() - began
    line = f"\r{done}/{kills} kills, {report.outcomes.total()} {kind}, {len(report.problems)} problems, {seconds:.0f} s"
    print(line, end="", file=sys.stderr, flush=True)


def tell(report: Report, kind: str, seed: int) -> None:
    """The report for people."""
    print(f"{report.kills.total()} kills, {report.outcomes.total()} {kind} (seed {seed}). How they ended:")
    for outcome, count in report.outcomes.most_common():
        print(f"  {count:6} {outcome}")
    print("Where the daemon died:")
    for point, count in report.kills.most_common():
        print(f"  {count:6} {point}")
    if report.recoveries:
        print(f"From the kill to a device that is in order again: median {statistics.median(report.recoveries):.2f} s")
    print(f"UNCERTAIN, each for a person to look at: {len(report.uncertain)}")
    for line in report.uncertain:
        print(f"  {line}")
    for evil in KINDS[kind][1]:
        print(f"{evil}: {sum(evil in problem for problem in report.problems)}")
    for problem in report.problems:
        print(f"  {problem}")


def main() -> int:
    """Returns 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--cards", action="store_true", help="issue cards instead of printing receipts")
    parser.add_argument("--kills", type=int, default=60, help="how often the daemon is killed (default: 60)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="default: a new one")
    parser.add_argument("--lanes", type=int, default=3, help="laboratories at the same time (default: 3)")
    parser.add_argument("--only", default="", metavar="ROUND", help="only this round of a report, such as 17:0:3")
    args = parser.parse_args()
    kind = "cards" if args.cards else "receipts"
    report = asyncio.run(run(kind, args.kills, args.seed, args.lanes, args.only, sys.stderr.isatty()))
    print(file=sys.stderr)
    tell(report, kind, args.seed)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
