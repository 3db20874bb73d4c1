"""Hands on emulated devices: what people and the world do to real ones."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import Message

from countertop.bench.v1 import bench_pb2
from countertop.bench.v1.bench_pb2 import (
    BlankChip,
    CountCardsResponse,
    CustomerHabit,
    Fault,
    Output,
    Scene,
    SceneFlaw,
    SignRequest,
)
from countertop.client._devices import find_device
from countertop.client._stubs import Connection
from countertop.client.errors import CountertopError, refusal
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.card_pb2 import StripeData
from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.image_pb2 import Image
from countertop.v1.ink_pb2 import Ink
from countertop.v1.signature_pad_pb2 import PadButton

__all__ = ["Bench"]

READER = device_pb2.DEVICE_KIND_ID_READER
PAD = device_pb2.DEVICE_KIND_SIGNATURE_PAD
PRINTER = device_pb2.DEVICE_KIND_RECEIPT_PRINTER
CARDS = device_pb2.DEVICE_KIND_CARD_PRINTER
CAMERA = device_pb2.DEVICE_KIND_CAMERA


class Bench:
    """Acts on emulated devices.

    Where a device id is optional, the terminal's only emulated device of the kind in question is meant. Every method
    raises CountertopError: NOT_EMULATED for a real device or one without the part in question.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert_card(self, device_id: str | None = None, card: IdentityDocument | None = None) -> None:
        """Lay an identity card on a reader; without `card`, that of the emulator's own invented resident."""
        await self._do(READER, bench_pb2.InsertCardRequest(card=card), device_id)

    async def remove_card(self, device_id: str | None = None) -> bool:
        """Take the card away; False when there was none."""
        return bool((await self._do(READER, bench_pb2.RemoveCardRequest(), device_id)).removed)

    async def open_cover(self, device_id: str | None = None) -> None:
        """Open a printer's cover."""
        await self._do(PRINTER, bench_pb2.OpenCoverRequest(), device_id)

    async def close_cover(self, device_id: str | None = None) -> None:
        """Close a printer's cover."""
        await self._do(PRINTER, bench_pb2.CloseCoverRequest(), device_id)

    async def load_paper(self, device_id: str | None = None, mm: float = 0, empty: bool = False) -> None:
        """Load `mm` millimetres of paper, 0 to 100000 (0: a roll of 80 m); `empty` takes the paper out."""
        await self._do(PRINTER, bench_pb2.LoadPaperRequest(mm=mm, empty=empty), device_id)

    async def sign(self, device_id: str | None = None, request: SignRequest | None = None) -> Ink:
        """Write on a signature pad; without `request`, invented handwriting. Returns, when the pen was lifted for good,
        what was written.
        """
        ink: Ink = (await self._do(PAD, request or SignRequest(), device_id)).ink
        return ink

    async def press_pad_button(self, button: PadButton, device_id: str | None = None) -> None:
        """Press a button of a signature pad, on its screen or beside it."""
        await self._do(PAD, bench_pb2.PressPadButtonRequest(button=button), device_id)

    async def load_cards(
        self,
        count: int,
        device_id: str | None = None,
        *,
        stripe: StripeData | None = None,
        chip: BlankChip | None = None,
        empty: bool = False,
    ) -> int:
        """Put 1 to 500 blanks into a card printer's supply; `empty` takes out those that are there first.

        Returns how many there are now.
        """
        request = bench_pb2.LoadCardsRequest(count=count, stripe=stripe, chip=chip, empty=empty)
        return int((await self._do(CARDS, request, device_id)).count)

    async def load_ribbon(
        self, device_id: str | None = None, *, kind: str = "", prints: int = 0, absent: bool = False
    ) -> None:
        """Put in a ribbon ("YMCKO", "K", …; default the emulator's own) with so many prints left; or take it out."""
        request = bench_pb2.LoadRibbonRequest(type=kind, prints=prints, absent=absent)
        await self._do(CARDS, request, device_id)

    async def empty_bin(self, device_id: str | None = None, unit: str = "") -> int:
        """Empty a bin of a card printer, by default the one for retained cards; how many cards were in it."""
        return int((await self._do(CARDS, bench_pb2.EmptyBinRequest(unit=unit), device_id)).count)

    async def take_card(self, device_id: str | None = None) -> bool:
        """Take the card from the exit; False when there was none."""
        return bool((await self._do(CARDS, bench_pb2.TakeCardRequest(), device_id)).taken)

    async def push_card(
        self, device_id: str | None = None, *, stripe: StripeData | None = None, chip: BlankChip | None = None
    ) -> None:
        """Put a card into the exit: a new one, or the one that lies there."""
        await self._do(CARDS, bench_pb2.PushCardRequest(stripe=stripe, chip=chip), device_id)

    async def remove_jam(self, device_id: str | None = None) -> bool:
        """Take out a card that is stuck or was left inside; False when there was none."""
        return bool((await self._do(CARDS, bench_pb2.RemoveJamRequest(), device_id)).removed)

    async def set_customer(
        self, habit: CustomerHabit, device_id: str | None = None, *, after: float | None = None
    ) -> None:
        """Say what the customer does with cards, `after` so many seconds on the emulator's clock (default 1)."""
        request = bench_pb2.SetCustomerRequest(habit=habit)
        if after is not None:
            request.after.FromNanoseconds(round(after * 1e9))
        await self._do(CARDS, request, device_id)

    async def set_scene(
        self,
        scene: Scene,
        device_id: str | None = None,
        *,
        flaw: SceneFlaw = bench_pb2.SCENE_FLAW_UNSPECIFIED,
        picture: Image | None = None,
        text: str = "",
        turned: float = 0.0,
        size: float = 0.0,
    ) -> None:
        """Put something before a camera: a person or document (`picture`), a code (`text`); `turned` by degrees."""
        request = bench_pb2.SetSceneRequest(
            scene=scene, flaw=flaw, picture=picture, text=text, turned=turned, size=size
        )
        await self._do(CAMERA, request, device_id)

    async def count_cards(self, device_id: str | None = None) -> CountCardsResponse:
        """Where every card is that the emulator ever had."""
        found: CountCardsResponse = await self._do(CARDS, bench_pb2.CountCardsRequest(), device_id)
        return found

    async def unplug(self, device_id: str) -> None:
        """Pull the plug of a device, or of a whole unit: the link breaks, the device loses what it held in memory."""
        await self._ask(bench_pb2.UnplugRequest(device_id=device_id))

    async def replug(self, device_id: str) -> None:
        """Put the plug back."""
        await self._ask(bench_pb2.ReplugRequest(device_id=device_id))

    async def power_cycle(self, device_id: str) -> None:
        """Switch the device off and on; the link stays."""
        await self._ask(bench_pb2.PowerCycleRequest(device_id=device_id))

    async def faults(self, device_id: str) -> list[Fault]:
        """The faults that the emulator can show, and which are in force."""
        return list((await self._ask(bench_pb2.ListFaultsRequest(device_id=device_id))).faults)

    async def inject_fault(
        self, device_id: str, fault: str, *, after_bytes: int = 0, times: int = 0, duration: float | None = None
    ) -> None:
        """Make a fault happen once the device took in `after_bytes` more bytes, until it is cleared.

        It ends by itself after `times` times (0: never), or after `duration` seconds on the emulator's clock.
        """
        request = bench_pb2.InjectFaultRequest(device_id=device_id, fault=fault, after_bytes=after_bytes, times=times)
        if duration is not None:
            request.duration.FromNanoseconds(round(duration * 1e9))
        await self._ask(request)

    async def clear_fault(self, device_id: str, fault: str = "") -> None:
        """End a fault, or all of them."""
        await self._ask(bench_pb2.ClearFaultRequest(device_id=device_id, fault=fault))

    async def output(
        self, device_id: str | None = None, *, skip: int = 0, limit: int = 0, text_only: bool = False
    ) -> list[Output]:
        """What came out of a printer, oldest first: leave out `skip`, at most `limit` of 1 to 20 (default 1)."""
        request = bench_pb2.GetOutputRequest(skip=skip, limit=limit, text_only=text_only)
        return list((await self._do(PRINTER, request, device_id)).outputs)

    async def last_output(self, device_id: str) -> Output | None:
        """What came out of a device last, with its pictures; None when nothing has."""
        total = (await self._ask(bench_pb2.GetOutputRequest(device_id=device_id, text_only=True))).total
        if not total:
            return None
        found = await self.output(device_id, skip=total - 1, limit=1)
        return found[-1] if found else None

    async def _do(self, kind: DeviceKind, request: Any, device_id: str | None) -> Any:
        request.device_id = device_id or await find_device(self._connection, kind, emulated=True)
        return await self._ask(request)

    async def _ask(self, request: Message) -> Any:
        try:
            return await self._connection.ask(request)
        except CountertopError as error:
            if error.reason or error.code is not grpc.StatusCode.UNIMPLEMENTED:
                raise
        raise refusal(
            CountertopError,
            error_pb2.REASON_NOT_EMULATED,
            "This terminal has no emulated devices, so that its daemon serves no bench.",
        )
