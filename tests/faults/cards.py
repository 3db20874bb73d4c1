"""The laboratory of cards: the daemon dies while it issues cards, and afterwards every card is looked for.

Each card's stripe bears the number of its operation, so that the cards that lie before the customer, in the bin and in
the printer can be told apart.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.client import CountertopError
from countertop.emulators.core.cards.machine import Station
from countertop.emulators.evolis.emulator import EvolisEmulator, start
from countertop.v1 import card_pb2, error_pb2, operation_pb2
from countertop.v1.card_design_pb2 import CardBox, CardDesign, CardElement, CardShape, CardSide
from countertop.v1.card_printer_pb2 import ApduScript, ChipStep, ScriptedApdu
from tests.faults.daemon import FAILED, FINAL, HANG_SECONDS, SUCCEEDED, UNCERTAIN, DaemonLab, Report

__all__ = ["CardLab"]

CARDS = 40
MISFORTUNES = ("none",) * 4 + ("disconnect", "unplug", "power", "leaves", "pushes-back", "jam", "stripe", "chip")
JAMS = ("jam-feeder", "jam-print", "jam-exit", "jam-retain")
NONE, PARTIAL = error_pb2.PHYSICAL_EFFECT_NONE, error_pb2.PHYSICAL_EFFECT_PARTIAL
TAKEN = "taken"
PLACES = {
    card_pb2.CARD_PLACE_TAKEN: TAKEN,
    card_pb2.CARD_PLACE_RETAIN_BIN: "retained",
    card_pb2.CARD_PLACE_JAMMED: "removed",
}
"""Where a card lies in the end, by where its operation says that it is; staff takes out what is stuck."""
INSIDE = (
    card_pb2.CARD_PLACE_PRINT,
    card_pb2.CARD_PLACE_CONTACT,
    card_pb2.CARD_PLACE_TRANSPORT,
    card_pb2.CARD_PLACE_EXIT,
    card_pb2.CARD_PLACE_JAMMED,
)
DESIGN = CardDesign(
    name="laboratory",
    front=CardSide(
        elements=[
            CardElement(box=CardBox(x_mm=10, y_mm=10, width_mm=60, height_mm=20), shape=CardShape(fill="#000000"))
        ]
    ),
)
CHIP = ChipStep(script=ApduScript(commands=[ScriptedApdu(command=bytes.fromhex("00A40000023F0000"))]))

CONFIG = """
[terminal]
id = "lab"
state_dir = "{folder}/state"

[listen]
addresses = ["unix:{folder}/lab.sock"]

[[devices]]
id = "issuer"
driver = "evolis"
link = "{link}"
"""


@dataclass
class Card:
    """One operation: what was said of it, and where cards with its number lie."""

    token: str
    printed: bool
    chip: bool
    acknowledged: bool = False
    operation: operation_pb2.Operation | None = None
    told: str = ""
    places: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What must not be."""
        found: list[str] = []
        if len(self.places) > 1:
            found.append("DOUBLE: two cards of one operation")
        if self.operation is None:
            if self.acknowledged:
                found.append("LOST: told to the client, unknown to the daemon")
            return found + ["made, but unknown to the daemon"] * bool(self.places)
        state, effect = self.operation.state, self.operation.physical_effect
        if state not in FINAL:
            found.append(f"HANG: still {operation_pb2.OperationState.Name(state)}")
        if state == SUCCEEDED and self.places != [TAKEN]:
            found.append("said to be issued, and is not with the customer")
        if state != SUCCEEDED and state != UNCERTAIN and TAKEN in self.places:
            found.append("said not to be issued, and is with the customer")
        if state == FAILED and effect == NONE and self.places:
            found.append("said to be unmade, and was made")
        said = self.operation.failure.device_fault.card.place
        if state == FAILED and effect == PARTIAL:
            if not said:
                found.append("UNACCOUNTED: failed in part without saying where the card is")
            if self.places and self.places != [PLACES.get(said, "")] and said not in INSIDE:
                found.append(f"UNACCOUNTED: said to be {card_pb2.CardPlace.Name(said)}")
        return found


