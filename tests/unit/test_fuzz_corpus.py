"""The fuzzer's targets on what is kept of former runs: no finding of the past comes back, without a fuzzer."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from quality.fuzz.corpus import kept
from quality.fuzz.target import stream
from quality.fuzz.targets import TARGETS


@pytest.fixture(scope="module", autouse=True)
def closed_door() -> Iterator[None]:
    yield
    if door := sys.modules.get("quality.fuzz.door"):
        door.close_door()


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_in_what_is_kept(name: str) -> None:
    target = TARGETS[name]
    found = kept(name)
    assert found, "nothing is kept: python -m quality.fuzz --keep"
    run = target.make()
    for data in (b"", *target.seeds, *found):
        run(data)


def test_a_decoder_that_minds_where_its_bytes_are_parted_is_found() -> None:
    def careless(data: bytes) -> Iterator[int]:
        yield from (len(line) for line in data.splitlines())

    run = stream(lambda: careless)
    run(b"\x00whole")
    with pytest.raises(AssertionError, match="parted at 2"):
        run(b"\x02ab\ncd")


def test_an_error_that_is_not_documented_is_found() -> None:
    def feed(data: bytes) -> Iterator[int]:
        if data:
            raise KeyError(data)
        return iter(())

    stream(lambda: feed, KeyError)(b"\x00a")
    with pytest.raises(KeyError):
        stream(lambda: feed)(b"\x00a")
