"""Lines of styled text that never exceed their width, whatever the names are: the ground of terminal and `repr`.

Widths are counted in terminal cells (East Asian wide characters take two, combining marks none), control characters
are removed, and for terminals without Unicode every sign has an ASCII spelling.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "strong", "muted", "good", "bad", "caution"]
ASCII = str.maketrans(
    {
        "✓": "+", "✗": "x", "–": "-", "—": "-", "−": "-", "…": "...", "·": "|", "≤": "<=", "≥": ">=", "∞": "inf",
        "─": "-", "━": "=", "→": "->", "×": "x", "±": "+/-", "≈": "~", "’": "'", "“": '"', "”": '"', "\u00a0": " ",
    }
)  # fmt: skip

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def printable(words: object, *, ascii_only: bool = False) -> str:
    r"""Text on one line without control characters; with `ascii_only` also without anything beyond ASCII.

    >>> printable("a\x1b[31mb"), printable("≤ 2%", ascii_only=True)
    ('a[31mb', '<= 2%')
    """
    text = "".join(" " if c in "\t\n\r" else c for c in str(words) if c in "\t\n\r" or not is_control(c))
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


def is_control(character: str) -> bool:
    """Whether the character acts on the text around it instead of being seen: controls, surrogates, bidi overrides."""
    return unicodedata.category(character) in ("Cc", "Cs") or character in BIDI_CONTROLS


def cells(words: str) -> int:
    """How many terminal cells the text takes.

    >>> cells("abc"), cells("変換")
    (3, 4)
    """
    return sum(_cells(c) for c in words)


def wrap(words: str, width: int, *, rest: str = "") -> list[str]:
    """Lines of at most `width` cells, broken at spaces and underscores, else anywhere; later lines begin with `rest`.

    >>> wrap("one two three", 8), wrap("a_long_name", 7)
    (['one two', 'three'], ['a_long_', 'name'])
    """
    lines, line = [], ""
    for piece in _pieces(words):
        if cells((line + piece).rstrip()) <= width:
            line += piece
            continue
        if line.strip() and line != rest:
            lines.append(line.rstrip())
            line = rest
        line += piece.lstrip() if line == rest else piece
        while cells(line.rstrip()) > width:  # a piece wider than the line
            head = clip(line, width)
            lines.append(head)
            line = rest + line[len(head) :]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def paragraph(words: str, width: int, style: Style = "", *, mark: str = "", mark_style: Style = "") -> list[Line]:
    """Wrapped text; a `mark` stands before the first line, the others are indented under it."""
    room = width - cells(mark)
    lines = wrap(words, room)
    first: Line = (Span(mark, mark_style), Span(lines[0], style)) if mark else (Span(lines[0], style),)
    return [first, *((Span(" " * cells(mark) + line, style),) for line in lines[1:])]


def fill(words: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """The text padded to `width` cells."""
    space = " " * max(width - cells(words), 0)
    return space + words if align == "right" else words + space


def plain(lines: Iterable[Line]) -> str:
    """The lines as text, without styles and without spaces at their ends."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


def widest(texts: Sequence[str]) -> int:
    """Cells of the widest text."""
    return max((cells(t) for t in texts), default=0)


def clip(words: str, width: int) -> str:
    """The beginning of the text that takes at most `width` cells, at least one character."""
    taken, head = 0, ""
    for c in words:
        taken += _cells(c)
        if taken > width and head:
            break
        head += c
    return head


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _pieces(words: str) -> list[str]:
    """Words with the space or underscore that ends them."""
    pieces, piece = [], ""
    for c in words:
        piece += c
        if c in " _":
            pieces.append(piece)
            piece = ""
    return [*pieces, piece] if piece else pieces
