"""What people do to emulated devices, drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from countertop.testing.strategies._actions import (
    BenchAction,
    CloseCover,
    EmptyBin,
    InsertCard,
    LoadCards,
    LoadPaper,
    LoadRibbon,
    OpenCover,
    PowerCycle,
    PressPadButton,
    PushCard,
    RemoveCard,
    RemoveJam,
    Replug,
    SetCustomer,
    SetScene,
    Sign,
    TakeCard,
    Unplug,
)
from countertop.testing.strategies._identity import identity_documents
from countertop.v1 import device_pb2, signature_pad_pb2
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["bench_actions"]


def bench_actions(kind: DeviceKind, *, plugs: bool = True) -> st.SearchStrategy[BenchAction]:
    """What people do to a device of a kind, as the bench service (bench.proto) can: gentle things first, when it
    shrinks. With `plugs` they also pull the plug, put it back, and switch it off and on.

    Raises ValueError for a kind that has no emulator.
    """
    if kind not in _HANDS:
        known = ", ".join(DeviceKind.Name(known) for known in _HANDS)
        raise ValueError(f"kind: expected one of {known}, got {int(kind)}")
    return st.one_of(_HANDS[kind], _POWER) if plugs else _HANDS[kind]


_POWER: st.SearchStrategy[BenchAction] = st.sampled_from((Replug(), PowerCycle(), Unplug()))


_HANDS: dict[DeviceKind, st.SearchStrategy[BenchAction]] = {
    device_pb2.DEVICE_KIND_ID_READER: st.one_of(
        st.sampled_from((RemoveCard(), InsertCard())), st.builds(InsertCard, identity_documents())
    ),
    device_pb2.DEVICE_KIND_RECEIPT_PRINTER: st.one_of(
        st.sampled_from((CloseCover(), LoadPaper(), OpenCover(), LoadPaper(empty=True))),
        st.builds(LoadPaper, st.integers(5, 200).map(float)),
    ),
    device_pb2.DEVICE_KIND_SIGNATURE_PAD: st.one_of(
        st.builds(Sign, st.integers(0, 999), st.integers(1, 4), st.just(0) | st.integers(1, 50)),
        st.builds(
            PressPadButton,
            st.sampled_from(
                (
                    signature_pad_pb2.PAD_BUTTON_ACCEPT,
                    signature_pad_pb2.PAD_BUTTON_CLEAR,
                    signature_pad_pb2.PAD_BUTTON_CANCEL,
                )
            ),
        ),
    ),
    device_pb2.DEVICE_KIND_CARD_PRINTER: st.one_of(
        st.sampled_from((TakeCard(), RemoveJam(), EmptyBin(), PushCard(), LoadRibbon(), LoadRibbon(absent=True))),
        st.sampled_from((CloseCover(), OpenCover())),
        st.builds(LoadCards, st.integers(1, 10)),
        st.builds(LoadRibbon, st.integers(1, 3)),
        st.builds(SetCustomer, st.integers(1, 3), st.sampled_from((0.0, 1.0, 5.0))),
    ),
    device_pb2.DEVICE_KIND_CAMERA: st.builds(SetScene, st.integers(1, 9), st.integers(0, 3)),
}
