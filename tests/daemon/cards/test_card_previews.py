"""Previews for a printer and for none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from countertop.client import Counter, DeviceUnavailable, InvalidRequest, connect
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import error_pb2
from countertop.v1.card_design_pb2 import CardDesign, CardElement, CardShape, CardSide
from tests.daemon.cards.world import BOX, COLOR, DESIGN, KIOSK, TWO_SIDED, counted, more_than, pixels, until, went


async def test_a_preview_is_drawn_for_the_printers_ribbon_or_for_none(shared: Counter) -> None:
    colored = CardDesign(front=CardSide(elements=[CardElement(box=BOX.box, shape=CardShape(fill="#CC2010"))]))
    before = await counted(shared, COLOR)
    color = pixels((await shared.card_printer(COLOR).preview(colored)).front.data)
    assert tuple(color[200, 400]) == (0xCC, 0x20, 0x10)
    alone = pixels((await shared.card_printer(KIOSK).preview(colored, standalone=True)).front.data)
    assert (alone == color).all()
    for mono in (
        await shared.card_printer(KIOSK).preview(colored),
        await shared.card_printer(KIOSK).preview(colored, standalone=True, mono=True),
    ):
        found = pixels(mono.front.data)
        assert set(np.unique(found)) == {0, 255}
        assert (found == 0).any()
        assert not mono.HasField("back")
    assert await more_than(before, shared, COLOR) == {}


async def test_a_preview_is_drawn_for_the_ribbon_that_is_in_the_printer_now(counter: Counter) -> None:
    colored = CardDesign(front=CardSide(elements=[CardElement(box=BOX.box, shape=CardShape(fill="#CC2010"))]))
    await counter.bench.load_ribbon(KIOSK, kind="YMCKO")
    await until(counter, KIOSK, lambda device: device.status.consumables[0].type == "YMCKO")
    found = pixels((await counter.card_printer(KIOSK).preview(colored)).front.data)
    assert tuple(found[200, 400]) == (0xCC, 0x20, 0x10)


async def test_a_preview_tells_what_does_not_go_as_the_design_says(shared: Counter) -> None:
    printer = shared.card_printer(KIOSK)
    odd = await printer.preview(DESIGN, {"name": "\U0001f0a1"})
    assert any("font" in warning for warning in odd.warnings), odd.warnings
    with pytest.raises(InvalidRequest) as lacking:
        await printer.preview(DESIGN)
    assert any(place.startswith("artwork.data") for place in lacking.value.violations)
    assert (await printer.preview(DESIGN, samples=True)).front.width == 1011


async def test_a_printer_that_was_never_reached_draws_nothing(tmp_path: Path) -> None:
    away = DeviceConfig(id="away", driver="evolis", link="tcp://127.0.0.1:1")
    config = Config(
        terminal=TerminalConfig(id="away", state_dir=f"{tmp_path}/away"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/a.sock"]),
        devices=[away],
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0]) as counter:
        with pytest.raises(DeviceUnavailable) as unknown:
            await counter.card_printer("away").preview(TWO_SIDED)
        assert unknown.value.reason == error_pb2.REASON_DEVICE_OFFLINE
        found = await counter.card_printer("away").inventory()
        assert (list(found.units), went(found)) == ([], {})
