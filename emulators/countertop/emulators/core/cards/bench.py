"""The bench verbs that every card machine has."""

from __future__ import annotations

import asyncio
import hashlib
import json

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.cards.card import Blank, Card
from countertop.emulators.core.cards.machine import CardMachine, Habit, MoveError
from countertop.emulators.core.faults import FaultBoard
from countertop.v1.card_pb2 import StripeData
from countertop.v1.image_pb2 import Image

__all__ = ["CardBench"]

MAX_PNG_BYTES = 768 * 1024
_HABITS = {
    bench.CUSTOMER_HABIT_UNSPECIFIED: Habit.TAKES,
    bench.CUSTOMER_HABIT_TAKES: Habit.TAKES,
    bench.CUSTOMER_HABIT_LEAVES: Habit.LEAVES,
    bench.CUSTOMER_HABIT_PUSHES_BACK: Habit.PUSHES_BACK,
}


class CardBench(FaultBench):
    """Base of card emulators. Verbs raise ValueError that names the field."""

    def __init__(self, board: FaultBoard, machine: CardMachine) -> None:
        super().__init__(board)
        self.machine = machine

    async def load_cards(self, request: bench.LoadCardsRequest) -> bench.LoadCardsResponse:
        """Fill the supply; the blanks of the whole supply are as this request says."""
        if not request.count and not request.empty:
            raise ValueError("count: expected 1 to 500, or `empty`")
        self.machine.blank = _blank(request.stripe, request.chip)
        return bench.LoadCardsResponse(count=self.machine.load(request.count, empty=request.empty))

    async def empty_bin(self, request: bench.EmptyBinRequest) -> bench.EmptyBinResponse:
        """Empty a bin."""
        bins = {"": self.machine.empty_bin, "reject": self.machine.empty_bin, "output": self.machine.empty_output}
        if request.unit not in bins:
            raise ValueError("unit: expected reject or output")
        return bench.EmptyBinResponse(count=bins[request.unit]())

    async def take_card(self, request: bench.TakeCardRequest) -> bench.TakeCardResponse:
        """Take the card from the exit."""
        return bench.TakeCardResponse(taken=self.machine.take())

    async def push_card(self, request: bench.PushCardRequest) -> bench.PushCardResponse:
        """Put a card into the exit."""
        try:
            self.machine.push(_blank(request.stripe, request.chip))
        except MoveError:
            raise ValueError("device_id: expected a machine without a card inside") from None
        return bench.PushCardResponse()

    async def remove_jam(self, request: bench.RemoveJamRequest) -> bench.RemoveJamResponse:
        """Take out a card that is stuck or inside."""
        return bench.RemoveJamResponse(removed=self.machine.remove())

    async def set_customer(self, request: bench.SetCustomerRequest) -> bench.SetCustomerResponse:
        """From the next card that is presented on."""
        self.machine.habit = _HABITS[request.habit]
        self.machine.patience = request.after.ToTimedelta().total_seconds() if request.HasField("after") else 1.0
        return bench.SetCustomerResponse()

    async def count_cards(self, request: bench.CountCardsRequest) -> bench.CountCardsResponse:
        """Where every card is."""
        counts = self.machine.count()
        return bench.CountCardsResponse(**{name: getattr(counts, name) for name in counts.__slots__})

    async def open_cover(self, request: bench.OpenCoverRequest) -> bench.OpenCoverResponse:
        """Open the cover: nothing moves."""
        self.machine.cover_open = True
        return bench.OpenCoverResponse()

    async def close_cover(self, request: bench.CloseCoverRequest) -> bench.CloseCoverResponse:
        """Close it."""
        self.machine.cover_open = False
        return bench.CloseCoverResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """Cards that have left the machine, the oldest first; the one that it still has is the last."""
        cards = [*self.machine.gone, *([self.machine.card] if self.machine.card is not None else [])]
        wanted = list(enumerate(cards, 1))[request.skip :][: request.limit or 1]
        finished = len(self.machine.gone)
        outputs = [
            await self._output(number, card, finished=number <= finished, text_only=request.text_only)
            for number, card in wanted
        ]
        return bench.GetOutputResponse(outputs=outputs, total=len(cards))

    async def _output(self, number: int, card: Card, *, finished: bool, text_only: bool) -> bench.Output:
        output = bench.Output(number=number, finished=finished, text=json.dumps(card.describe(), ensure_ascii=False))
        if not text_only:
            output.image.CopyFrom(await asyncio.to_thread(_picture, card, back=False))
            output.back.CopyFrom(await asyncio.to_thread(_picture, card, back=True))
        return output


def _blank(stripe: StripeData, chip: bench.BlankChip) -> Blank:
    return Blank.of(stripe, chip.atr, has_chip=not chip.absent)


def _picture(card: Card, *, back: bool) -> Image:
    data = card.png(back=back)
    if len(data) > MAX_PNG_BYTES:
        return Image()
    width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))
    digest = hashlib.sha256(data).digest()
    return Image(media_type="image/png", width=width, height=height, data=data, sha256=digest)
