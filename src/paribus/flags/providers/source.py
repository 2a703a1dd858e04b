"""What a provider's writer is given: a flag in one environment, its conditions as alternatives of comparisons."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from paribus.flags.document import WHOLE, Audience, Environment, Flag, Rollout, Rule

Json = dict[str, Any]
MOST_ALTERNATIVES = 32
LOST = " is left out: "
"""What a difference says of a rule that the provider's file does not hold."""
POSITIVE = {"equals": "in", "in": "in", "not_equals": "not_in", "not_in": "not_in"}
OPPOSITE = {
    "not_in": "in",
    "in": "not_in",
    "less_than": "at_least",
    "at_least": "less_than",
    "greater_than": "at_most",
    "at_most": "greater_than",
}
_ASSIGNED = "units are assigned anew: {name} hashes them by {how}, Paribus by MurmurHash3 of salt and unit"


class Unsupported(Exception):
    """Something that the provider has no word for."""


@dataclass(frozen=True, slots=True)
class Written:
    """A flag in a provider's own JSON, and how its meaning differs from ours.

    Attributes:
        document: What the provider's SDKs read.
        differences: In sentences, for people.
        names: Their name of each variant that they do not call as we do.
    """

    document: Json
    differences: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison; true only where the attribute is known, also when it is negated.

    Attributes:
        op: `in`, `less_than`, `at_most`, `starts_with` …; `exists` has no values.
    """

    attribute: str
    op: str
    values: tuple[Any, ...]
    negated: bool = False


Alternatives = tuple[tuple[Clause, ...], ...]
"""One of these must hold, each with all of its clauses; `((),)` always holds, `()` never."""


@dataclass(frozen=True, slots=True)
class Source:
    """The flag, and whose rules are written."""

    key: str
    flag: Flag
    environment: str
    audiences: Json

    @property
    def state(self) -> Environment:
        return self.flag.environments[self.environment]

    @property
    def is_on(self) -> bool:
        """Whether its rules are asked at all."""
        return self.state.enabled and not self.state.killed

    def alternatives(self, rule: Rule) -> Alternatives:
        """The rule's condition as alternatives.

        Raises:
            Unsupported: an audience is not there, or the alternatives are too many.
        """
        return ((),) if rule.when is None else tuple(_tidy(each) for each in self._read(rule.when, negated=False))

    def gaps(self, name: str, how: str) -> list[str]:
        """What no other provider's file carries over, beginning with the assignment."""
        said = [_ASSIGNED.format(name=name, how=how)]
        if self.state.prerequisites:
            said.append(f"prerequisites are left out: {', '.join(each.flag for each in self.state.prerequisites)}")
        if self.state.holdouts:
            said.append(f"holdouts are left out: {', '.join(self.state.holdouts)}")
        if self.flag.unit_attribute is not None:
            said.append(f"units are read from the key that is asked with, not from {self.flag.unit_attribute}")
        for rule in self.state.rules:
            if rule.rollout is not None and rule.rollout.layer is not None:
                said.append(f"rule {rule.id}: its layer {rule.rollout.layer.key} is left out")
            if rule.rollout is not None and rule.rollout.bands:
                said.append(f"rule {rule.id}: units that keep an earlier split get the present one")
        return said

    def salt(self, *, traffic: bool = False) -> str:
        """The salt of the first rollout."""
        for rule in self.state.rules:
            if rule.rollout is not None:
                return str(rule.rollout.traffic_salt if traffic else rule.rollout.split_salt)
        return self.key

    def _read(self, written: Json, *, negated: bool) -> Alternatives:
        if "not" in written:
            return self._read(written["not"], negated=not negated)
        if "audience" in written:
            named = self.audiences.get(written["audience"])
            if named is None:
                raise Unsupported(f"the audience {written['audience']} is not there")
            return self._read(Audience.model_validate(named).when, negated=negated)
        if "attribute" in written:
            return ((_clause(written, negated),),)
        if "all" not in written and "any" not in written:
            raise Unsupported(f"conditions with {next(iter(written), 'nothing')!r}")
        listed = written["all"] if "all" in written else written["any"]
        parts = [self._read(each, negated=negated) for each in listed]
        if ("all" in written) is negated:
            return _either(parts)
        found: Alternatives = ((),)
        for part in parts:
            found = tuple(tuple(dict.fromkeys((*one, *two))) for one, two in product(found, part))
            if len(found) > MOST_ALTERNATIVES:
                raise Unsupported(f"conditions with more than {MOST_ALTERNATIVES} alternatives")
        return found


