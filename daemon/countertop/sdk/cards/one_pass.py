"""The base of drivers for printers that make a card in one job, and do nothing else with one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING

from countertop.sdk.cards.printer import CardPrinter, OnePassCard
from countertop.sdk.errors import CountertopError
from countertop.v1 import card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, Coercivity, StripeData

if TYPE_CHECKING:
    from countertop.sdk.cards.planes import CardImage

__all__ = ["OnePassPrinter"]


class OnePassPrinter(CardPrinter):
    """A driver gives `capabilities` with `one_pass`, `look` and `make_in_one_pass`; the steps of which a card is made
    elsewhere are refused here, each with CountertopError(NOT_SUPPORTED).
    """

    @abstractmethod
    async def make_in_one_pass(self, card: OnePassCard) -> None:
        """Feed, write, print and put out one card. Returns when it is out. Raises DeviceFault with the effect."""

    async def feed(self, supply: str) -> None:
        """Only within the job."""
        raise self._only_in_one_job("feed a card")

    async def move(self, place: CardPlace) -> None:
        """Only within the job."""
        raise self._only_in_one_job("move a card")

    async def accept(self) -> bool:
        """It has no exit."""
        raise self._only_in_one_job("take a card in")

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        """Only within the job."""
        raise self._only_in_one_job("write a stripe")

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """It tells nothing of what it reads."""
        raise self._only_in_one_job("tell what is on a stripe")

    async def print_card(self, image: CardImage) -> None:
        """Only within the job."""
        raise self._only_in_one_job("print a card that is inside")

    def _only_in_one_job(self, what: str) -> CountertopError:
        return CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            f"A printer of the driver {self.name} cannot {what}: it makes a whole card in one job, by IssueCard.",
        )
