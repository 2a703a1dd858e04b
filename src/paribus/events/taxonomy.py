"""How events are named: an object and what happened to it, in the past tense and snake_case; no two for one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
RULE = "object_action: snake_case, the action last and in the past tense, such as order_completed"
PAST = {
    "begin": "begun", "bind": "bound", "break": "broken", "bring": "brought", "build": "built", "buy": "bought",
    "choose": "chosen", "cut": "cut", "draw": "drawn", "drive": "driven", "eat": "eaten", "find": "found", "get": "got",
    "give": "given", "go": "gone", "hide": "hidden", "hold": "held", "keep": "kept", "leave": "left", "lose": "lost",
    "make": "made", "meet": "met", "pay": "paid", "put": "put", "read": "read", "rebuild": "rebuilt", "run": "run",
    "say": "said", "see": "seen", "sell": "sold", "send": "sent", "set": "set", "show": "shown", "shut": "shut",
    "speak": "spoken", "spend": "spent", "split": "split", "take": "taken", "tell": "told", "think": "thought",
    "undo": "undone", "win": "won", "write": "written",
}  # fmt: skip
NOUNS_IN_ED = frozenset({"bed", "breed", "feed", "need", "seed", "shed", "speed", "weed"})
SILENT = frozenset({
    "complet", "creat", "delet", "invit", "cit", "writ", "vot", "quot", "promot", "execut", "mut", "rout",
    "stor", "restor", "explor", "scor", "ignor", "stag", "plac", "replac", "renam", "resum", "consum", "us",
    "fil", "pil", "til", "fin", "lin", "upgrad", "downgrad", "trad", "provid", "decid", "divid", "hid",
})  # fmt: skip
_SILENT_E = re.compile(
    r"(?<![eoh])at$|[aiue]us$|(?<!c)[cv]e?v$|[aeiour]v$|[aeiou]c$|[nr]c$|dg$|ang$|[aiy]z$|[iu]b$|(?<![ea])ar$|(?<!a)ir$"
    r"|[tsdg]ur$|[bpdgtcfk]l$|(?<![aeo])in$|[aeo]s$|is$|rs$|[aeiou]g$|[ai]k$"
)
SAME = {"purchase": "order", "basket": "cart", "click": "tap", "sign": "log", "signin": "login", "finish": "complete"}


@dataclass(frozen=True, slots=True)
class Lapse:
    """A name that breaks the rule, or two that say the same; `instead` is a better name where one is known."""

    event: str
    what: str
    instead: str = ""


def lint(events: Iterable[str]) -> tuple[Lapse, ...]:
    """What is wrong with the names of events, in their order; reserved ones, beginning with `$`, are left out.

    >>> [lapse.instead for lapse in lint(["Order Completed", "cart_item_add"])]
    ['order_completed', 'cart_item_added']
    """
    names = [name for name in events if not name.startswith("$")]
    found: list[Lapse] = []
    for name in names:
        better = spelled(name)
        if not SNAKE.fullmatch(name):
            found.append(Lapse(name, "is not snake_case", better))
        elif not is_past(name.rsplit("_", 1)[-1]):
            found.append(Lapse(name, "does not end in an action in the past tense", better))
        elif "_" not in name:
            found.append(Lapse(name, "names an action without its object"))
    for i, name in enumerate(names):
        twin = next((other for other in names[:i] if is_near(name, other)), None)
        if twin is not None:
            found.append(Lapse(name, f"looks like {twin}", twin))
    return tuple(found)


def spelled(name: str) -> str:
    """The name in snake_case with its action in the past tense, as far as it can be told."""
    words = _words(name)
    if not words:
        return ""
    if not is_past(words[-1]):
        words[-1] = past(words[-1])
    return "_".join(words)


def is_past(word: str) -> bool:
    """Whether a word can be a past participle.

    >>> is_past("viewed"), is_past("sent"), is_past("view")
    (True, True, False)
    """
    return (word.endswith("ed") and word not in NOUNS_IN_ED and len(word) > 3) or word in PAST.values()


def past(verb: str) -> str:
    """The past participle of a verb, regular unless it is known not to be.

    >>> past("submit"), past("apply"), past("send")
    ('submitted', 'applied', 'sent')
    """
    if verb in PAST:
        return PAST[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ied"
    if verb in {"submit", "commit", "drop", "stop", "ship", "scan", "skip", "swap", "tap", "zip", "log", "tag", "plan"}:
        return f"{verb}{verb[-1]}ed"
    return f"{verb}ed"


def verb_of(participle: str) -> str:
    """The verb of a past participle.

    >>> verb_of("submitted"), verb_of("completed"), verb_of("viewed"), verb_of("sent"), verb_of("applied")
    ('submit', 'complete', 'view', 'send', 'apply')
    """
    known = next((verb for verb, done in PAST.items() if done == participle), None)
    if known is not None or not participle.endswith("ed"):
        return known or participle
    stem = participle[:-2]
    if stem.endswith("i"):
        return f"{stem[:-1]}y"
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsez":
        return stem[:-1]
    return f"{stem}e" if stem in SILENT or _SILENT_E.search(stem) else stem


def is_near(name: str, other: str) -> bool:
    """Whether two names are so alike that they probably mean one event."""
    if name == other:
        return False
    a, b = _meaning(name), _meaning(other)
    if a == b:
        return True
    left, right = "".join(_words(name)), "".join(_words(other))
    return min(len(left), len(right)) >= 8 and _distance(left, right) <= 1


def _meaning(name: str) -> tuple[str, ...]:
    stems = [verb_of(word) for word in _words(name)]
    return tuple(sorted(SAME.get(stem, stem).rstrip("s") for stem in stems))


def _words(name: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", split) if word]


def _distance(a: str, b: str) -> int:
    """Edits between two texts (Levenshtein 1966), counted up to 2."""
    if abs(len(a) - len(b)) > 1:
        return 2
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
