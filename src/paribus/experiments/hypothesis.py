"""A hypothesis one can test: because we found, we believe, for whom, will, measured by; and what is refused as none.

A requirement is where it begins: what somebody wants to build, said so that another can build it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from paribus.errors import DefinitionError, InputError, did_you_mean
from paribus.experiments.words import GENERIC, VAGUE, pieces, stem, stems
from paribus.metrics.definition import Direction

EXAMPLE = "one-click checkout for returning mobile users"
MOST = 300

_UP = frozenset({"rise", "increas", "grow", "more", "higher", "rais", "up", "gain"})
_DOWN = frozenset({"fall", "decreas", "drop", "less", "lower", "reduc", "down", "shrink", "fewer"})

Class = Literal["follow_up", "finding", "model", "opinion"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A structured hypothesis.

    because       what was found, in words
    change        what is built
    for_whom      who meets it
    will          what will happen, with its direction
    measured_by   name of the metric that tells
    findings      ids of what it rests on; none makes it an opinion
    """

    because: str
    change: str
    for_whom: str
    will: str
    measured_by: str
    findings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The hypothesis as one sentence."""
        whom = self.for_whom or "everyone"
        return (
            f"Because {_lower(self.because)} we believe that {_lower(self.change)}, for {_lower(whom)}, "
            f"will have the effect that {_lower(self.will)}, measured by {self.measured_by}."
        )


def direction(text: str) -> Direction | None:
    """Which way a sentence says something moves; None where it does not say, or says both.

    >>> direction("the share of orders rises"), direction("things change")
    ('increase', None)
    """
    found = {stem(word) for word in pieces(text)}
    up, down = bool(found & _UP), bool(found & _DOWN)
    return None if up == down else "increase" if up else "decrease"


def complaints(statement: Statement, metrics: Collection[str]) -> tuple[DefinitionError, ...]:
    """Everything that keeps a hypothesis from being tested; empty for a sound one.

    Args:
        statement: the hypothesis.
        metrics: names of the metrics that are defined.
    """
    found = []

    def complain(where: str, what: str, rule: str, fix: str) -> None:
        found.append(DefinitionError(what, where=where, rule=rule, fix=fix))

    for part in ("because", "change"):
        if not getattr(statement, part).strip():
            complain(
                part, f"the hypothesis does not say {part}", "because, we believe, for whom, will, measured by", ""
            )
    if direction(statement.will) is None:
        complain(
            "will",
            f"{statement.will!r} names no direction" if statement.will.strip() else "what will happen is missing",
            "a hypothesis says whether its metric rises or falls, so that it can be wrong",
            "write for instance: the share of units with an order rises",
        )
    if not statement.measured_by.strip():
        complain(
            "measured_by",
            "no metric measures it",
            "a hypothesis without a metric cannot be tested",
            f"name one of: {', '.join(sorted(metrics)[:6])}" if metrics else "define a success metric first",
        )
    elif metrics and statement.measured_by not in metrics:
        complain(
            "measured_by",
            f"there is no metric {statement.measured_by!r}",
            "the metric of a hypothesis is one that is defined",
            did_you_mean(statement.measured_by, sorted(metrics)),
        )
    return tuple(found)


def refuse_unsound(statement: Statement, metrics: Collection[str]) -> None:
    """Makes sure that a hypothesis can be tested.

    Raises:
        DefinitionError: the first complaint.
    """
    for complaint in complaints(statement, metrics):
        raise complaint


def checked_requirement(text: str) -> str:
    """The requirement without spaces around it, if it says what is to be built.

    Raises:
        InputError: it is empty, too long, or made of words that any wish could be made of.

    >>> checked_requirement("  dark mode ")
    'dark mode'
    """
    clean = " ".join(text.split())
    example = f'for instance: paribus feature new "{EXAMPLE}"'
    if not clean:
        raise InputError(
            "the requirement is empty", where="requirement", rule="say what is to be built, and for whom", fix=example
        )
    if len(clean) > MOST:
        raise InputError(
            f"the requirement has {len(clean)} characters",
            where="requirement",
            rule=f"one change in one sentence, at most {MOST} characters; several changes are several features",
            fix=example,
        )
    words = [word for word in pieces(clean) if word not in VAGUE]
    meant = [each for each in stems(" ".join(words)) if not each.isdigit()]
    if not any(each not in GENERIC for each in meant) or len(meant) < 2:
        raise InputError(
            f"{clean!r} does not say what is built",
            where="requirement",
            rule="a requirement names the change (and for whom), not only the wish that something gets better",
            fix=example,
        )
    return clean


def _lower(text: str) -> str:
    """A part of a sentence: without its full stop, its first letter small unless the word is a name."""
    text = text.strip().rstrip(".")
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:] == first[1:].lower() else text
