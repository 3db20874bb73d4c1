"""The base of drivers whose printers make a card in one job: it refuses every step by itself."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import pytest

from countertop.sdk import CountertopError, Options, parse_link
from countertop.sdk.cards import CardPrinter, CardSight, OnePassCard, OnePassPrinter
from countertop.v1 import card_pb2, device_pb2, error_pb2


class Smallest(OnePassPrinter):
    """Nothing but what a driver must give."""

    name = "smallest"
    made: OnePassCard | None = None

    @property
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        return device_pb2.CardPrinterCapabilities(one_pass=True)

    async def connect(self) -> device_pb2.DeviceInfo:
        return device_pb2.DeviceInfo(card_printer=self.capabilities)

    async def disconnect(self) -> None:
        return

    async def look(self) -> CardSight:
        return CardSight(card_pb2.CARD_PLACE_UNSPECIFIED)

    async def make_in_one_pass(self, card: OnePassCard) -> None:
        self.made = card


def printer() -> Smallest:
    return Smallest(parse_link("tcp://127.0.0.1:9100"), Options())


STEPS: dict[str, Callable[[Smallest], Awaitable[object]]] = {
    "feed": lambda made: made.feed(""),
    "move": lambda made: made.move(card_pb2.CARD_PLACE_PRINT),
    "accept": lambda made: made.accept(),
    "write_stripe": lambda made: made.write_stripe(card_pb2.StripeData(track2="1"), card_pb2.COERCIVITY_HIGH),
    "read_stripe_tracks": lambda made: made.read_stripe_tracks({2}),
    "print_card": lambda made: made.print_card(None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_by_itself_is_refused_with_the_drivers_name(step: str) -> None:
    with pytest.raises(CountertopError, match="driver smallest cannot") as caught:
        await STEPS[step](printer())
    assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


def test_every_abstract_step_is_either_refused_or_the_drivers() -> None:
    assert CardPrinter.__abstractmethods__ - OnePassPrinter.__abstractmethods__ == set(STEPS)
    assert OnePassPrinter.__abstractmethods__ - CardPrinter.__abstractmethods__ == {"make_in_one_pass"}
    assert inspect.isabstract(OnePassPrinter)
