"""Finding out which printer answers, if it answers at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.options import EscPosOptions
from countertop.drivers.escpos.profiles import GENERIC, Profile, find_profile, load_profile
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.errors import NoAnswer

__all__ = ["Identity", "identify"]

# Answers of GS I 69 that name a Chinese font (Epson APG). Which four-byte characters it has is not told.
_LANGUAGES = {"CHINA GB2312": "gb2312", "CHINA GB18030": "gbk"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What the printer told of itself."""

    profile: Profile
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    realtime: bool = False
    """It answers DLE EOT."""
    provisional: bool = False
    """It was out of order and could not be asked for its model."""


async def identify(session: Session, board: StatusBoard, options: EscPosOptions) -> Identity:
    """Ask for the status, then for the model. Raises NoAnswer if nothing is answered at all, and LinkFault.

    DLE EOT goes first: it is answered while the printer is out of order, GS I is not.
    """
    realtime = await _read_status(session, board, options.answer_seconds)
    blocked = bool(board.blocking())
    texts = {} if blocked else await _read_texts(session, options.identify_seconds)
    fence = bool(texts) or blocked
    if not fence:
        # it may be printing what was sent before: GS r waits behind that, as GS I does
        fence = await _answers_gs_r(session, options.busy_seconds if realtime else options.identify_seconds)
        if fence:
            texts = await _read_texts(session, options.identify_seconds)
        elif realtime:
            await _read_status(session, board, options.answer_seconds)
            blocked = fence = bool(board.blocking())
            if not blocked and await _half_command_ended(session, options):
                texts = await _read_texts(session, options.identify_seconds)
                fence = bool(texts) or await _answers_gs_r(session, options.identify_seconds)
    if not realtime and not fence and options.confirm != "written":
        raise NoAnswer("identify the printer", options.answer_seconds)
    numbers = {} if texts or blocked else await _read_numbers(session, options.identify_seconds)
    profile = _profile(texts, options)
    return Identity(
        profile=profile if fence else replace(profile, gs_r=False),
        vendor=texts.get(protocol.INFO_MAKER, ""),
        model=texts.get(protocol.INFO_MODEL) or _number("model id", numbers.get(protocol.ID_MODEL)),
        serial=texts.get(protocol.INFO_SERIAL, ""),
        firmware=texts.get(protocol.INFO_FIRMWARE) or _number("ROM version", numbers.get(protocol.ID_ROM)),
        realtime=realtime,
        provisional=blocked and options.profile == "auto",
    )


async def _read_status(session: Session, board: StatusBoard, seconds: float) -> bool:
    try:
        for n in EOT_BITS:
            board.eot(n, await session.realtime_status(n, seconds))
    except NoAnswer:
        return False
    return True


async def _read_texts(session: Session, seconds: float) -> dict[int, str]:
    """The answers to GS I; the model first, and nothing more if that is not answered."""
    texts: dict[int, str] = {}
    wanted = (
        protocol.INFO_MODEL,
        protocol.INFO_MAKER,
        protocol.INFO_FIRMWARE,
        protocol.INFO_SERIAL,
        protocol.INFO_LANGUAGE,
    )
    try:
        for n in wanted:
            texts[n] = (await session.printer_info(n, seconds)).strip()
    except NoAnswer:
        return texts  # older models know some of them only
    return texts


async def _half_command_ended(session: Session, options: EscPosOptions) -> bool:
    """Clear the printer's buffers; whether it knows how to.

    A command that a broken link cut in two goes on with what the next connection sends, and swallows it: real-time
    commands are answered, all others are not. Its remains are of a print that has ended long ago.
    """
    if options.clear is False:
        return False
    try:
        await session.clear_buffers(options.identify_seconds)
    except NoAnswer:
        return False
    return True


async def _read_numbers(session: Session, seconds: float) -> dict[int, int]:
    """What older models tell: GS I 1 to 3."""
    numbers: dict[int, int] = {}
    try:
        for n in (protocol.ID_MODEL, protocol.ID_TYPE, protocol.ID_ROM):
            numbers[n] = await session.identity_byte(n, seconds)
    except NoAnswer:
        return numbers
    return numbers


def _number(what: str, value: int | None) -> str:
    return "" if value is None else f"{what} {value:02X}h"


async def _answers_gs_r(session: Session, seconds: float) -> bool:
    try:
        await session.status_byte(1, seconds)
    except NoAnswer:
        return False
    return True


def _profile(texts: dict[int, str], options: EscPosOptions) -> Profile:
    """The profile that the operator named, else the model's, as the operator's other options have it."""
    if options.profile != "auto":
        profile = load_profile(options.profile)
    else:
        profile = find_profile(texts.get(protocol.INFO_MODEL, "")) or load_profile(GENERIC)
        kanji = _LANGUAGES.get(texts.get(protocol.INFO_LANGUAGE, ""))
        if kanji and not profile.kanji:
            profile = replace(profile, kanji=kanji)
    if options.code_pages:
        profile = profile.with_code_pages(options.code_pages)
    if options.kanji:
        profile = replace(profile, kanji="" if options.kanji == "none" else options.kanji)
    if options.clear is not None:
        profile = replace(profile, clear=options.clear)
    return profile
