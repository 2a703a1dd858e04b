"""Conditions on a context, in Kleene's three-valued logic: True, False, or None for unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from paribus_sdk.comparison import OPERATORS, Operator

Read: TypeAlias = Callable[[str], Any]

MAXIMUM_DEPTH = 50
MAXIMUM_COMPARISONS = 10_000


class BrokenError(Exception):
    """A part of a definition cannot be used: `where` in the flag, and `why`."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where
        self.why = why


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """An attribute compared with a value."""

    attribute: str
    operator: Operator
    value: Any
    operand: Any


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Everyone:
    """True when each part is true; false when one is false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Someone:
    """True when one part is true; false when each is false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Negation:
    """The opposite of its part; unknown stays unknown."""

    part: Condition


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Audience:
    """A condition with a name, shared between flags."""

    key: str
    condition: Condition


Condition: TypeAlias = Comparison | Everyone | Someone | Negation | Audience


def truth(condition: Condition, read: Read) -> bool | None:
    """Whether `condition` holds for the attributes that `read` gives (None: missing); None when unknown."""
    match condition:
        case Comparison(attribute, operator, _, operand):
            value = read(attribute)
            if operator.name == "exists":
                return (value is not None) is operand
            return None if value is None else operator.test(value, operand)
        case Everyone(parts):
            answers = [truth(part, read) for part in parts]
            return False if False in answers else (None if None in answers else True)
        case Someone(parts):
            answers = [truth(part, read) for part in parts]
            return True if True in answers else (None if None in answers else False)
        case Negation(part):
            answer = truth(part, read)
            return None if answer is None else not answer
        case Audience(_, inner):
            return truth(inner, read)


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """The comparisons of a condition, audiences included, in order."""
    match condition:
        case Comparison():
            yield condition
        case Everyone(parts) | Someone(parts):
            for part in parts:
                yield from comparisons(part)
        case Negation(part) | Audience(_, part):
            yield from comparisons(part)


class _TooDeepError(BrokenError):
    pass


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Measured:
    condition: Condition
    depth: int
    comparisons: int


class ConditionReader:
    """Reads conditions as written in definitions; each audience is read once.

    Args:
        audiences: The audiences as written, by key.
    """

    def __init__(self, audiences: Mapping[str, Any]) -> None:
        self._written = audiences
        self._read: dict[str, _Measured | BrokenError] = {}
        self._open: list[str] = []

    def read(self, written: Any, where: str) -> Condition:
        """The condition; raises `BrokenError` when a part of it cannot be used."""
        return self._measured(written, where, 0).condition

    def audience(self, key: str, where: str) -> Condition:
        """The named audience's condition; raises `BrokenError` when it is unknown or cannot be used."""
        return self._audience(key, where).condition

    def _measured(self, written: Any, where: str, level: int) -> _Measured:
        if level >= MAXIMUM_DEPTH:
            raise BrokenError(where, f"the condition is nested deeper than {MAXIMUM_DEPTH} levels")
        if not isinstance(written, Mapping):
            raise BrokenError(where, "a condition is an object")
        if "attribute" in written:
            forms = [form for form in ("all", "any", "not", "audience") if form in written]
            if forms:
                raise BrokenError(where, f"a condition has one form, this one has attribute and {forms[0]}")
            return _Measured(_comparison(written, where), 1, 1)
        forms = [form for form in ("all", "any", "not", "audience") if form in written]
        if len(forms) != 1:
            raise BrokenError(where, "a condition has one of all, any, not, audience, attribute")
        form = forms[0]
        inner = written[form]
        if form == "audience":
            if not isinstance(inner, str):
                raise BrokenError(f"{where}.audience", "an audience is named by its key")
            known = self._audience(inner, f"{where}.audience")
            return self._checked(Audience(inner, known.condition), where, [known], level)
        if form == "not":
            part = self._measured(inner, f"{where}.not", level + 1)
            return self._checked(Negation(part.condition), where, [part], level)
        if not isinstance(inner, list | tuple):
            raise BrokenError(f"{where}.{form}", f"{form} takes a list of conditions")
        parts = [self._measured(part, f"{where}.{form}[{index}]", level + 1) for index, part in enumerate(inner)]
        group = Everyone if form == "all" else Someone
        return self._checked(group(tuple(part.condition for part in parts)), where, parts, level)

    def _checked(self, condition: Condition, where: str, parts: list[_Measured], level: int) -> _Measured:
        depth = 1 + max((part.depth for part in parts), default=0)
        count = sum(part.comparisons for part in parts)
        if level + depth > MAXIMUM_DEPTH:
            raise BrokenError(where, f"the condition is nested deeper than {MAXIMUM_DEPTH} levels, audiences included")
        if count > MAXIMUM_COMPARISONS:
            raise BrokenError(where, f"the condition makes more than {MAXIMUM_COMPARISONS} comparisons")
        return _Measured(condition, depth, count)

    def _audience(self, key: str, where: str) -> _Measured:
        known = self._read.get(key)
        if known is None:
            if key not in self._written:
                raise BrokenError(where, f"there is no audience {key!r}")
            if len(self._open) >= MAXIMUM_DEPTH:
                raise _TooDeepError(where, f"audiences are nested deeper than {MAXIMUM_DEPTH} levels")
            if key in self._open:
                cycle = " → ".join([*self._open[self._open.index(key) :], key])
                raise BrokenError(where, f"the audience {key!r} contains itself: {cycle}")
            self._open.append(key)
            try:
                known = self._measured(self._written[key], f"audiences.{key}", 0)
            except _TooDeepError:
                # Too deep from where reading started; on its own this audience may be in order.
                raise
            except BrokenError as error:
                known = error
            finally:
                self._open.pop()
            self._read[key] = known
        if isinstance(known, BrokenError):
            raise BrokenError(where, f"the audience {key!r} cannot be used: {known.where}: {known.why}")
        return known


def _comparison(written: Mapping[str, Any], where: str) -> Comparison:
    attribute, name = written["attribute"], written.get("op")
    if not isinstance(attribute, str):
        raise BrokenError(f"{where}.attribute", "an attribute is named by text")
    operator = OPERATORS.get(name) if isinstance(name, str) else None
    if operator is None:
        raise BrokenError(f"{where}.op", f"there is no operator {name!r}")
    if "value" not in written:
        raise BrokenError(f"{where}.value", "the value is missing")
    try:
        operand = operator.operand(written["value"])
    except ValueError as error:
        raise BrokenError(f"{where}.value", str(error)) from None
    return Comparison(attribute, operator, written["value"], operand)
