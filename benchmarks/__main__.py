"""Runs the benchmarks, prints a table, writes JSON."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Figure, Settings

NAMES = (
    "unary",
    "operation",
    "cold_start",
    "encode",
    "memory",
    "journal",
    "fanout",
    "claims",
    "neighbour",
    "isolation",
    "pen",
    "usbip",
    "ink",
    "card_design",
    "card_encode",
    "card_issue",
    "frames",
    "presence",
    "document_finder",
    "scan",
    "terminal",
    "access",
    "audit",
    "browser",
    "doors",
    "page",
)
PACKAGES = (
    "countertop",
    "grpcio",
    "protobuf",
    "pydantic",
    "python-escpos",
    "pillow",
    "numpy",
    "opencv-python-headless",
)


def machine() -> dict[str, Any]:
    """What it ran on."""
    processor = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "processor": processor,
        "cpus": os.cpu_count(),
        "memory_megabytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": platform.platform(),
        "load": os.getloadavg(),
    }


def versions() -> dict[str, str]:
    """What ran."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def number(value: float | None) -> str:
    """Three figures or so."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(results: dict[str, list[Figure]]) -> Table:
    """All figures."""
    made = Table(title="Countertop beside its references (ratio: ours / reference, median of the rounds)")
    for column in ("figure", "unit", "ours", "reference", "ratio", "target", ""):
        made.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    words = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}
    for name, figures in results.items():
        made.add_section()
        for figure in figures:
            ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
            target = "" if figure.target is None else f"≤ {figure.target:g}"
            made.add_row(
                f"{name}: {figure.name}",
                figure.unit,
                number(figure.ours),
                number(figure.reference),
                ratio,
                target,
                words[figure.met],
            )
    return made


def arguments() -> argparse.Namespace:
    """The command line."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    default = Path(__file__).parent / "results" / f"{today}.json"
    parser.add_argument("--json", type=Path, default=default, metavar="FILE", help="where to write all figures")
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds: for a first look")
    parser.add_argument("--explain", action="store_true", help="also tell which imports a cold start pays for")
    return parser.parse_args()


def main() -> int:
    """1 when a benchmark could not run; a missed target is a figure, not a failure."""
    options = arguments()
    console, results, errors = Console(), {}, {}
    with tempfile.TemporaryDirectory(prefix="countertop-bench-") as directory:
        for name in options.only:
            console.print(f"{name} …", style="dim")
            place = Path(directory, name)
            place.mkdir()
            settings = Settings(quick=options.quick, explain=options.explain, directory=place)
            try:
                results[name] = import_module(f"benchmarks.{name}").run(settings)
            except Exception as error:  # the others are still worth their time
                errors[name] = f"{type(error).__name__}: {error}"
                console.print(f"{name} could not run: {errors[name]}", style="red", markup=False)
    console.print(table(results))
    report = {
        "at": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": machine(),
        "versions": versions(),
        "figures": {name: [figure.as_json() for figure in figures] for name, figures in results.items()},
        "errors": errors,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"all figures: {options.json}", style="dim")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
