"""A suite for one more device of a driver: only what can come out otherwise there than on the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from countertop.testing.conformance import DeviceConformance, requirements_of

__all__ = ["only"]

Suite = TypeVar("Suite", bound=type[DeviceConformance])


def only(*numbers: str) -> Callable[[Suite], Suite]:
    """Leaves a suite the requirements with these numbers. Raises ValueError for one that it does not have."""

    def choose(suite: Suite) -> Suite:
        requirements = requirements_of(suite)
        if unknown := set(numbers) - {requirement.number for requirement in requirements.values()}:
            raise ValueError(f"expected requirements of {suite.__name__}, got {', '.join(sorted(unknown))}")
        for name, requirement in requirements.items():
            if requirement.number not in numbers:
                setattr(suite, name, None)  # pytest collects what can be called
        return suite

    return choose
