"""What the camera's frames mean."""

from __future__ import annotations

from contextlib import suppress

import pytest
from countertop.sdk import ProtocolFault
from hypothesis import given
from hypothesis import strategies as st

from acme.protocol import Identity, StatusBit, parse_status


@given(st.integers(1, 9999), st.integers(1, 9999), st.integers(1, 60))
def test_the_camera_tells_what_it_sends(width: int, height: int, fps: int) -> None:
    identity = Identity.parse(f"AV-1;AV100001;1.0;{width};{height};{fps}".encode())
    assert (identity.serial, identity.width, identity.height, identity.fps) == ("AV100001", width, height, fps)


@pytest.mark.parametrize("words", ["AV-1;AV100001;1.0", "AV-1;AV100001;1.0;wide;480;15", "AV-1;AV100001;1.0;640;480;"])
def test_an_identity_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(ProtocolFault):
        Identity.parse(words.encode())


@given(st.binary(max_size=60))
def test_answers_of_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    with suppress(ProtocolFault):
        assert isinstance(Identity.parse(payload), Identity)
    with suppress(ProtocolFault):
        assert isinstance(parse_status(payload), StatusBit)
