"""`python -m tests.faults --kills 1000`: kill the daemon again and again, and compare paper, journal and client."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from tests.faults.daemon import Report
from tests.faults.lab import Lab


async def run(kills: int, seed: int, lanes: int, only: str, progress: bool) -> Report:
    """So many kills in so many laboratories at the same time; or only the round of that name."""
    report = Report()
    began = time.monotonic()

    async def lane(number: int, folder: Path) -> None:
        async with Lab(folder / str(number), report) as lab:
            if only:
                await lab.round(only)
                return
            count = 0
            while report.kills.total() < kills:
                await lab.round(f"{seed}:{number}:{count}")
                count += 1
                if progress:
                    show(report, kills, began)

    with tempfile.TemporaryDirectory(prefix="countertop-lab-") as folder:
        async with asyncio.TaskGroup() as group:
            for number in range(1 if only else lanes):
                group.create_task(lane(number, Path(folder)))
    return report


def show(report: Report, kills: int, began: float) -> None:
    """One line that is written over."""
    done, seconds = report.kills.total(), time.monotonic() - began
    line = (
        f"\r{done}/{kills} kills, {report.outcomes.total()} receipts, {len(report.problems)} problems, {seconds:.0f} s"
    )
    print(line, end="", file=sys.stderr, flush=True)


def tell(report: Report, seed: int) -> None:
    """The report for people."""
    receipts = report.outcomes.total()
    print(f"{report.kills.total()} kills, {receipts} receipts (seed {seed}). How they ended:")
    for outcome, count in report.outcomes.most_common():
        print(f"  {count:6} {outcome}")
    print("Where the daemon died:")
    for point, count in report.kills.most_common():
        print(f"  {count:6} {point}")
    if report.recoveries:
        print(f"From the kill to a printer that is ready again: median {statistics.median(report.recoveries):.2f} s")
    print(f"UNCERTAIN, each for a person to look at: {len(report.uncertain)}")
    for line in report.uncertain:
        print(f"  {line}")
    for kind in ("DUPLICATE", "LOST", "HANG"):
        print(f"{kind}: {sum(kind in problem for problem in report.problems)}")
    for problem in report.problems:
        print(f"  {problem}")


def main() -> int:
    """Returns 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="how often the daemon is killed (default: 60)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="default: a new one")
    parser.add_argument("--lanes", type=int, default=3, help="laboratories at the same time (default: 3)")
    parser.add_argument("--only", default="", metavar="ROUND", help="only this round of a report, such as 17:0:3")
    args = parser.parse_args()
    report = asyncio.run(run(args.kills, args.seed, args.lanes, args.only, sys.stderr.isatty()))
    print(file=sys.stderr)
    tell(report, args.seed)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
