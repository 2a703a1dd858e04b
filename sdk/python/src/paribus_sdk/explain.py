"""Explains a decision: each step on the way to it, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paribus_sdk.comparison import kind_of
from paribus_sdk.condition import Audience, Comparison, Condition, Everyone, Negation, Someone, truth
from paribus_sdk.decision import Decision
from paribus_sdk.definitions import BASIS_POINTS, BrokenFlag, Flag
from paribus_sdk.fates import Fates
from paribus_sdk.walk import Walk

SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision.

    Attributes:
        name: What was looked at: unit, override, prerequisite, rule, comparison, traffic, split and so on.
        sentence: What was found.
        answer: True, False, or None where it is unknown or no question was asked.
        parts: The steps that this one is made of.
    """

    name: str
    sentence: str
    answer: bool | None = None
    parts: tuple[Step, ...] = ()

    def lines(self, indent: int = 0) -> list[str]:
        """The sentences of this step and its parts, indented."""
        own = "  " * indent + self.sentence
        return [own, *(line for part in self.parts for line in part.lines(indent + 1))]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, and the steps that led to it."""

    decision: Decision
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """The steps as lines of text, the decision last."""
        decision = self.decision
        lines = [line for step in self.steps for line in step.lines()]
        variant = f"variant {decision.variant!r}" if decision.variant is not None else "no variant"
        return "\n".join([*lines, f"So: {variant}, {_shown(decision.value)}, reason {decision.reason}."])

    def __str__(self) -> str:
        return self.text


def explain(
    flags: Mapping[str, Flag | BrokenFlag],
    outcomes: Callable[[str], Fates],
    key: str,
    given: object,
    context: object,
) -> Explanation:
    """The explanation of what the flag `key`, which must exist, decides for the unit given."""
    teller = _Teller(flags, outcomes, given, context)
    decision = Walk(flags, outcomes, teller.tell).decide(key, given, context)
    return Explanation(decision, tuple(teller.steps))


@dataclass(slots=True)
class _Teller:
    flags: Mapping[str, Flag | BrokenFlag]
    outcomes: Callable[[str], Fates]
    given: object
    context: object
    steps: list[Step] = field(default_factory=list)

    def tell(self, name: str, **facts: Any) -> None:
        if name == "prerequisite":
            self.steps.append(self._prerequisite(**facts))
        else:
            self.steps.append(_TELL[name](**facts))

    def _prerequisite(self, prerequisite: Any, variant: str | None, is_met: bool) -> Step:
        wanted = ", ".join(repr(name) for name in sorted(prerequisite.variants)) or "no variant at all"
        sentence = f"Prerequisite {prerequisite.flag!r} gives {variant!r}; needed is {wanted}."
        nested = explain(self.flags, self.outcomes, prerequisite.flag, self.given, self.context)
        return Step("prerequisite", sentence, is_met, nested.steps)


def _tell_broken(flag: BrokenFlag) -> Step:
    answer = "its default variant is used" if flag.default else "the caller's default is used"
    return Step("broken", f"The flag is broken ({flag.problem.where}: {flag.problem.why}); {answer}.")


def _tell_unit(flag: Flag, unit: str | None) -> Step:
    source = "the targeting key" if flag.unit_attribute is None else f"the attribute {flag.unit_attribute!r}"
    if unit is None:
        return Step("unit", f"There is no usable {flag.unit_type}: {source} must be text or an integer.", False)
    return Step("unit", f"The unit is the {flag.unit_type} {unit!r}, from {source}.", True)


def _tell_rule(rule: Any, answer: bool | None, read: Callable[[str], Any]) -> Step:
    name = f"Rule {rule.id!r}" if rule.id is not None else "A rule"
    if rule.when is None:
        return Step("rule", f"{name} is for everyone.", True)
    verdict = {True: "applies", False: "does not apply", None: "does not apply: its condition is unknown"}[answer]
    return Step("rule", f"{name} {verdict}.", answer, (_weighed(rule.when, read),))


def _tell_holdout(holdout: Any, bucket: int) -> Step:
    is_held = bucket < holdout.share_bp
    verb = "is" if is_held else "is not"
    sentence = (
        f"The unit {verb} in the holdout {holdout.key!r}: bucket {bucket}, held are those below {holdout.share_bp}."
    )
    return Step("holdout", sentence, is_held)


def _tell_layer(layer: Any, bucket: int) -> Step:
    is_inside = layer.from_bp <= bucket < layer.to_bp
    verb = "is" if is_inside else "is not"
    sentence = (
        f"The unit {verb} in this flag's part of the layer {layer.key!r}: "
        f"bucket {bucket}, the part is {layer.from_bp} to {layer.to_bp}."
    )
    return Step("layer", sentence, is_inside)


def _tell_traffic(rollout: Any, bucket: int) -> Step:
    is_inside = bucket < rollout.traffic_bp
    verb = "is" if is_inside else "is not"
    return Step(
        "traffic",
        f"The unit {verb} in the rollout: bucket {bucket} of {BASIS_POINTS}, inside is below {rollout.traffic_bp}.",
        is_inside,
    )


def _tell_band(band: Any) -> Step:
    sentence = f"The unit was in traffic before the split changed, and keeps the split of epoch {band.epoch}."
    return Step("band", sentence, True)


def _tell_split(share: Any, bucket: int, end_bp: int) -> Step:
    sentence = (
        f"The split gives {share.variant.name!r}: bucket {bucket} is in {end_bp - share.weight_bp} to {end_bp}, "
        f"a share of {share.weight_bp / 100:g}%."
    )
    return Step("split", sentence, True)


_TELL: dict[str, Callable[..., Step]] = {
    "broken": _tell_broken,
    "unit": _tell_unit,
    "killed": lambda: Step("killed", "The flag is killed: everyone gets its default variant.", True),
    "disabled": lambda: Step("disabled", "The flag is not enabled here: everyone gets its default variant.", True),
    "override": lambda unit: Step("override", f"An override names the unit {unit!r}.", True),
    "sticky": lambda unit: Step("sticky", f"The unit {unit!r} keeps the variant it was given.", True),
    "no_holdout": lambda holdout: Step("holdout", f"Without a unit the holdout {holdout.key!r} is skipped.", False),
    "holdout": _tell_holdout,
    "rule": _tell_rule,
    "invalid_unit": lambda: Step("invalid_unit", "A rollout needs a unit: the default variant is used.", False),
    "layer": _tell_layer,
    "traffic": _tell_traffic,
    "band": _tell_band,
    "split": _tell_split,
    "default": lambda: Step("default", "No rule applies: the default variant is used."),
}


def _weighed(condition: Condition, read: Callable[[str], Any]) -> Step:
    answer = truth(condition, read)
    verdict = {True: "true", False: "false", None: "unknown"}[answer]
    match condition:
        case Comparison():
            return Step("comparison", _compared(condition, read(condition.attribute), verdict), answer)
        case Everyone(parts) | Someone(parts):
            word = "All" if isinstance(condition, Everyone) else "Any"
            name = word.lower()
            return Step(
                name, f"{word} of {len(parts)}: {verdict}.", answer, tuple(_weighed(part, read) for part in parts)
            )
        case Negation(part):
            return Step("not", f"Not: {verdict}.", answer, (_weighed(part, read),))
        case Audience(key, part):
            return Step("audience", f"In the audience {key!r}: {verdict}.", answer, (_weighed(part, read),))


def _compared(comparison: Comparison, value: Any, verdict: str) -> str:
    claim = f"{comparison.attribute!r} {comparison.operator.phrase} {_shown(comparison.value)}: {verdict}"
    if verdict != "unknown":
        return f"{claim}; it is {_shown(value)}." if value is not None else f"{claim}; it is missing."
    if value is None:
        return f"{claim}, because it is missing."
    return f"{claim}, because it is {_type_name(value)} ({_shown(value)}); needed is {comparison.operator.needs}."


def _type_name(value: Any) -> str:
    kind = kind_of(value)
    if kind is not None:
        return {"text": "text", "number": "a number", "boolean": "a boolean"}[kind]
    return (
        "a list" if isinstance(value, list | tuple) else "an object" if isinstance(value, Mapping) else "not comparable"
    )


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a caller's object may fail to show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
