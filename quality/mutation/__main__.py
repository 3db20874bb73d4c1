"""Mutates codecs in a copy of the tree, runs their tests, prints what survived."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from quality.mutation import equivalent
from quality.mutation.codecs import CODECS, Codec
from quality.mutation.report import Score, score, show_survivors, show_table
from quality.mutation.session import session
from quality.mutation.tree import copy_tree, import_only_from
from quality.mutation.trial import NoBaseline, baseline, passes


def main() -> int:
    """Returns 0 when every mutant of every codec was killed or is known to be equivalent, 1 when some survived."""
    arguments = _arguments()
    console = Console()
    named = {codec.name: codec for codec in CODECS}
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the copy goes as well
    scores: list[Score] = []
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        sessions = (arguments.sessions or Path(temporary) / "sessions").resolve()
        sessions.mkdir(parents=True, exist_ok=True)
        copy = copy_tree(Path(temporary))
        import_only_from(copy)
        for name in arguments.codecs or named:
            try:
                scores.append(_measure(console, named[name], copy, sessions, arguments))
            except NoBaseline as problem:
                sys.exit(str(problem))
            show_survivors(console, scores[-1])
    show_table(console, scores)
    return 1 if any(one.survivors for one in scores) else 0


def _measure(console: Console, codec: Codec, copy: Path, sessions: Path, arguments: argparse.Namespace) -> Score:
    with session(sessions, codec, arguments.sample, arguments.seed) as mutants:
        if not arguments.report:
            limits = baseline(copy, codec.tests)
            run = mutants.run(partial(passes, copy, codec.tests, limits), survivors=arguments.survivors)
            for result in run:
                console.print("." if result.is_killed else "S", end="", highlight=False)
            console.print()
        return score(codec.name, mutants.made, mutants.outcomes, equivalent.load())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quality.mutation", description=__doc__)
    names = [codec.name for codec in CODECS]
    parser.add_argument("codecs", nargs="*", metavar="CODEC", help=f"all, or some of: {', '.join(names)}")
    parser.add_argument("--sample", type=int, default=120, help="mutants of a codec at most (default: 120)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--sessions", type=Path, help="keep cosmic-ray's sessions in this folder and continue them")
    parser.add_argument("--survivors", action="store_true", help="try what survived in the kept sessions once more")
    parser.add_argument("--report", action="store_true", help="try nothing, show what the kept sessions tell")
    arguments = parser.parse_args()
    if unknown := set(arguments.codecs) - set(names):
        parser.error(f"no codec is named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