def shares(rollout: Rollout, default: str, whole: int) -> list[tuple[str, int, bool]]:
    """Parts of all units, `whole` in sum: variant, size, whether outside the experiment.

    With two variants the rest stands between them, so that widening the traffic moves nobody from one to the other.
    """
    inside = [(part.variant, round(part.weight_bp * rollout.traffic_bp * whole / WHOLE**2)) for part in rollout.split]
    rest = whole - sum(size for _, size in inside)
    parts = [(variant, size, False) for variant, size in inside]
    if rest > 0:
        parts.insert(1 if len(parts) == 2 else len(parts), (default, rest, True))
    return parts


def apportioned(split: Sequence[tuple[str, int]], whole: int) -> list[tuple[str, int]]:
    """Basis points as whole parts of `whole`: what rounding leaves goes to the largest remainders.

    >>> apportioned([("a", 3333), ("b", 3333), ("c", 3334)], 100)
    [('a', 33), ('b', 33), ('c', 34)]
    """
    sizes = [weight * whole // WHOLE for _, weight in split]
    order = sorted(range(len(split)), key=lambda place: -(split[place][1] * whole % WHOLE))
    for place in order[: whole - sum(sizes)]:
        sizes[place] += 1
    return [(name, size) for (name, _), size in zip(split, sizes, strict=True)]


def seed(salt: str) -> int:
    """A positive 31-bit number of a salt."""
    return zlib.crc32(salt.encode()) & 0x7FFFFFFF


def numbered(ids: str, alternatives: Alternatives) -> list[str]:
    """An id for each alternative of a rule."""
    return [ids if len(alternatives) == 1 else f"{ids}-{number + 1}" for number in range(len(alternatives))]


def later_rules(source: Source) -> list[str]:
    """What differs where a unit outside a rule's traffic goes on to the next rule instead of getting the default."""
    open_ = [each.id for each in source.state.rules[:-1] if each.rollout and each.rollout.traffic_bp < WHOLE]
    return [f"rule {each}: units outside its traffic go on to the rules after it" for each in open_]


def _clause(written: Json, negated: bool) -> Clause:
    given = written["value"]
    values = tuple(given) if isinstance(given, list) else (given,)
    op = POSITIVE.get(str(written["op"]), str(written["op"]))
    if op == "exists":
        return Clause(written["attribute"], "exists", (), bool(given) is negated)
    if negated and op in OPPOSITE:
        op, negated = OPPOSITE[op], False  # an unknown attribute meets neither
    if op == "not_in":
        op, negated = "in", True
    if op == "in" and negated and len(values) == 1 and isinstance(values[0], bool):
        return Clause(written["attribute"], "in", (not values[0],))
    return Clause(written["attribute"], op, values, negated)


def _either(parts: Sequence[Alternatives]) -> Alternatives:
    """The alternatives of all; an attribute that is known or not known is no condition."""
    found = tuple(dict.fromkeys(each for part in parts for each in part))
    if len(found) > MOST_ALTERNATIVES:
        raise Unsupported(f"conditions with more than {MOST_ALTERNATIVES} alternatives")
    asked = {(each[0].attribute, each[0].negated) for each in found if len(each) == 1 and each[0].op == "exists"}
    if () in found or any((name, not negated) in asked for name, negated in asked):
        return ((),)
    return found


def _tidy(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """Without `exists` where another clause asks for the same attribute: an unknown one never meets it."""
    asked = {each.attribute for each in clauses if each.op != "exists"}
    return tuple(each for each in clauses if each.op != "exists" or each.negated or each.attribute not in asked)
