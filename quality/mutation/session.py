"""One codec's mutants as a cosmic-ray session: made once, continued where it stopped, read by cosmic-ray's tools."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

from quality.mutation.codecs import Codec
from quality.mutation.selection import sample, worth_trying
from quality.mutation.tree import REPOSITORY

__all__ = ["Outcomes", "Session", "session"]

Outcomes = list[tuple[MutationSpec, WorkResult]]


class Session:
    """The mutants of one codec: which there are, which are chosen, and what became of them."""

    def __init__(self, work: WorkDB, made: int) -> None:
        self._work = work
        self.made = made
        """How many mutants are worth trying, of which those of this session are a sample."""

    @property
    def outcomes(self) -> Outcomes:
        """In the order of the source."""
        done = [(item.mutations[0], result) for item, result in self._work.completed_work_items]
        return sorted(done, key=lambda one: (str(one[0].module_path), one[0].start_pos, one[0].operator_name))

    def run(self, passes: Callable[[], bool | None], *, survivors: bool) -> Iterator[WorkResult]:
        """Try what has not been tried, and, if asked, once more what survived. `passes` runs the tests."""
        for item in [*(self._survivors() if survivors else ()), *self._work.pending_work_items]:
            result = _try(item.mutations[0], passes)
            self._work.set_result(item.job_id, result)
            yield result

    def _survivors(self) -> list[WorkItem]:
        return [item for item, result in self._work.completed_work_items if not result.is_killed]


@contextmanager
def session(folder: Path, codec: Codec, size: int, seed: int) -> Iterator[Session]:
    """The session in `folder` of this codec as it is now, of `size` mutants; a kept one grows to it.

    The working directory must be the root of the copy.
    """
    if Path.cwd().is_relative_to(REPOSITORY):
        raise RuntimeError("the working directory is the tree itself, which is never mutated")
    modules = [Path(module) for module in codec.modules]
    source = b"".join(module.read_bytes() for module in modules)
    key = hashlib.sha256(source + f"{seed}".encode()).hexdigest()[:12]
    with use_db(folder / f"{codec.name}-{key}.sqlite") as work, use_db(":memory:") as everything:
        init(modules, everything, {})
        mutations = [item.mutations[0] for item in everything.work_items]
        worth = [
            mutation
            for module in modules
            for mutation in worth_trying(module, (one for one in mutations if one.module_path == module))
        ]
        known = {item.job_id for item in work.work_items}
        chosen = (WorkItem.single(_name(one), one) for one in sample(worth, size, seed))
        work.add_work_items(item for item in chosen if item.job_id not in known)
        yield Session(work, len(worth))


def _name(mutation: MutationSpec) -> str:
    return f"{mutation.module_path}:{mutation.operator_name}:{mutation.occurrence}"


def _try(mutation: MutationSpec, passes: Callable[[], bool | None]) -> WorkResult:
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
        if after is None:
            return WorkResult(WorkerOutcome.NO_TEST)
        passed = passes()
    diff = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))
    output = "timeout" if passed is None else ""
    return WorkResult(WorkerOutcome.NORMAL, output, TestOutcome.SURVIVED if passed else TestOutcome.KILLED, diff)
