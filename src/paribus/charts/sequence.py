"""Message sequences drawn: who says what to whom, downward in time."""

from __future__ import annotations

import textwrap

from paribus.charts.graph import Message, Sequence
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

HEAD, STEP, TOP = 44.0, 36.0, 62.0
SMALL = CHARACTER_WIDTH - 0.6
TIP = 7.0


def sequence_diagram(sequence: Sequence) -> Figure:
    """The sequence with a lifeline per actor, as wide as its words ask for."""
    columns = _columns(sequence)
    width = columns[-1] + _half(sequence, len(columns) - 1)
    for message in sequence.messages:
        index = _index(sequence, message.source)
        if message.source == message.target:
            side = 1 if message.kind == "call" else 0
            width = max(width, columns[index] + (24 if side else 0) + _wide(message.words) / (1 if side else 2) + 12)
    places, at = [], TOP
    for message in sequence.messages:
        lines = len(_lines(message.words))
        at += 13 * (lines - 1)
        places.append(at + 14)
        at += STEP + (12 if message.source == message.target else 0)
    height = at + 8
    drawn = [tag("line", x1=x, x2=x, y1=HEAD, y2=height, class_="pb-look") for x in columns]
    for index, (actor, x) in enumerate(zip(sequence.actors, columns, strict=True)):
        half = _half(sequence, index) - 4
        drawn.append(tag("rect", x=x - half, y=2, width=2 * half, height=HEAD - 4, rx=7, class_="pb-node"))
        drawn.append(label(actor.words, x, 20 if actor.note else 26, class_="pb-strong pb-bare", anchor="middle"))
        if actor.note:
            drawn.append(label(actor.note, x, 34, class_="pb-quiet pb-small pb-bare", anchor="middle"))
    for message, y in zip(sequence.messages, places, strict=True):
        a, b = columns[_index(sequence, message.source)], columns[_index(sequence, message.target)]
        drawn.append(_note(message, a, b, y) if message.kind == "note" else _arrow(message, a, b, y))
    said = ". ".join(
        f"{_words(sequence, each.source)}{'' if each.source == each.target else ' to ' + _words(sequence, each.target)}"
        f": {each.words}"
        for each in sequence.messages
    )
    return Figure(sequence.title, f"{said}.", round(width, 1), round(height, 1), "".join(drawn))


def _arrow(message: Message, a: float, b: float, y: float) -> str:
    class_ = "pb-link pb-dashed" if message.kind == "reply" else "pb-link"
    if a == b:
        d = f"M{a:g} {y - 6:g}h16v14h-{16 - TIP:g}"
        tip = f"M{a + 1:g} {y + 8:g}l{TIP:g} -4v8Z"
        return tag("path", d=d, class_=class_) + tag("path", d=tip, class_="pb-tip") + _words_at(
            message.words, a + 24, y + 4, "start"
        )  # fmt: skip
    sign = 1 if b > a else -1
    line = tag("line", x1=a, x2=b - sign * TIP, y1=y, y2=y, class_=class_)
    tip = tag("path", d=f"M{b:g} {y:g}l{-sign * TIP:g} -4v8Z", class_="pb-tip")
    return line + tip + _words_at(message.words, (a + b) / 2, y - 6, "middle")


def _note(message: Message, a: float, b: float, y: float) -> str:
    lines = _lines(message.words)
    wide = max(len(each) for each in lines) * SMALL + 18
    low, high = min(a, b), max(a, b)
    wide = max(wide, high - low + 24)
    tall = 13 * len(lines) + 10
    x = (low + high) / 2
    box = tag("rect", x=x - wide / 2, y=y + 8 - tall, width=wide, height=tall, rx=4, class_="pb-node pb-fork")
    return box + _words_at(message.words, x, y, "middle")


def _words_at(words: str, x: float, y: float, anchor: str) -> str:
    lines = _lines(words)
    return "".join(
        tag("text", text(each), x=x, y=y - 13 * (len(lines) - 1 - i), class_="pb-small",
            text_anchor=None if anchor == "start" else anchor)
        for i, each in enumerate(lines)
    )  # fmt: skip


def _lines(words: str) -> list[str]:
    return textwrap.wrap(words, 46, break_long_words=False) or [""]


def _wide(words: str) -> float:
    return max(len(each) for each in _lines(words)) * SMALL


def _half(sequence: Sequence, index: int) -> float:
    actor = sequence.actors[index]
    return max(len(actor.words) * (CHARACTER_WIDTH + 0.5), len(actor.note) * SMALL, 60.0) / 2 + 14


def _columns(sequence: Sequence) -> list[float]:
    """The lifelines, far enough apart for heads and words."""
    columns = [_half(sequence, 0)]
    for index in range(1, len(sequence.actors)):
        apart = _half(sequence, index - 1) + _half(sequence, index) + 8
        columns.append(columns[-1] + apart)
    for _ in sequence.messages:  # messages over several columns push the last one
        for message in sequence.messages:
            a, b = sorted((_index(sequence, message.source), _index(sequence, message.target)))
            own = a == b
            if own and (message.kind == "note" or a + 1 == len(columns)):
                continue
            last = a + 1 if own else b
            missing = _wide(message.words) + (34 if own else 26) - (columns[last] - columns[a])
            if missing > 0:
                columns[last:] = [each + missing for each in columns[last:]]
    for message in sequence.messages:
        if message.kind == "note":
            a, b = sorted((_index(sequence, message.source), _index(sequence, message.target)))
            beyond = _wide(message.words) / 2 + 12 - (columns[a] + columns[b]) / 2
            if beyond > 0:
                columns = [each + beyond for each in columns]
    return columns


def _index(sequence: Sequence, actor: str) -> int:
    return next(index for index, each in enumerate(sequence.actors) if each.id == actor)


def _words(sequence: Sequence, actor: str) -> str:
    return sequence.actors[_index(sequence, actor)].words
