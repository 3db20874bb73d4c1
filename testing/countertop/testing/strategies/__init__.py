"""Strategies for hypothesis: the messages of countertop.v1, streams of bytes, faults and hands.

::

    from hypothesis import given
    from countertop.testing import strategies as ct

    @given(ct.identity_documents())
    def test_the_form_takes_every_document(document):
        assert fill_in(document).name == (document.person.name or document.person.latin_name)

Every person, number and text is invented. Importing this needs hypothesis (`pip install 'countertop[testing]'`).
"""

from __future__ import annotations

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
from countertop.testing.strategies._cards import card_artworks, card_designs
from countertop.testing.strategies._codes import barcode_texts, symbol_texts
from countertop.testing.strategies._faults import FaultSchedule, ScheduledFault, fault_names, fault_schedules
from countertop.testing.strategies._flawed import FLAWS, DocumentFlaw, invalid_identity_documents
from countertop.testing.strategies._hands import bench_actions
from countertop.testing.strategies._identity import (
    ETHNIC_GROUPS,
    citizen_numbers,
    foreign_residents_2017,
    foreign_residents_2023,
    hk_macao_taiwan_permits,
    identity_documents,
    resident_cards,
)
from countertop.testing.strategies._ink import inks
from countertop.testing.strategies._numbers import pans
from countertop.testing.strategies._people import addresses, chinese_names, foreign_names
from countertop.testing.strategies._pictures import picture_files
from countertop.testing.strategies._readable import readable
from countertop.testing.strategies._receipts import receipts
from countertop.testing.strategies._streams import Damage, cuts, damaged, interleavings
from countertop.testing.strategies._stripes import stripe_tracks, stripes
from countertop.testing.strategies._texts import texts

__all__ = [
    "ETHNIC_GROUPS",
    "FLAWS",
    "BenchAction",
    "CloseCover",
    "Damage",
    "DocumentFlaw",
    "EmptyBin",
    "FaultSchedule",
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
    "ScheduledFault",
    "SetCustomer",
    "SetScene",
    "Sign",
    "TakeCard",
    "Unplug",
    "addresses",
    "barcode_texts",
    "bench_actions",
    "card_artworks",
    "card_designs",
    "chinese_names",
    "citizen_numbers",
    "cuts",
    "damaged",
    "fault_names",
    "fault_schedules",
    "foreign_names",
    "foreign_residents_2017",
    "foreign_residents_2023",
    "hk_macao_taiwan_permits",
    "identity_documents",
    "inks",
    "interleavings",
    "invalid_identity_documents",
    "pans",
    "picture_files",
    "readable",
    "receipts",
    "resident_cards",
    "stripe_tracks",
    "stripes",
    "symbol_texts",
    "texts",
]
