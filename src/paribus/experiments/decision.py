"""The decision rule: evidence in, exactly one verdict out, with the number of the row that spoke.

`RULES` is the table after Schultzberg, Ankargren and Franberg (2024, arXiv 2402.11609), in order; the first row that
applies gives the verdict. At least one row always applies:

| row | condition | verdict |
|---|---|---|
| 1 | a blocking health check fails | invalid: effects hidden, with the cause |
| 2 | a guardrail is shown worse than its margin, or a success metric is shown worse | roll back |
| 3 | the plan forbids a reading, or matured units < `min_sample_size` | not yet, with what is missing |
| 4 | a success metric superior, every guardrail non-inferior, nothing deteriorated | ship |
| 5 | success superior, a guardrail shown neither safe nor harmful | iterate: underpowered guardrail |
| 6 | the plan's end, every success interval inside ± the smallest worthwhile effect | neutral |
| 7 | otherwise at the plan's end | iterate: inconclusive |

Before its end a sequential plan allows two findings only, superior and harmful; whatever else the data show then is no
reading that the plan knows, so row 3 answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paribus.charts.numbers import count
from paribus.experiments.phrases import agreeing, listing
from paribus.experiments.result import Conclusion, Verdict, VerdictValue
from paribus.metrics.definition import Role

UNDERPOWERED = 5
"""The row of an effect that is shown while a guardrail is not; more units may settle it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the deciding method says about one metric in one treatment arm.

    words           the effect with its interval, for the sentence
    effect          the effect in the metric's good direction; only ranks arms that may all ship
    required_units  guardrails not shown safe: units per arm that would show it
    """

    metric: str
    role: Role
    conclusion: Conclusion
    words: str = ""
    effect: float = 0.0
    required_units: int | None = None


@dataclass(frozen=True, slots=True)
class ArmEvidence:
    """The findings of one treatment arm."""

    variant: str
    findings: tuple[Finding, ...]

    def of(self, role: Role, *conclusions: Conclusion) -> tuple[Finding, ...]:
        """The findings with this role and one of these conclusions (any, when none is named)."""
        return tuple(f for f in self.findings if f.role is role and (not conclusions or f.conclusion in conclusions))

    @property
    def harm(self) -> tuple[Finding, ...]:
        return self.of(Role.GUARDRAIL, "harmful") + self.of(Role.SUCCESS, "worse")

    @property
    def superior(self) -> tuple[Finding, ...]:
        return self.of(Role.SUCCESS, "better")

    @property
    def unsafe(self) -> tuple[Finding, ...]:
        """Guardrails that are not shown safe."""
        return tuple(f for f in self.of(Role.GUARDRAIL) if f.conclusion != "safe")

    @property
    def ships(self) -> bool:
        return bool(self.superior) and not self.unsafe and not self.harm


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict depends on.

    blocking   one sentence for each blocking health check that fails
    forbidden  why the plan forbids a reading now; empty when it allows one
    units      matured units by arm, the control included
    ended      the plan's end is reached (or its futility boundary crossed)
    """

    arms: tuple[ArmEvidence, ...]
    units: dict[str, int]
    blocking: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    min_sample_size: int = 0
    ended: bool = True
    until: str = "the plan's end"

    @property
    def short(self) -> tuple[str, ...]:
        """Arms with fewer matured units than the plan asks for."""
        return tuple(arm for arm, n in self.units.items() if n < self.min_sample_size)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    row: int
    value: VerdictValue
    applies: Callable[[Evidence], bool]
    say: Callable[[Evidence], tuple[str, str | None]]  # the sentence and the arm it names


def decide(evidence: Evidence) -> Verdict:
    """The verdict of the first row that applies."""
    rule = next(rule for rule in RULES if rule.applies(evidence))
    sentence, arm = rule.say(evidence)
    return Verdict(rule.value, rule.row, sentence, _reasons(evidence), None, arm)


def describe_unregistered(evidence: Evidence) -> Verdict:
    """No verdict, because no plan was sealed; `would_be` is what the plan would have said had it been."""
    would_be = next(rule for rule in RULES if rule.applies(evidence)).value
    if evidence.blocking:
        sentence = f"Unregistered reading, and not a valid one: effects are hidden. {' '.join(evidence.blocking)}"
    else:
        sentence = (
            "Unregistered reading: no plan was sealed before the data, so these numbers describe and do not decide."
        )
    return Verdict(VerdictValue.UNREGISTERED, 0, sentence, _reasons(evidence), would_be)


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    """One line for each blocking check, or for each metric in each arm that the rule looked at."""
    if evidence.blocking:
        return evidence.blocking
    several = len(evidence.arms) > 1
    return (
        *evidence.forbidden,
        *(
            f"{f'{arm.variant}, ' if several else ''}{f.metric} ({f.role.value}): {f.conclusion}"
            + (f" ({f.words})" if f.words else "")
            for arm in evidence.arms
            for f in arm.findings
            if f.role is not Role.SECONDARY
        ),
    )


