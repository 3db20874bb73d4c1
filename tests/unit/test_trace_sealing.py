"""Encrypted recordings: the key opens them, and nothing else does."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.trace.format import Entry, Header, entry_lines, header_lines
from countertop.sdk.trace.reading import parse_trace
from countertop.sdk.trace.sealing import Sealer, Unsealer, new_key_pair, read_public_key

PRIVATE, PUBLIC = new_key_pair()
HEADER = Header("sdt", "bytes", "serial", "2026-11-28T09:30:00Z")


def sealed(*data):
    sealer = Sealer(HEADER, PUBLIC.decode())
    return header_lines(sealer.header), [sealer.seal(entry_lines(Entry(">", data=item), 1)) for item in data]


@given(st.lists(st.binary(min_size=1, max_size=100), max_size=5))
def test_the_key_opens_what_was_sealed(data):
    header, lines = sealed(*data)
    (section,) = parse_trace([*header, *lines], Unsealer(PRIVATE))
    assert [entry.data for entry in section.entries] == data
    assert [entry.at for entry in section.entries] == list(range(1, len(data) + 1))


def test_nothing_is_in_clear_and_no_two_recordings_are_alike():
    name = "样本人".encode("utf-16-le")
    header, lines = sealed(name, name)
    assert len(set(lines)) == 2
    assert not set(lines) & set(sealed(name, name)[1])
    text = "\n".join([*header, *lines])
    assert name.hex(" ") not in text
    assert name not in b"".join(base64.b64decode(line[2:]) for line in lines)


@pytest.mark.parametrize("tamper", ["bit", "order", "gap", "header", "other key", "no key", "another section"])
def test_what_was_tampered_with_is_refused_with_its_line(tamper):
    header, lines = sealed(b"one", b"two", b"three")
    unseal = Unsealer(new_key_pair()[0] if tamper == "other key" else PRIVATE)
    match tamper:
        case "bit":
            raw = bytearray(base64.b64decode(lines[1][2:]))
            raw[0] ^= 1
            lines[1] = f"* {base64.b64encode(raw).decode()}"
        case "order":
            lines[0], lines[1] = lines[1], lines[0]
        case "gap":
            del lines[1]
        case "header":
            header = [line.replace("sdt", "abc") for line in header]
        case "another section":
            lines[1] = sealed(b"one", b"two")[1][1]
    with pytest.raises(ValueError, match=r"line \d+: expected"):
        parse_trace([*header, *lines], None if tamper == "no key" else unseal)


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes():
    header, lines = sealed(b"one", b"two", b"three")
    assert len(parse_trace([*header, *lines[:2]], Unsealer(PRIVATE))[0].entries) == 2


@pytest.mark.parametrize(
    "pem", ["", "no key", PRIVATE.decode(), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_what_is_no_public_key_is_refused(pem):
    with pytest.raises(ValueError, match="X25519 public key"):
        read_public_key(pem)


@pytest.mark.parametrize("pem", [b"", b"no key", PUBLIC])
def test_what_is_no_private_key_is_refused(pem):
    with pytest.raises(ValueError, match="X25519 private key"):
        Unsealer(pem)


@given(st.text(max_size=30))
def test_a_senseless_header_is_refused(text):
    header = Header("sdt", "bytes", "serial", HEADER.opened, sealed=f"x25519:{text}")
    with pytest.raises(ValueError, match=r"base64|X25519"):
        Unsealer(PRIVATE)(header)
