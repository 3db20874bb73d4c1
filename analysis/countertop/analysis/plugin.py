"""Announces the analyser that comes with Countertop."""

from __future__ import annotations

from collections.abc import Sequence

from countertop.sdk.plugins import AnalyserSpec, hookimpl


@hookimpl
def countertop_analysers() -> Sequence[AnalyserSpec]:
    """The analysers of this distribution."""
    return (
        AnalyserSpec(
            name="countertop",
            factory="countertop.analysis.presence:make",
            description="Faces, silent liveness and comparison with a photo, by models that are files",
        ),
    )