def _are(findings: tuple[Finding, ...]) -> str:
    return agreeing(len(findings), "are")


def _named(findings: tuple[Finding, ...]) -> str:
    return "; ".join(f"{f.metric} ({f.words})" if f.words else f.metric for f in findings)


def _superior(evidence: Evidence) -> bool:
    return any(arm.superior for arm in evidence.arms)


def _invalid(evidence: Evidence) -> tuple[str, None]:
    return f"Invalid, effects are hidden. {' '.join(evidence.blocking)}", None


def _roll_back(evidence: Evidence) -> tuple[str, str]:
    harmed = [arm for arm in evidence.arms if arm.harm]
    parts = []
    for arm in harmed:
        guardrails, success = arm.of(Role.GUARDRAIL, "harmful"), arm.of(Role.SUCCESS, "worse")
        said = [f"{_named(guardrails)} {_are(guardrails)} shown worse than the margin allows"] if guardrails else []
        said += [f"{_named(success)} {_are(success)} shown worse"] if success else []
        parts.append(f"in {arm.variant} {' and '.join(said)}")
    return f"Roll back {listing([arm.variant for arm in harmed])}: {'; '.join(parts)}.", harmed[0].variant


def _not_yet(evidence: Evidence) -> tuple[str, None]:
    missing = list(evidence.forbidden)
    missing += [
        f"{arm} has {count(evidence.units[arm])} matured units of the {count(evidence.min_sample_size)} that the plan "
        "asks for in each arm"
        for arm in evidence.short
    ]
    if not missing:
        missing = [f"no boundary is crossed so far, and the plan goes on until {evidence.until}"]
    return f"Not yet: {'; '.join(missing)}.", None


def _ship(evidence: Evidence) -> tuple[str, str]:
    able = [arm for arm in evidence.arms if arm.ships]
    best = max(able, key=lambda arm: max(f.effect for f in arm.superior))
    guardrails = best.of(Role.GUARDRAIL)
    safe = f"; {listing([f.metric for f in guardrails])} shown safe" if guardrails else ""
    others = [arm.variant for arm in able if arm is not best]
    also = f" {listing(others)} would do too; {best.variant} has the largest effect." if others else ""
    return f"Ship {best.variant}: {_named(best.superior)} shown better{safe}; nothing got worse.{also}", best.variant


def _underpowered(evidence: Evidence) -> tuple[str, str]:
    arm = next(arm for arm in evidence.arms if arm.superior)
    needed = [f.required_units for f in arm.unsafe if f.required_units is not None]
    ask = f"; about {count(max(needed))} units in each arm would settle it" if needed else ""
    return (
        f"Iterate: in {arm.variant} {_named(arm.superior)} {_are(arm.superior)} shown better, but "
        f"{_named(arm.unsafe)} {_are(arm.unsafe)} shown neither "
        f"safe nor harmful{ask}.",
        arm.variant,
    )


def _neutral(evidence: Evidence) -> tuple[str, None]:
    success = tuple(f for arm in evidence.arms for f in arm.of(Role.SUCCESS))
    return f"Neutral: any effect on {_named(success)} is smaller than the smallest worth having.", None


def _inconclusive(evidence: Evidence) -> tuple[str, None]:
    success = tuple(f for arm in evidence.arms for f in arm.of(Role.SUCCESS))
    if not success:
        return "Iterate: the plan names no success metric, so nothing can be shown better.", None
    return f"Iterate: inconclusive at the plan's end for {_named(success)}.", None


def _is_neutral(evidence: Evidence) -> bool:
    success = [f for arm in evidence.arms for f in arm.of(Role.SUCCESS)]
    return bool(success) and all(f.conclusion == "equivalent" for f in success)


RULES: tuple[Rule, ...] = (
    Rule(1, VerdictValue.INVALID, lambda e: bool(e.blocking), _invalid),
    Rule(2, VerdictValue.ROLL_BACK, lambda e: any(arm.harm for arm in e.arms), _roll_back),
    Rule(
        3,
        VerdictValue.NOT_YET,
        lambda e: bool(e.forbidden or e.short) or not (e.ended or _superior(e)),
        _not_yet,
    ),
    Rule(4, VerdictValue.SHIP, lambda e: any(arm.ships for arm in e.arms), _ship),
    Rule(UNDERPOWERED, VerdictValue.ITERATE, _superior, _underpowered),
    Rule(6, VerdictValue.NEUTRAL, _is_neutral, _neutral),
    Rule(7, VerdictValue.ITERATE, lambda e: True, _inconclusive),
)
