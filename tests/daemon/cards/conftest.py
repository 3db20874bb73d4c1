"""One terminal of card printers for all tests of a module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from countertop.client import Counter
from countertop.drivers.evolis import driver, status, waking
from countertop.sdk.cards import session
from tests.daemon.cards.world import COLOR, DESKTOP, KIOSK, evolis, mended, terminal


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """The daemon looks at its printers, and they at their exits, more often than in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver.EvolisPrinter, "poll_interval", 0.05)
        patch.setattr(waking, "QUIET_SECONDS", 0.02)
        patch.setattr(status, "SLOW_SECONDS", 0.0)
        patch.setattr(session, "LOOK_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    devices = (evolis(KIOSK), evolis(DESKTOP, model="Primacy", output_capacity=2), evolis(COLOR, ribbon="YMCKO"))
    async with terminal(tmp_path_factory.mktemp("cards"), *devices) as counter:
        yield counter


@pytest.fixture
async def counter(shared: Counter) -> Counter:
    """The shared terminal with its printers as new: staff has been there."""
    await asyncio.gather(mended(shared, KIOSK), mended(shared, DESKTOP))
    return shared
