"""The tracks of a magnetic stripe (ISO/IEC 7811-2 and -6): what may be on them, their sentinels, LRC and bits.

What is between the sentinels is called the data of a track; messages hold nothing else. On the stripe a track is
`SS data ES LRC`, every character with its least significant bit first and an odd parity bit behind, zeros around it.
Nothing that is raised here holds a character of a track.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from countertop.sdk.errors import InvalidRequest
from countertop.v1 import card_pb2, card_printer_pb2

__all__ = [
    "TRACKS",
    "StripeError",
    "Track",
    "check_stripe",
    "from_bits",
    "lrc",
    "to_bits",
    "track_texts",
    "with_sentinels",
    "without_sentinels",
]


@dataclass(frozen=True, slots=True)
class Track:
    """How one track is coded."""

    number: int
    bits_per_inch: int
    bits: int
    """Of a character, parity bit included."""
    first: str
    """The character whose data bits are all 0; the others follow as in ASCII."""
    start: str
    end: str
    separator: str
    longest: int
    """Characters on the stripe, with start sentinel, end sentinel and LRC."""
    data: str
    """The characters that data may be of."""
    data_words: str
    """The same for people."""

    @property
    def longest_data(self) -> int:
        """Characters between the sentinels."""
        return self.longest - 3

    @property
    def last(self) -> str:
        """The character whose data bits are all 1."""
        return chr(ord(self.first) + (1 << (self.bits - 1)) - 1)

    def knows(self, character: str) -> bool:
        """It has a code."""
        return self.first <= character <= self.last


_CONTROL = "!\"&'*+,:;<=>@_"
"""Of track 1, for hardware control only, never data (ISO/IEC 7811-2, the table of 7-bit characters)."""
_ALPHA = "".join(chr(code) for code in range(0x20, 0x60) if chr(code) not in _CONTROL + "%?")
_NUMERIC = "0123456789:<=>"
_ALPHA_WORDS = "space, A to Z, 0 to 9 or one of # $ ( ) - . / [ \\ ] ^"
_NUMERIC_WORDS = "0 to 9 or one of : < = >"

TRACKS: dict[int, Track] = {
    1: Track(1, 210, 7, " ", "%", "?", "^", 79, _ALPHA, _ALPHA_WORDS),
    2: Track(2, 75, 5, "0", ";", "?", "=", 40, _NUMERIC, _NUMERIC_WORDS),
    3: Track(3, 210, 5, "0", ";", "?", "=", 107, _NUMERIC, _NUMERIC_WORDS),
}
"""The tracks by their numbers (ISO/IEC 7811-2 and -6)."""


class StripeError(ValueError):
    """Bits that are no track.

    `state` is BLANK when there is nothing, else DAMAGED. `check` says what does not fit ("start sentinel", "parity",
    "end sentinel", "LRC", "end"), `at` with which character, from 1 for the start sentinel; 0 where there is none.
    """

    def __init__(self, track: int, check: str, at: int, *, blank: bool = False) -> None:
        self.track, self.check, self.at = track, check, at
        self.state = card_printer_pb2.TRACK_STATE_BLANK if blank else card_printer_pb2.TRACK_STATE_DAMAGED
        where = f" at character {at}" if at else ""
        super().__init__(f"track {track} is blank" if blank else f"track {track}: the {check} does not fit{where}")


# -- requests --


def track_texts(stripe: card_pb2.StripeData) -> dict[int, str]:
    """The tracks that are given, by their numbers."""
    texts = {1: stripe.track1, 2: stripe.track2, 3: stripe.track3}
    return {number: text for number, text in texts.items() if text}


def check_stripe(stripe: card_pb2.StripeData, field: str, tracks: Collection[int]) -> None:
    """Check what is to be written; `field` is its path in the request, `tracks` are those that the device has.

    Raises InvalidRequest that names `field.track1` and so on, by position and expectation, never by content.
    """
    texts = track_texts(stripe)
    wrong = {f"{field}.track{number}": _mistake(number, text, tracks) for number, text in texts.items()}
    if not texts:
        wrong[field] = "expected data for one track or more"
    found = {path: expected for path, expected in wrong.items() if expected}
    if found:
        raise InvalidRequest(found)


def _mistake(number: int, text: str, tracks: Collection[int]) -> str:
    """What was expected of a track; empty when it is well."""
    if number not in tracks:
        has = ", ".join(str(track) for track in sorted(tracks))
        return f"expected no data: the device has {f'track {has} only' if has else 'no stripe encoder'}"
    track = TRACKS[number]
    if len(text) > track.longest_data:
        return f"expected at most {track.longest_data} characters, got {len(text)}"
    at = next((place for place, character in enumerate(text, 1) if character not in track.data), 0)
    return f"expected {track.data_words} as character {at}" if at else ""


# -- sentinels and LRC --


def with_sentinels(track: int, data: str) -> str:
    """`;1234?` for `1234` on track 2. Raises ValueError for what cannot be on the track."""
    kind = TRACKS[track]
    mistake = _mistake(track, data, TRACKS)
    if mistake:
        raise ValueError(f"track {track}: {mistake}")
    return f"{kind.start}{data}{kind.end}"


def without_sentinels(track: int, text: str) -> str:
    """The data of `;1234?`; an LRC after the end sentinel, which some devices give, must fit.

    Raises StripeError for a sentinel that is missing or twice there, for an LRC that does not fit, and for characters
    that the track does not have.
    """
    kind = TRACKS[track]
    if not text.startswith(kind.start):
        raise StripeError(track, "start sentinel", 1)
    end = text.find(kind.end)
    if end < 0:
        raise StripeError(track, "end sentinel", len(text))
    data, rest = text[1:end], text[end + 1 :]
    for place, character in enumerate(data, 2):
        if not kind.knows(character) or character == kind.start:
            raise StripeError(track, "alphabet", place)
    if rest and rest != lrc(track, text[: end + 1]):
        raise StripeError(track, "LRC", end + 2)
    if len(data) > kind.longest_data:
        raise StripeError(track, "length", end + 1)
    return data


def lrc(track: int, text: str) -> str:
    """The check character of a text with its sentinels: the exclusive or of the data bits of all its characters.

    Raises ValueError for characters that the track does not have.
    """
    kind = TRACKS[track]
    check = 0
    for place, character in enumerate(text, 1):
        if not kind.knows(character):
            raise ValueError(f"track {track}: expected {kind.first!r} to {kind.last!r} as character {place}")
        check ^= ord(character) - ord(kind.first)
    return chr(ord(kind.first) + check)


# -- bits --


def to_bits(track: int, data: str) -> bytes:
    """The track from start sentinel to LRC, one byte of 0 or 1 for each bit, without the zeros around it.

    Raises ValueError for what cannot be on the track.
    """
    kind = TRACKS[track]
    text = with_sentinels(track, data)
    bits = bytearray()
    for character in text + lrc(track, text):
        code = ord(character) - ord(kind.first)
        bits += bytes(code >> place & 1 for place in range(kind.bits - 1))
        bits.append(1 - code.bit_count() % 2)
    return bytes(bits)


def from_bits(track: int, bits: Iterable[int]) -> str:
    """The data of a track as a head read it, with any zeros around it, swiped in either direction.

    Raises StripeError: BLANK when there are only zeros, else what does not fit, as it looks in the direction whose
    start sentinel was found.
    """
    read = bytes(1 if bit else 0 for bit in bits)
    if 1 not in read:
        raise StripeError(track, "", 0, blank=True)
    first: StripeError | None = None
    for direction in (read, read[::-1]):
        try:
            return _decode(TRACKS[track], direction[direction.index(1) :])
        except StripeError as error:
            if first is None or (first.check, first.at) == ("start sentinel", 1):
                first = error
    assert first is not None
    raise first


def _decode(kind: Track, bits: bytes) -> str:
    """The data of a track whose start sentinel begins at the first bit."""
    check = 0
    text = ""
    for place in range(1, kind.longest + 1):
        piece = bits[(place - 1) * kind.bits : place * kind.bits]
        piece += bytes(kind.bits - len(piece))  # a head may stop after the last 1
        code = sum(bit << index for index, bit in enumerate(piece[:-1]))
        character = chr(ord(kind.first) + code)
        if place == 1 and (character != kind.start or sum(piece) % 2 == 0):
            raise StripeError(kind.number, "start sentinel", place)
        if sum(piece) % 2 == 0:
            raise StripeError(kind.number, "parity", place)
        if text.endswith(kind.end):
            if code != check:
                raise StripeError(kind.number, "LRC", place)
            if 1 in bits[place * kind.bits :]:
                # without this a track that is read backwards could pass for another one
                raise StripeError(kind.number, "end", place + 1)
            return text[1:-1]
        if place > 1 and character == kind.start:
            raise StripeError(kind.number, "start sentinel", place)
        check ^= code
        text += character
    raise StripeError(kind.number, "end sentinel", kind.longest)
