"""Regular expressions that every engine can match in time that grows with the text and no faster.

PCRE, ICU and Java's engine try again from the start of a repeated group, so `(a+)+$` takes a night for thirty letters.
What repeats a group that itself repeats or chooses is refused, and so is what only some engines know.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 200
MAX_OPEN_REPEATS = 4  # each one multiplies the work by the length of the text where an engine goes back
MAX_COUNT = 100

_REPEAT = re.compile(r"[*+?]|\{(\d{1,9})(?:(,)(\d{0,9}))?\}", re.ASCII)
_CLASS = re.compile(r"\[\^?\]?(?:\\.|\[:\^?[a-z]{3,6}:\]|[^\]\\\[])*\]")
_ESCAPES = frozenset("dDwWsSbBnrt" + ".^$*+?()[]{}|\\/-_:;,#@%&=<>!~\"' ")


def why_refused(pattern: str) -> str | None:
    """What is wrong with a pattern, None for one that is accepted.

    >>> why_refused("^/checkout/[0-9]+$"), why_refused("(a+)+$")
    (None, 'repeats a group that itself repeats or chooses')
    """
    if not pattern or len(pattern) > MAX_CHARACTERS:
        return f"is empty or longer than {MAX_CHARACTERS} characters"
    if not pattern.isprintable():
        return "holds a character that cannot be seen"
    rest = pattern.removeprefix("(?i)")
    varies = [False]  # does the group that is open repeat or choose, the whole first
    open_repeats = position = 0
    previous: bool | None = None  # may the last piece be repeated: None at the start of a group
    while position < len(rest):
        sign = rest[position]
        repeat = _REPEAT.match(rest, position)
        if repeat:
            if previous is not True:
                return "repeats a group that itself repeats or chooses" if previous is False else "repeats nothing"
            position = repeat.end()
            if rest[position : position + 1] == "?":  # as few as possible
                position += 1
            if any(int(count) > MAX_COUNT for count in (repeat[1], repeat[3]) if count):
                return f"repeats more than {MAX_COUNT} times"
            is_open = repeat[0] in {"*", "+"} or (repeat[2] is not None and not repeat[3])
            open_repeats += is_open
            if open_repeats > MAX_OPEN_REPEATS:
                return f"repeats without an end more than {MAX_OPEN_REPEATS} times"
            varies[-1] = True
            previous = None
            continue
        position += 1
        if sign == "(":
            if rest[position : position + 1] in {"?", "*"}:
                if rest[position : position + 2] != "?:":
                    return "uses a group that is not known to all engines"
                position += 2
            varies.append(False)
            previous = None
        elif sign == ")":
            if len(varies) == 1:
                return "has parentheses that do not match"
            inner = varies.pop()
            varies[-1] = varies[-1] or inner
            previous = not inner
        elif sign == "|":
            varies[-1] = True
            previous = None
        elif sign == "\\":
            if rest[position : position + 1] not in _ESCAPES or position == len(rest):
                return "uses an escape that is not known to all engines"
            position += 1
            previous = True
        elif sign == "[":
            found = _CLASS.match(rest, position - 1)
            if not found:
                return "has a class of characters that is not closed"
            position = found.end()
            previous = True
        elif sign in "{}":
            return "has a brace that is no number of times"
        else:
            previous = None if sign in "^$" else True
    return "has parentheses that do not match" if len(varies) > 1 else None
