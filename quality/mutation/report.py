"""What became of the mutants: a table, and the survivors one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from quality.mutation.equivalent import Equivalents, changed_line
from quality.mutation.session import Outcomes

__all__ = ["Score", "score", "show_survivors", "show_table"]


@dataclass(frozen=True)
class Score:
    """One codec. `made` mutants are worth trying; the others count those that were tried."""

    codec: str
    made: int
    tried: int
    killed: int
    equivalent: int
    survivors: Outcomes

    @property
    def percent(self) -> float:
        """Killed, of those that can be killed."""
        return 100.0 * self.killed / max(1, self.tried - self.equivalent)


def score(codec: str, made: int, outcomes: Outcomes, equivalents: Equivalents) -> Score:
    """Count. A mutant whose tests did not end in time is killed: so it would be noticed."""
    alive = [(mutation, result) for mutation, result in outcomes if not result.is_killed]
    survivors = [
        (mutation, result)
        for mutation, result in alive
        if equivalents.reason(mutation.module_path, result.diff or "") is None
    ]
    return Score(codec, made, len(outcomes), len(outcomes) - len(alive), len(alive) - len(survivors), survivors)


def show_survivors(console: Console, one: Score) -> None:
    """Each with its place, the operator, and the change."""
    for mutation, result in one.survivors:
        before, after = changed_line(result.diff or "")
        operator = mutation.operator_name.removeprefix("core/")
        console.print(f"{mutation.module_path}:{mutation.start_pos[0]}  {operator}", highlight=False, markup=False)
        for sign, text in (("-", before), ("+", after)):
            for line in text.splitlines():
                console.print(f"  {sign} {line}", highlight=False, markup=False, soft_wrap=True)


def show_table(console: Console, scores: Iterable[Score]) -> None:
    """One line for each codec."""
    table = Table("codec", box=None)
    for title in ("mutants", "tried", "killed", "equivalent", "survived", "score"):
        table.add_column(title, justify="right")
    for one in scores:
        counts = (one.made, one.tried, one.killed, one.equivalent, len(one.survivors))
        table.add_row(one.codec, *map(str, counts), f"{one.percent:.0f} %")
    console.print(table)
