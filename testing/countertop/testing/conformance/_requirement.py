"""Requirements: numbered methods of a suite, each a test of its own."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from countertop.testing.conformance._rig import Rig

__all__ = ["Requirement", "RequirementBroken", "expect", "requirement", "requirements_of"]

Check: TypeAlias = "Callable[..., Awaitable[None]]"
"""A coroutine method that takes a Rig, and where there is a strategy an example of it."""

EXAMPLES = "COUNTERTOP_CONFORMANCE_EXAMPLES"
"""The environment variable that stands for every suite's `examples`."""


class RequirementBroken(AssertionError):
    """What a driver does not do as its contract says; a complete sentence."""


def expect(holds: object, sentence: str) -> None:
    """Raises RequirementBroken with the sentence, which says what was expected and what came."""
    if not holds:
        raise RequirementBroken(sentence)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a driver must do."""

    number: str
    """`D-03`: a letter for the kind of device (D: every device) and two digits; never given twice, never reused."""
    title: str
    """What holds, one sentence."""
    why: str
    """Why, and how it is checked: the docstring of the method."""


def requirement(
    number: str,
    title: str,
    *,
    given: Callable[[Any], SearchStrategy[Any]] | None = None,
    always: Callable[[Any], Sequence[Any]] = lambda suite: (),
) -> Callable[[Check], Callable[[Any], None]]:
    """Marks a coroutine method of a suite, which takes a Rig, as the check of a requirement.

    It runs on an event loop of its own, on an emulator of its own, so that pytest needs no plugin for asyncio, and what
    one check leaves behind cannot hurt another. With `given`, a function of the suite that gives a strategy, the check
    is a property: it takes an example too, and runs `suite.examples` times; and with each example that `always` gives,
    for what is too rare to be drawn.
    """

    def mark(check: Check) -> Callable[[Any], None]:
        @functools.wraps(check)
        def test(self: Any) -> None:
            def with_example(example: Any) -> None:
                self.carry_out(_with(check, self, example))

            if given is None:
                self.carry_out(functools.partial(check, self))
            else:
                _for_all(given(self), always(self), _examples(self), with_example)

        test.requirement = Requirement(number, title, inspect.getdoc(check) or "")  # type: ignore[attr-defined]
        del test.__wrapped__  # pytest would take `rig` for a fixture
        return test

    return mark


def _with(check: Check, suite: Any, example: Any) -> Callable[[Rig], Awaitable[None]]:
    return lambda rig: check(suite, rig, example)


def _examples(suite: Any) -> int:
    """How many examples a property tries here: fewer, or more, where the environment says so."""
    chosen = os.environ.get(EXAMPLES, "")
    return int(chosen) if chosen else int(suite.examples)


def _for_all(strategy: SearchStrategy[Any], always: Sequence[Any], examples: int, check: Callable[[Any], None]) -> None:
    import hypothesis

    slow = hypothesis.HealthCheck
    each = hypothesis.given(strategy)(check)
    for example in always:
        each = hypothesis.example(example)(each)
    hypothesis.settings(
        max_examples=examples,
        deadline=None,  # how fast a device is, is not what is asked here
        database=None,
        derandomize=True,  # the same driver gets the same verdict
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],  # to shrink may take minutes on a device
        suppress_health_check=[slow.too_slow, slow.data_too_large, slow.filter_too_much],
    )(each)()


def requirements_of(suite: type[Any]) -> dict[str, Requirement]:
    """The requirements of a suite by the names of their methods, in the order of their numbers."""
    found = {
        name: method.requirement
        for name in dir(suite)
        if hasattr(method := getattr(suite, name), "requirement") and isinstance(method.requirement, Requirement)
    }
    return dict(sorted(found.items(), key=lambda item: item[1].number))
