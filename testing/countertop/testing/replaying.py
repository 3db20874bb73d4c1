"""Recordings as regression tests::

    async def test_a_card_that_moved_is_read_again():
        async with replayed("traces/moved-card.trace", "sdt") as driver:
            result = await driver.read(ReadRequest(), RecordingRun())
            assert result.document.number

They are made on a counter with `countertop record`, or in a test with `Recording`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

from countertop.sdk import Device, Options, parse_link
from countertop.sdk.errors import CountertopError
from countertop.sdk.trace.recorder import Recorder
from countertop.server.plugins import Plugins

__all__ = ["Recording", "replay_url", "replayed"]


class Recording:
    """Records the links of a driver that has no daemon: `await driver.record_links(recording.recorder)` before its
    `connect`. `encrypt_to` is an X25519 public key in PEM.
    """

    def __init__(self, encrypt_to: str = "") -> None:
        self.lines: list[str] = []
        """Of the trace, so far."""
        self.error: CountertopError | None = None
        """Why the recording ended early."""
        self.recorder = Recorder(self.lines.extend, encrypt_to=encrypt_to, failed=self._failed)

    def _failed(self, error: CountertopError) -> None:
        self.error = error

    @property
    def text(self) -> str:
        """The trace, so far."""
        return "".join(f"{line}\n" for line in self.lines)

    def save(self, path: Path) -> Path:
        """Write it to a file; returns the path."""
        path.write_text(self.text, encoding="utf-8")
        return path


@asynccontextmanager
async def replayed(
    trace_path: str | Path,
    driver: type[Device] | str,
    options: Options | Mapping[str, Any] | None = None,
    mode: Literal["strict", "tolerant"] = "strict",
    *,
    pace: Literal["none", "recorded"] = "none",
    opening: int = 1,
    key: str | Path | None = None,
) -> AsyncIterator[Any]:
    """The driver, connected to a recording, and disconnected in the end.

    `driver` is its class, or its name in the configuration. `options` should be those that it was recorded with.
    `opening` counts from 1; `key` is the file of the private key of an encrypted recording. Raises what `connect`
    raises: LinkFault that names the line where the driver deviates; LookupError for an unknown driver.
    """
    kind = Plugins().driver_class(driver) if isinstance(driver, str) else driver
    given = options if isinstance(options, Options) else kind.options_type.model_validate(dict(options or {}))
    device = kind(parse_link(replay_url(trace_path, mode=mode, pace=pace, opening=opening, key=key)), given)
    await device.connect()
    try:
        yield device
    finally:
        await device.disconnect()


def replay_url(
    trace_path: str | Path,
    *,
    mode: Literal["strict", "tolerant"] = "strict",
    pace: Literal["none", "recorded"] = "none",
    opening: int = 1,
    key: str | Path | None = None,
) -> str:
    """The link's URL that plays a recording, for a device's configuration too."""
    query = {"mode": mode, "pace": pace, "opening": str(opening)}
    if key is not None:
        query["key"] = str(Path(key).absolute())
    return f"replay://{quote(str(Path(trace_path).absolute()))}?{urlencode(query)}"
