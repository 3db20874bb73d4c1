"""The audit's chain: whatever is done to its files is found, and named."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countertop.sdk.ink.signer import Ed25519Signer
from countertop.server.audit.chain import Chain
from countertop.server.audit.checkpoint import checkpoint
from countertop.server.audit.record import GENESIS, MAX_LINE, Entry, encode, entry, line_hash, parse
from countertop.server.audit.verify import MOST_UNSIGNED, Head, Verdict, verify
from countertop.server.caller import Caller

TELLER = Caller("unix", "uid=1000", "pid=7", frozenset({"teller", "auditor"}), "till app")
T0 = 1_795_000_000_000_000_000
LENGTH = 12
"""Records of the chain that is tampered with; the last one is a checkpoint."""


@cache
def signer() -> Ed25519Signer:
    return Ed25519Signer.generate()


def calls(count: int, first: int = 1) -> list[Entry]:
    return [
        Entry(T0 + number * 10**9, "call", TELLER, "IdReaderService.Read", "reader", f"op-{number}", "SUCCEEDED")
        for number in range(first, first + count)
    ]


def grow(folder: Path, entries: Sequence[Entry], *, key: Ed25519Signer | None = None) -> Chain:
    """A chain of entries, and a checkpoint behind them when there is a key; it is left open."""
    chain = Chain(folder)
    chain.open()
    chain.append(entries)
    if key is not None:
        chain.append([checkpoint(key, "till-3", chain.number, chain.head, T0)])
    return chain


@cache
def template() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        grow(Path(folder), calls(LENGTH - 1), key=signer()).close()
        return tuple((Path(folder) / "audit-000000001.jsonl").read_bytes().splitlines(keepends=True))


def judge(data: bytes, **options: object) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "audit-000000001.jsonl").write_bytes(data)
        return verify(Path(folder), [signer().public_key], **options)  # type: ignore[arg-type]


texts = st.text(max_size=40)
flat = st.dictionaries(texts, st.text(max_size=700) | st.integers() | st.booleans(), max_size=26)


@settings(max_examples=40)
@given(texts, texts, texts, st.sets(texts, max_size=20), texts, texts, flat, st.integers(1, 2**50))
def test_whatever_a_caller_sends_becomes_one_line_that_reads_back(
    what, identity, name, roles, device_id, outcome, details, number
):
    caller = Caller("browser", identity, "127.0.0.1:4", frozenset(roles), name * 9)
    line = encode(entry(T0, what or "call", caller, "", device_id * 30, "", outcome, details), number, GENESIS)
    assert len(line) <= MAX_LINE
    assert all(32 <= byte < 127 for byte in line), "nothing in it ends a line or commands a terminal"
    record = parse(line)
    assert (record["number"], record["prev"], record["door"]) == (number, GENESIS, "browser")
    assert record.get("identity", "") == identity
    assert len(record.get("device_id", "")) <= 256
    assert len(record.get("details", {})) <= 25


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": True},
        {"number": "1"},
        {"time": ""},
        {"what": None},
        {"roles": [1]},
        {"details": {"a": [1]}},
        {"details": {"a": 1.5}},
        {"prev": "0"},
        {"more": "x"},
    ],
)
def test_what_no_daemon_writes_is_no_record(change):
    record = {**json.loads(template()[0]), **change}
    with pytest.raises(ValueError, match=r"."):
        parse(json.dumps(record, separators=(",", ":")).encode())


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"nul", b"[" * 5000, b"\xff", b"1" * 5000, b" " * 20000])
def test_what_is_no_json_of_a_record_is_no_record(line):
    with pytest.raises(ValueError, match=r"."):
        parse(line)


def test_a_chain_that_nobody_touched_is_intact(tmp_path):
    verdict = judge(b"".join(template()))
    assert verdict.intact
    assert (verdict.records, verdict.first, verdict.last, verdict.signed_to) == (LENGTH, 1, LENGTH, LENGTH - 1)
    assert verdict.keys == [signer().public_key.hex()]
    assert verdict.head == line_hash(template()[-1][:-1])


@settings(max_examples=200)
@given(st.data())
def test_any_changed_byte_is_found_and_its_record_named(data):
    lines = template()
    at = data.draw(st.integers(0, LENGTH - 1))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[at][place]))
    changed = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    verdict = judge(b"".join([*lines[:at], changed, *lines[at + 1 :]]))
    if at == LENGTH - 1 and place == len(changed) - 1:  # the last line without its end: as when it is being written
        assert verdict.unfinished
        assert verdict.last == LENGTH - 1
    else:
        assert [problem.number for problem in verdict.problems][:1] == [at + 1], verdict.problems
        assert verdict.problems[0].line in (at + 1, 0)


@given(st.integers(0, LENGTH - 2))
def test_a_removed_line_is_found(at):
    lines = template()
    verdict = judge(b"".join([*lines[:at], *lines[at + 1 :]]))
    assert (verdict.problems[0].number, verdict.problems[0].what) == (at + 1, "missing")


@given(st.integers(0, LENGTH - 1), st.integers(0, LENGTH - 1))
def test_swapped_lines_are_found(one, other):
    lines = list(template())
    lines[one], lines[other] = lines[other], lines[one]
    verdict = judge(b"".join(lines))
    assert verdict.intact == (one == other)
    if one != other:
        assert verdict.problems[0].number == min(one, other) + 1


@given(st.integers(0, LENGTH - 1), st.integers(0, LENGTH))
def test_a_line_that_is_there_twice_is_found(which, at):
    lines = list(template())
    lines.insert(at, lines[which])
    verdict = judge(b"".join(lines))
    assert verdict.problems[0].number == min(which, at) + 1


@given(st.integers(1, LENGTH - 2))
def test_a_record_put_in_is_found(at):
    """Well formed, with the right number and the right link: what follows does not know it."""
    lines = list(template())
    forged = encode(calls(1, 99)[0], at + 1, line_hash(lines[at - 1][:-1]))
    verdict = judge(b"".join([*lines[:at], forged + b"\n", *lines[at:]]))
    assert verdict.problems[0].number == at + 1


@given(st.integers(0, LENGTH), st.binary(min_size=1, max_size=60))
def test_garbage_put_in_is_found(at, garbage):
    lines = template()
    verdict = judge(b"".join([*lines[:at], garbage + b"\n", *lines[at:]]))
    assert [problem.number for problem in verdict.problems][:1] == [at + 1]


@given(st.integers(0, LENGTH - 1))
def test_a_tail_that_was_cut_off_is_found_by_a_head_kept_elsewhere(kept):
    lines = template()
    head = Head(LENGTH, line_hash(lines[-1][:-1]))
    assert judge(b"".join(lines), head=head).intact
    verdict = judge(b"".join(lines[:kept]), head=head)
    assert (kept + 1, "missing") in [(problem.number, problem.what) for problem in verdict.problems]


def test_a_head_is_compared_where_it_is_in_the_chain():
    lines = template()
    assert judge(b"".join(lines), head=Head(5, line_hash(lines[4][:-1]))).intact
    verdict = judge(b"".join(lines), head=Head(5, "f" * 64))
    assert [(problem.number, problem.what) for problem in verdict.problems] == [(5, "other head")]


def test_a_chain_made_anew_without_the_key_fails(tmp_path):
    grow(tmp_path / "bare", calls(20)).close()
    assert verify(tmp_path / "bare").intact, "nothing in it tells"
    assert verify(tmp_path / "bare", [signer().public_key]).problems[0].what == "unsigned"
    grow(tmp_path / "other", calls(20), key=Ed25519Signer.generate()).close()
    assert verify(tmp_path / "other").intact
    assert verify(tmp_path / "other", [signer().public_key]).problems[0].what == "key"


def test_a_long_end_without_a_checkpoint_fails_where_a_key_is_given(tmp_path):
    chain = grow(tmp_path, calls(3), key=signer())
    more = calls(MOST_UNSIGNED + 5)
    while more:
        del more[: chain.append(more)]
    chain.close()
    assert verify(tmp_path).intact
    (problem,) = verify(tmp_path, [signer().public_key]).problems
    assert (problem.number, problem.what) == (4, "unsigned")


@settings(max_examples=150)
@example(len(template()[0]) - 1, b"")
@given(st.integers(0, sum(map(len, template()))), st.binary(max_size=6))
def test_a_crash_at_any_byte_leaves_a_chain_that_goes_on_and_accounts_for_the_rest(kept, garbage):
    whole = b"".join(template())[:kept]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "audit-000000001.jsonl"
        path.write_bytes(whole + garbage)
        sound = whole.rfind(b"\n") + 1
        torn = (whole + garbage)[sound:]
        chain = grow(folder, calls(2), key=signer())
        chain.close()
        verdict = verify(folder, [signer().public_key])
        assert verdict.intact, verdict.problems
        data = path.read_bytes()
        assert data.startswith(whole + garbage), "nothing is taken away"
        lacks_its_end = torn + b"\n" in template()
        assert verdict.records == whole.count(b"\n") + bool(torn) + 3
        assert verdict.torn == (bool(torn) and not lacks_its_end)
        if verdict.torn:
            (told,) = [json.loads(line) for line in data.splitlines() if b'"what":"torn"' in line]
            assert told["details"] == {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}


def test_what_was_torn_can_be_torn_again(tmp_path):
    """The daemon dies again while it writes that something was torn."""
    path = tmp_path / "audit-000000001.jsonl"
    whole = b"".join(template())
    for cut in range(0, 200, 7):
        path.write_bytes(whole[:-30])
        chain = Chain(tmp_path)
        chain.open()
        chain.close()
        path.write_bytes(path.read_bytes()[: len(whole) - 30 + cut])
        grow(tmp_path, calls(1), key=signer()).close()
        verdict = verify(tmp_path, [signer().public_key])
        assert verdict.intact, (cut, verdict.problems)


def test_pages_that_never_reached_the_disk_count_as_torn(tmp_path):
    path = tmp_path / "audit-000000001.jsonl"
    lines = template()
    path.write_bytes(b"".join(lines[:5]) + bytes(len(lines[5]) + 40) + lines[6][40:] + lines[7])
    grow(tmp_path, calls(2), key=signer()).close()
    verdict = verify(tmp_path, [signer().public_key])
    assert verdict.intact, verdict.problems
    assert (verdict.torn, verdict.records) == (1, 5 + 1 + 3)


def test_an_empty_folder_is_an_empty_chain(tmp_path):
    verdict = verify(tmp_path)
    assert (verdict.intact, verdict.records, verdict.head) == (True, 0, GENESIS)
    assert verify(tmp_path, head=Head(3, "a" * 64)).problems[0].what == "missing"
