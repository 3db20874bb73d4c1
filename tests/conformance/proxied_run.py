"""An operation that a broken driver has in its hands, and may pass on as it likes."""

from __future__ import annotations

from typing import Any

from countertop.sdk.device import Evidence, Run
from countertop.sdk.errors import CountertopError

__all__ = ["Defiant", "Late", "OnceOnly", "Passed"]


class Passed:
    """Passes everything on; subclasses do not."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


class Late(Passed):
    """Keeps the commit points for later."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.kept: list[tuple[str, Evidence]] = []

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        self.kept.append((step, evidence or {}))

    async def come(self) -> None:
        """Now."""
        for step, evidence in self.kept:
            await self.run.commit_point(step, evidence)


class Defiant(Passed):
    """Goes on when a commit point fails."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.error: CountertopError | None = None

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        try:
            await self.run.commit_point(step, evidence or {})
        except CountertopError as error:
            self.error = error

    def end(self) -> None:
        """Raise what it has gone on after."""
        if self.error is not None:
            raise self.error


class OnceOnly(Passed):
    """Has one commit point, whatever comes later."""

    passed = False

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        if not self.passed:
            await self.run.commit_point(step, evidence or {})
        self.passed = True
