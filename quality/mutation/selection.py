"""Which mutants are tried: what cosmic-ray can make, less what no test should notice, less what a sample leaves out."""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosmic_ray.work_item import MutationSpec

__all__ = ["sample", "worth_trying"]

_NO_CHANGE = re.compile(r"ReplaceComparisonOperator_(?!Is_IsNot|IsNot_Is)\w+_Is(Not)?$")
"""`is` for `==` is the same thing for the small integers of a codec, and a warning of Python's."""

_FOR_CHECKERS = {"final", "override", "overload", "runtime_checkable"}


def worth_trying(module: Path, mutations: Iterable[MutationSpec]) -> list[MutationSpec]:
    """The mutations that change what the code does.

    Left out: type annotations, which nothing evaluates; the arguments of @dataclass (frozen, slots); decorators for
    type checkers; the stars of signatures and calls, which are no operators; `is` in the place of another comparison.
    """
    tree = ast.parse(module.read_text(encoding="utf-8"))
    unread = list(_unread(tree))
    sums = [_span(node) for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.AugAssign)]

    def changes(mutation: MutationSpec) -> bool:
        within_sum = "BinaryOperator" not in mutation.operator_name or _within(mutation, sums)
        return within_sum and not _NO_CHANGE.search(mutation.operator_name) and not _within(mutation, unread)

    return [mutation for mutation in mutations if changes(mutation)]


def sample(mutations: list[MutationSpec], size: int, seed: int) -> list[MutationSpec]:
    """At most `size` of them, the same for the same seed: one from each place in the source in turn, in random order,
    so that a `+` with eleven replacements does not stand for eleven places. A larger sample holds the smaller ones.
    """
    chance = random.Random(seed)
    places: defaultdict[tuple[str, tuple[int, int]], list[MutationSpec]] = defaultdict(list)
    for mutation in mutations:
        places[str(mutation.module_path), mutation.start_pos].append(mutation)
    for alternatives in places.values():
        chance.shuffle(alternatives)
    order = list(places.values())
    chance.shuffle(order)
    chosen: list[MutationSpec] = []
    while len(chosen) < min(size, len(mutations)):
        chosen += [alternatives.pop() for alternatives in order if alternatives]
    return chosen[:size]


_Span = tuple[tuple[int, int], tuple[int, int]]


def _within(mutation: MutationSpec, spans: Iterable[_Span]) -> bool:
    return any(start <= mutation.start_pos and mutation.end_pos <= end for start, end in spans)


def _unread(tree: ast.Module) -> Iterator[_Span]:
    """What stands in the source and is not what the code does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
            yield _span(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.returns:
                yield _span(node.returns)
            yield from (_line(decorator) for decorator in node.decorator_list if _name(decorator) in _FOR_CHECKERS)
        elif isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                if _name(decorator) in _FOR_CHECKERS:
                    yield _line(decorator)
                elif isinstance(decorator, ast.Call) and _name(decorator) == "dataclass":
                    yield from (_span(keyword.value) for keyword in decorator.keywords)


def _name(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]


def _span(node: ast.expr | ast.stmt) -> _Span:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _line(node: ast.expr) -> _Span:
    """Of a decorator, with its @ and the end of its line."""
    return (node.lineno, 0), ((node.end_lineno or node.lineno) + 1, 0)