class CardLab(DaemonLab):
    """One card issuer with one daemon after the other."""

    def __init__(self, folder: Path, report: Report) -> None:
        super().__init__(
            folder,
            report,
            (
                "countertop.server.services.card_printers",
                "countertop.drivers.evolis.driver",
                "countertop.sdk.cards.issuing",
            ),
        )
        self._issuer: EvolisEmulator | None = None
        self._outputs = 0
        self._base: Counter[str] = Counter()
        """What the daemon's totals say less than there is: of cards whose end nobody could know."""

    async def __aenter__(self) -> CardLab:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._issuer = await start({"speed": 10, "cards": CARDS, "bin_capacity": 1000, "ribbon": "KO"})
        config = CONFIG.format(folder=self._folder, link=self._issuer.link_url)
        (self._folder / "countertop.toml").write_text(config)
        self._start_daemon()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._kill()
        await self._hands.close()

    @property
    def _hands(self) -> EvolisEmulator:
        assert self._issuer is not None
        return self._issuer

    # --- a round ---------------------------------------------------------------------------------------------------

    async def round(self, name: str) -> None:
        """Issue, kill, start again, look for every card. The name is the seed."""
        rng = Random(name)
        async with self._client() as counter:
            await self._mended(counter)
            await self._customer(bench.CUSTOMER_HABIT_TAKES, rng.uniform(0.0, 12.0))
            self._outputs = len(self._hands.machine.gone)
            cards = [
                Card(str(rng.randrange(10**15, 10**16)), rng.random() < 0.3, rng.random() < 0.3)
                for _ in range(rng.choice((1, 1, 1, 2)))
            ]
            point = self._arm(rng)
            misfortune = asyncio.create_task(self._misfortune(rng))
            work = [asyncio.create_task(self._issue(counter, card)) for card in cards]
            died = await self._die_and_recover(rng, point, work)
            await misfortune
            await self._until_it_answers(counter)
            await self._ended(counter, cards, work)
            await self._mended(counter)
            self._report.recoveries.append(time.monotonic() - died)
            await self._look(counter, name, cards)

    def _arm(self, rng: Random) -> str:
        """A card takes many more commands than a receipt."""
        if rng.random() < 0.5:
            return super()._arm(rng)
        point, most = rng.choice((("bytes sent", 90), ("commit on disk", 6), ("commit asked", 6)))
        self._orders.send((point, rng.randint(1, most)))
        return point

    async def _issue(self, counter: Any, card: Card) -> None:
        handle = counter.card_printer("issuer").start_issue(
            DESIGN if card.printed else None,
            {},
            stripe=card_pb2.StripeData(track2=card.token),
            **({"chip": CHIP} if card.chip else {}),
            take_within=1.0,
            operation_id=card.token,
            queue_timeout=10.0,
            timeout=30.0,
        )
        try:
            async for _ in handle:
                card.acknowledged = True
            card.told = "SUCCEEDED"
        except CountertopError as error:
            card.acknowledged = card.acknowledged or handle.operation.revision > 0
            card.told = type(error).__name__

    async def _ended(self, counter: Any, cards: list[Card], work: list[asyncio.Task[None]]) -> None:
        _, hanging = await asyncio.wait(work, timeout=HANG_SECONDS)
        for task in hanging:
            task.cancel()
            self._report.problems.append("HANG: a client waits for ever")
        for card in cards:
            with suppress(CountertopError):
                async with asyncio.timeout(HANG_SECONDS):
                    card.operation = await counter.operations.get(card.token)
                    async for operation in counter.operations.watch(card.token):
                        card.operation = operation

    # --- afterwards ------------------------------------------------------------------------------------------------

    async def _look(self, counter: Any, name: str, cards: list[Card]) -> None:
        """Where is every card, and does the inventory say the same?"""
        for lying in self._hands.machine.gone[self._outputs :]:
            track = lying.tracks.get(2)
            for card in cards:
                if track is not None and track.text == card.token:
                    card.places.append(lying.place)
        for card in cards:
            self._report.count(card.operation)
            if card.operation is not None and card.operation.state == UNCERTAIN:
                self._report.uncertain.append(f"round {name}: {card.places}; {card.operation.failure.message}")
            self._report.problems += [f"round {name} {card.token}: {what}; {card}" for what in card.problems()]
        certain = all(card.operation is None or card.operation.state != UNCERTAIN for card in cards)
        await self._compare(counter, name, certain=certain)

    async def _compare(self, counter: Any, name: str, *, certain: bool) -> None:
        """The daemon's totals and the machine's own count, since the beginning."""
        counts = self._hands.machine.count()
        totals = (await counter.card_printer("issuer").inventory()).totals
        there = {
            "fed": counts.loaded - counts.supply - counts.unloaded,
            "taken": counts.taken,
            "in the bin": counts.retained,
            "removed": counts.removed,
            "inside": counts.inside,
        }
        said = {
            "fed": totals.fed,
            "taken": totals.taken,
            "in the bin": totals.retained + totals.rejected,
            "removed": totals.removed,
            "inside": totals.inside,
        }
        missing = Counter({what: there[what] - said[what] for what in there})
        if certain and any(missing[what] != self._base[what] for what in there):
            more = {what: missing[what] - self._base[what] for what in there}
            self._report.problems.append(f"round {name}: UNACCOUNTED: {more} more than the daemon says")
        self._base = missing

    # --- the issuer ------------------------------------------------------------------------------------------------

    async def _customer(self, habit: bench.CustomerHabit, seconds: float = 1.0) -> None:
        request = bench.SetCustomerRequest(habit=habit)
        request.after.FromNanoseconds(round(seconds * 1e9))
        await self._hands.set_customer(request)

    async def _misfortune(self, rng: Random) -> None:
        """Something that happens to the issuer while it works."""
        what, hands = rng.choice(MISFORTUNES), self._hands
        delay, duration = rng.uniform(0, 1.0), rng.uniform(0.05, 1.0)
        if what == "disconnect":
            after = rng.randint(0, 3000)
            await hands.inject_fault(bench.InjectFaultRequest(fault=what, after_bytes=after, times=1))
        elif what == "jam":
            await hands.inject_fault(bench.InjectFaultRequest(fault=rng.choice(JAMS), times=1))
        elif what == "stripe":
            await hands.inject_fault(
                bench.InjectFaultRequest(fault=rng.choice(("stripe-write", "stripe-spoilt")), times=1)
            )
        elif what == "chip":
            await hands.inject_fault(bench.InjectFaultRequest(fault="chip-tears", times=1))
        elif what in ("leaves", "pushes-back"):
            leaves = what == "leaves"
            await self._customer(bench.CUSTOMER_HABIT_LEAVES if leaves else bench.CUSTOMER_HABIT_PUSHES_BACK)
        elif what == "unplug":
            await asyncio.sleep(delay)
            await hands.unplug(bench.UnplugRequest())
            await asyncio.sleep(duration)
            await hands.replug(bench.ReplugRequest())
        elif what == "power":
            await asyncio.sleep(delay)
            await hands.power_cycle(bench.PowerCycleRequest())

    async def _mended(self, counter: Any) -> None:
        """Staff takes out what is stuck and fills the feeder; a reset puts away what is inside."""
        hands = self._hands
        await hands.clear_fault(bench.ClearFaultRequest())
        if hands.machine.station is Station.JAMMED:
            await hands.remove_jam(bench.RemoveJamRequest())
        if hands.machine.counts.supply < CARDS:
            await hands.load_cards(bench.LoadCardsRequest(count=CARDS - hands.machine.counts.supply))
        await hands.empty_bin(bench.EmptyBinRequest())
        await hands.load_ribbon(bench.LoadRibbonRequest(type="KO"))
        await self._until_ready(counter)
        await counter.reset("issuer", timeout=HANG_SECONDS)
        await self._until_ready(counter)
