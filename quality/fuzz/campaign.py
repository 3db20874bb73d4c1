"""A target's run: libFuzzer in a process of its own, with bounds on time and memory, and what came of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quality.fuzz.corpus import keep, kept
from quality.fuzz.target import Target

__all__ = ["Campaign", "Outcome"]

MAX_BYTES = 4096
"""Of an input. Parsers of longer things have limits of their own, which other tests are for."""
HANG_SECONDS = 10
"""An input that takes longer is a finding."""
_MORE_SECONDS = 120.0
"""That a process may take beside its time, to begin and to end."""
_ROOT = Path(__file__).parents[2]
_OPTIONS = (f"-max_len={MAX_BYTES}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=1024")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one target."""

    name: str
    runs: int
    """Inputs that were tried."""
    edges: int
    """Of the instrumented code that were reached."""
    findings: tuple[bytes, ...]
    """Inputs that something is wrong with: at most one, since a run ends with it."""
    said: str
    """libFuzzer's last lines, when there is a finding."""

    @property
    def clean(self) -> bool:
        """Nothing was found."""
        return not self.said


class Campaign:
    """Runs targets for so many seconds each, with the same seed from run to run."""

    def __init__(self, seconds: float, seed: int) -> None:
        self._seconds = seconds
        self._seed = seed

    async def run(self, target: Target, *, keeping: bool = False) -> Outcome:
        """Fuzz one target. With `keeping`, the corpus gets what was reached newly, and a finding."""
        with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
            folder = Path(temporary)
            begin, fresh, found, own = (folder / name for name in ("begin", "fresh", "found", "own"))
            for each in (begin, fresh, found, own):
                each.mkdir()
            for number, data in enumerate((b"", *target.seeds, *kept(target.name))):
                (begin / f"{number}").write_bytes(data)
            options = [f"-max_total_time={self._seconds:g}", f"-seed={self._seed}", f"-artifact_prefix={found}/"]
            code, said = await self._worker(target.name, own, [*_OPTIONS, *options, str(fresh), str(begin)])
            findings = tuple(file.read_bytes() for file in found.iterdir())
            if keeping:
                await self._keep(target.name, folder, findings)
            runs = re.search(r"Done (\d+) runs", said)
            edges = re.findall(r"cov: (\d+)", said)
            last = "\n".join(said.splitlines()[-40:]) if code else ""
            return Outcome(target.name, int(runs[1]) if runs else 0, int(edges[-1]) if edges else 0, findings, last)

    async def _keep(self, name: str, folder: Path, findings: tuple[bytes, ...]) -> None:
        """Of all inputs those few that reach everything, beside the findings, which would end the merge."""
        (folder / "merged").mkdir()
        code, said = await self._worker(
            name,
            folder / "own",
            [*_OPTIONS, "-merge=1", *(str(folder / part) for part in ("merged", "begin", "fresh"))],
        )
        if code:
            raise RuntimeError(f"the corpus of {name} could not be merged: {said[-1000:]}")
        keep(name, [*(file.read_bytes() for file in (folder / "merged").iterdir()), *findings])

    async def _worker(self, name: str, own: Path, options: list[str]) -> tuple[int, str]:
        """The process's exit code and what it said; it ends with its time, and with us. `own` takes what it leaves."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "quality.fuzz.worker", name, *options),
            cwd=_ROOT,
            env=os.environ | {"TMPDIR": str(own)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self._seconds + _MORE_SECONDS):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return process.returncode or 0, said.decode("utf-8", "replace")
