"""Text beyond the basic plane as mixpanel-browser writes it: both halves of a surrogate pair as characters (CESU-8)."""

from __future__ import annotations

import pytest

from paribus.events.dialects.form import joined_surrogates


def cesu(text: str) -> bytes:
    """Each UTF-16 unit encoded by itself, which is what CESU-8 is."""
    units = text.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    return b"".join(chr(high << 8 | low).encode("utf-8", "surrogatepass") for high, low in pairs)


@pytest.mark.parametrize("text", ["plain", "naïve 漢字", "🎈", "a🎈b 👩‍👧 \U0010ffff", "\ud7a3", ""])
def test_pairs_become_one_character(text: str) -> None:
    assert joined_surrogates(cesu(text)) == text.encode()
    assert joined_surrogates(text.encode()) == text.encode()


@pytest.mark.parametrize("document", [b"\xed\xa0\xbc", b"\xed\xbe\x88 x", b"\xff\xed\xa0\xbc\xed\xbe\x88"])
def test_what_is_no_text_stays_for_the_reader_to_refuse(document: bytes) -> None:
    assert joined_surrogates(document) == document
