"""What people do to emulated devices: each a value that can be applied to a bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from countertop.bench.v1 import bench_pb2
from countertop.bench.v1.bench_pb2 import CustomerHabit, Scene, SceneFlaw
from countertop.client.sync import Bench
from countertop.testing.strategies._readable import Labelled, readable
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.signature_pad_pb2 import PadButton

__all__ = [
    "BenchAction",
    "CloseCover",
    "EmptyBin",
    "InsertCard",
    "LoadCards",
    "LoadPaper",
    "LoadRibbon",
    "OpenCover",
    "PowerCycle",
    "PressPadButton",
    "PushCard",
    "RemoveCard",
    "RemoveJam",
    "Replug",
    "SetCustomer",
    "SetScene",
    "Sign",
    "TakeCard",
    "Unplug",
]


@dataclass(frozen=True)
class _Action(Labelled):
    def apply(self, bench: Bench, device_id: str) -> None:
        """Do it. Raises CountertopError as the bench does: for a device without the part in question, or when there is
        nothing that could be done.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class InsertCard(_Action):
    """An identity card is laid on a reader; None: the emulator's own invented resident."""

    card: IdentityDocument | None = None

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.insert_card(device_id, self.card)

    def __repr__(self) -> str:
        return f"InsertCard({'' if self.card is None else readable(self.card)})"


@dataclass(frozen=True)
class RemoveCard(_Action):
    """It is taken away, if there is one."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.remove_card(device_id)


@dataclass(frozen=True)
class OpenCover(_Action):
    """A printer's cover is opened."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.open_cover(device_id)


@dataclass(frozen=True)
class CloseCover(_Action):
    """It is closed."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.close_cover(device_id)


@dataclass(frozen=True)
class LoadPaper(_Action):
    """A roll is put in: of 80 m when `mm` is 0; or it is taken out."""

    mm: float = 0.0
    empty: bool = False

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.load_paper(device_id, self.mm, self.empty)


@dataclass(frozen=True)
class Unplug(_Action):
    """The plug is pulled."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.unplug(device_id)


@dataclass(frozen=True)
class Replug(_Action):
    """It is put back."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.replug(device_id)


@dataclass(frozen=True)
class PowerCycle(_Action):
    """The device is switched off and on."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.power_cycle(device_id)


@dataclass(frozen=True)
class Sign(_Action):
    """A customer writes on a pad, as fast as the link takes it, and lifts the pen after `stop_after_points` (0: at the
    end).
    """

    seed: int = 0
    strokes: int = 2
    stop_after_points: int = 0

    def apply(self, bench: Bench, device_id: str) -> None:
        generated = bench_pb2.GeneratedHandwriting(seed=self.seed, strokes=self.strokes)
        stop = self.stop_after_points
        bench.sign(device_id, bench_pb2.SignRequest(generated=generated, stop_after_points=stop, speed=0.0))


@dataclass(frozen=True)
class PressPadButton(_Action):
    """A button of a pad is pressed."""

    button: PadButton

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.press_pad_button(self.button, device_id)

    def __repr__(self) -> str:
        return f"PressPadButton({PadButton.Name(self.button)})"


@dataclass(frozen=True)
class LoadCards(_Action):
    """Blanks are put into a card printer's supply."""

    count: int = 1

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.load_cards(self.count, device_id)


@dataclass(frozen=True)
class LoadRibbon(_Action):
    """A ribbon is put in with so many prints left (0: all); or taken out."""

    prints: int = 0
    absent: bool = False

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.load_ribbon(device_id, prints=self.prints, absent=self.absent)


@dataclass(frozen=True)
class EmptyBin(_Action):
    """The bin for retained cards is emptied."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.empty_bin(device_id)


@dataclass(frozen=True)
class TakeCard(_Action):
    """The card at the exit is taken, if there is one."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.take_card(device_id)


@dataclass(frozen=True)
class PushCard(_Action):
    """A card is put in at the exit."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.push_card(device_id)


@dataclass(frozen=True)
class RemoveJam(_Action):
    """A card that is stuck is taken out, if there is one."""

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.remove_jam(device_id)


@dataclass(frozen=True)
class SetCustomer(_Action):
    """What the customer does with cards that are presented, and after how many seconds."""

    habit: CustomerHabit
    after: float = 1.0

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.set_customer(self.habit, device_id, after=self.after)

    def __repr__(self) -> str:
        return f"SetCustomer({CustomerHabit.Name(self.habit)}, after={self.after:g})"


@dataclass(frozen=True)
class SetScene(_Action):
    """Something else is before a camera."""

    scene: Scene
    flaw: SceneFlaw = bench_pb2.SCENE_FLAW_UNSPECIFIED

    def apply(self, bench: Bench, device_id: str) -> None:
        bench.set_scene(self.scene, device_id, flaw=self.flaw)

    def __repr__(self) -> str:
        return f"SetScene({Scene.Name(self.scene)}, {SceneFlaw.Name(self.flaw)})"


BenchAction: TypeAlias = (
    InsertCard
    | RemoveCard
    | OpenCover
    | CloseCover
    | LoadPaper
    | Unplug
    | Replug
    | PowerCycle
    | Sign
    | PressPadButton
    | LoadCards
    | LoadRibbon
    | EmptyBin
    | TakeCard
    | PushCard
    | RemoveJam
    | SetCustomer
    | SetScene
)
"""One thing that a person does; `action.apply(bench, device_id)`, equal when it is the same."""
