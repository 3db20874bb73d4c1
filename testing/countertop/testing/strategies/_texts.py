"""Text as receipts and cards carry it: scripts mixed, no control characters."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

__all__ = ["texts"]

_PLAIN = "aB1 ,.-:x"
_CHINESE = "业务回单金额元，。（）《》·１Ａ　〇囍"
_OTHERS = "éßЖα×€℃≤カナ가ไ"
_RARE = ("𠮷", "𪚥", "\ue0a1", "e\u0301", "\U0010fffd")
_EMOJI = ("🙂", "🇨🇳", "👩‍👧", "❤️", "1️⃣")
_RIGHT_TO_LEFT = ("שלום", "مرحبا", "\u200fא\u200e", "٣٤")


@cache
def texts(max_chars: int = 40, *, min_chars: int = 0, lines: bool = False) -> st.SearchStrategy[str]:
    """Text of `min_chars` to `max_chars` code points: Latin, Chinese, other scripts, characters beyond the BMP and of
    the private use area, combining marks, emoji of several code points, right-to-left words with their marks. No
    control characters but, with `lines`, newlines. Shrinks to `a…`.
    """
    clusters = [*_PLAIN, *_CHINESE, *_OTHERS, *_RARE, *_EMOJI, *_RIGHT_TO_LEFT, *("\n" if lines else "")]
    mixed = st.lists(st.sampled_from(clusters), min_size=min_chars, max_size=max_chars).map("".join)
    plain = st.text(st.sampled_from(_PLAIN), min_size=min_chars, max_size=max_chars)
    return (plain | mixed).map(lambda text: text[:max_chars])
