"""Emulated card printers behind a daemon, and what tests do with them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, connect
from countertop.emulators.evolis.emulator import EvolisEmulator, start
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import card_design_pb2, card_pb2, device_pb2, error_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_design_pb2 import CardBox, CardDesign, CardElement, CardField, CardShape, CardSide, CardText
from countertop.v1.card_pb2 import CardMovement, CardPlace, StripeData
from countertop.v1.card_printer_pb2 import ApduScript, AppDrivenChip, ChipStep, ScriptedApdu

KIOSK, DESKTOP, COLOR = "kiosk", "desktop", "color"


READY = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)


NONE, PARTIAL = error_pb2.PHYSICAL_EFFECT_NONE, error_pb2.PHYSICAL_EFFECT_PARTIAL


DONE, FAILED = card_pb2.CARD_WORK_DONE, card_pb2.CARD_WORK_FAILED


TAKES, LEAVES = bench_pb2.CUSTOMER_HABIT_TAKES, bench_pb2.CUSTOMER_HABIT_LEAVES


ATR = "3B86800143544341524404"


STRIPE = StripeData(track1="B9999012345678901^SHI/YANG^31121010000000000", track2="9999012345678901=31121010000000000")


BOX = CardElement(box=CardBox(x_mm=10, y_mm=10, width_mm=60, height_mm=20), shape=CardShape(fill="#000000"))


NAME = CardElement(box=CardBox(x_mm=10, y_mm=35, width_mm=60, height_mm=8), text=CardText(text="{name}", size_pt=12))


DESIGN = CardDesign(
    name="trial",
    fields=[CardField(name="name", kind=card_design_pb2.CARD_FIELD_KIND_TEXT, max_chars=20)],
    front=CardSide(elements=[BOX, NAME]),
)


TWO_SIDED = CardDesign(name="two", front=CardSide(elements=[BOX]), back=CardSide(elements=[BOX]))


SELECT_APPLICATION = bytes.fromhex("00A4040006A000000CA7D000")


SELECT_FILE = bytes.fromhex("00A4000002EF0100")


WRITE = bytes.fromhex("00D6000004DEADBEEF")


READ = bytes.fromhex("00B0000004")


SCRIPT = ChipStep(
    script=ApduScript(
        commands=[
            ScriptedApdu(command=SELECT_APPLICATION, expect="9000"),
            ScriptedApdu(command=SELECT_FILE),
            ScriptedApdu(command=WRITE),
            ScriptedApdu(command=READ, answer=True),
        ]
    )
)


APP = ChipStep(app=AppDrivenChip())


@asynccontextmanager
async def terminal(folder: Path, *devices: DeviceConfig, patience: float = 30.0) -> AsyncIterator[Counter]:
    """A daemon with these devices, all of them ready."""
    config = Config(
        terminal=TerminalConfig(id="cards", state_dir=f"{folder}/state"),
        listen=ListenConfig(addresses=[f"unix:{folder}/c.sock"]),
        devices=list(devices),
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0], patience=patience) as counter:
        for device in devices:
            await until_ready(counter, device.id)
        yield counter


def evolis(
    device_id: str, *, unit: str = "", safe_state: Any = "retain", isolation: Any = "none", **options: Any
) -> DeviceConfig:
    """An emulated printer that takes no time."""
    return DeviceConfig(
        id=device_id,
        emulator="evolis",
        unit=unit,
        safe_state=safe_state,
        isolation=isolation,
        emulator_options={"speed": 0, "ribbon": "KO", **options},
    )


async def mended(counter: Counter, device_id: str) -> None:
    hands = counter.bench
    await hands.clear_fault(device_id)
    await hands.close_cover(device_id)
    await hands.take_card(device_id)
    await hands.remove_jam(device_id)
    for unit in ("reject", "output"):
        await hands.empty_bin(device_id, unit)
    await hands.load_cards(50, device_id, empty=True)
    await hands.load_ribbon(device_id, kind="KO")
    await hands.set_customer(TAKES, device_id)
    await counter.reset(device_id)
    await until_ready(counter, device_id)


async def until(counter: Counter, device_id: str, found: Callable[[device_pb2.Device], bool]) -> device_pb2.Device:
    """The device as soon as it is so; fails after 10 s."""
    async with asyncio.timeout(10):
        async for response in counter.watch():
            devices = response.snapshot.devices if response.HasField("snapshot") else ()
            if response.event.HasField("device_changed"):
                devices = (response.event.device_changed,)
            for device in devices:
                if device.id == device_id and found(device):
                    return device
    raise AssertionError("the event stream ended")


async def until_ready(counter: Counter, device_id: str) -> None:
    await until(counter, device_id, lambda device: device.state in READY)


class Watch:
    """What the terminal's one stream tells from now on."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._synced, self._more = asyncio.Event(), asyncio.Event()
        self.events: list[device_pb2.Event] = []

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._follow())
        await self._synced.wait()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _follow(self) -> None:
        async for response in self._counter.watch():
            if response.HasField("synced"):
                self._synced.set()
            elif response.HasField("event"):
                self.events.append(response.event)
                self._more.set()

    def moved(self) -> list[card_pb2.CardMoved]:
        return [event.card_moved for event in self.events if event.HasField("card_moved")]

    async def until(self, found: Callable[[device_pb2.Event], bool]) -> device_pb2.Event:
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if found(event):
                        return event
                self._more.clear()
                await self._more.wait()

    async def until_moved(self, movement: CardMovement) -> card_pb2.CardMoved:
        found = await self.until(lambda event: event.card_moved.movement == movement)
        return found.card_moved


def movements(updates: list[Any]) -> list[str]:
    moved = [update.moved.movement for update in updates if update.HasField("moved")]
    return [CardMovement.Name(movement).removeprefix("CARD_MOVEMENT_") for movement in moved]


async def updates_of(handle: Any) -> list[Any]:
    async with asyncio.timeout(20):
        return [update async for update in handle]


async def last_card(counter: Counter, device_id: str = KIOSK) -> tuple[dict[str, Any], bench_pb2.Output]:
    """The card that came out last: what it is, and its pictures."""
    output = await counter.bench.last_output(device_id)
    assert output is not None
    return json.loads(output.text), output


async def place_of(counter: Counter, device_id: str = KIOSK) -> str:
    return CardPlace.Name((await counter.device(device_id)).status.card.place).removeprefix("CARD_PLACE_")


async def counted(counter: Counter, device_id: str = KIOSK) -> dict[str, int]:
    found = await counter.bench.count_cards(device_id)
    return {field.name: getattr(found, field.name) for field in found.DESCRIPTOR.fields}


async def more_than(before: dict[str, int], counter: Counter, device_id: str = KIOSK) -> dict[str, int]:
    """How many more cards are where now; places without a change are left out."""
    now = await counted(counter, device_id)
    return {name: now[name] - before[name] for name in now if now[name] != before[name]}


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


async def fed(counter: Counter, device_id: str = KIOSK) -> None:
    """A card of the supply lies inside."""
    await counter.card_printer(device_id).move(cards.CARD_MOVE_FEED)


def standing(device: device_pb2.Device) -> list[int]:
    return [condition.reason for condition in device.status.conditions]


async def started(**options: Any) -> EvolisEmulator:
    """An emulator that outlives daemons."""
    return await start({"speed": 0, **options})


async def waiting_for_its_app(counter: Counter, **app: Any) -> Any:
    """An IssueCard at its chip step."""
    step = ChipStep(app=AppDrivenChip(within={"seconds": 20}))
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, chip=step, **app)
    async for update in handle:
        if update.HasField("chip_ready"):
            return handle
    raise AssertionError("the chip was never ready")


def went(inventory: cards.CardInventory) -> dict[str, int]:
    """What became of the cards; the sum must be right."""
    found = {field.name: value for field, value in inventory.totals.ListFields()}
    came = found.get("fed", 0) + found.get("inserted", 0)
    assert came == sum(found.values()) - came
    return found
