"""What every value of a configuration does: it acts, or it is accepted and waits for something that has a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from paribus.workflow.config import Config

Effect = Literal["acts", "waits"]
ADAPTIVE = "Adaptive allocation"
FLAG_READERS = "Readers of other systems' flags"
FORWARDERS = "Forwarders to analytics platforms"
FULL_GUARDING = "The full rollout machinery"


@dataclass(frozen=True, slots=True)
class Row:
    """One effect of one value; a value with two effects has two rows.

    path     as in the file: experiment_config.runtime_days
    value    the effective one, also where the file is silent
    effect   acts, or waits
    what     what it does; where it waits, for what, and what happens meanwhile
    """

    path: str
    value: Any
    effect: Effect
    what: str

    def plain(self) -> dict[str, Any]:
        """The row as JSON."""
        return {"path": self.path, "value": self.value, "effect": self.effect, "what": self.what}


Said = tuple[Effect, str]
_Saying = Callable[[Any], list[Said]]


def rows(config: Config) -> list[Row]:
    """A row or more for every value, in the order of the file."""
    return [
        Row(path, value, effect, what) for path, value in leaves(config) for effect, what in EFFECTS[_bare(path)](value)
    ]


def leaves(config: Config) -> Iterator[tuple[str, Any]]:
    """Every value with its path; lists of platforms item by item."""
    yield from _below(config, "")


def _below(section: BaseModel, above: str) -> Iterator[tuple[str, Any]]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        path = f"{above}.{name}" if above else name
        if isinstance(value, BaseModel):
            yield from _below(value, path)
        elif name == "analytics_platforms" and value:
            yield from ((f"{path}[{i}]", item) for i, item in enumerate(value))
        elif name == "arms":
            yield path, {arm: each.model_dump(exclude={"screenshot"}) for arm, each in value.items()}
        else:
            yield path, list(value) if isinstance(value, tuple) else value


def _bare(path: str) -> str:
    return path.split("[", 1)[0]


def _acts(what: str) -> _Saying:
    return lambda value: [("acts", what.format(value))]


def _by_value(**said: str) -> _Saying:
    return lambda value: [("acts", said[str(value).lower()])]


def _drawn(value: str) -> list[Said]:
    said: list[Said] = [
        ("acts", f"plan, flag, watch and analysis are by {value}; step 3 shows what else could be randomized")
    ]
    if value != "user":
        said.append(("acts", f"code that evaluates the flag gives it the {value}'s id, which its events carry too"))
    return said


def _arms(value: dict[str, Any]) -> list[Said]:
    if not value:
        return [("acts", "control and treatment, in halves")]
    total = sum(each["weight"] for each in value.values())
    said = ", ".join(f"{each['weight'] / total:.4g} {name}" for name, each in value.items())
    return [("acts", f"the split is {said}; step 3 shows what each arm is")]


def _allocation(value: str) -> list[Said]:
    if value == "adaptive":
        return [("waits", f"for {ADAPTIVE}; until then traffic widens by stages, as with gradual, and shares stay")]
    return [
        ("acts", "traffic widens by the stages of step 4, each left on its evidence")
        if value == "gradual"
        else ("acts", "one share of traffic from the start to the end of the run")
    ]


def _platform(value: Any) -> list[Said]:
    if value == []:
        return [("acts", "only our own clients are expected")]
    return [
        ("acts", f"clients of {value} may send to /intake/{value}/; step 5 shows how, step 10 plants events there"),
        ("waits", f"for {FORWARDERS}: events are not sent on to {value}, and the tracking plan is not exported there"),
    ]


def _provider(value: str) -> list[Said]:
    if value == "paribus":
        return [("acts", "flags are decided by Paribus")]
    return [
        ("acts", f"step 4 also writes the flag as {value} writes it, a file of its artifact"),
        ("waits", f"for {FLAG_READERS}: {value} does not decide yet; Paribus does"),
    ]


def _rollback(value: bool) -> list[Said]:
    said: list[Said] = [
        ("acts", "errors, or a guardrail on events, proven worse than control's kill the flag, unattended")
        if value
        else ("acts", "errors, or a guardrail on events, proven worse than control's alert, and ask a person")
    ]
    if value:
        said.append(
            ("waits", f"for {FULL_GUARDING}: guardrails on sums, ratios and quantiles are judged by steps 12 to 14")
        )
    return said


def _methods(value: list[str]) -> list[Said]:
    shown = {
        "frequentist": "estimates with intervals and tests",
        "bayesian": "a posterior with the chance of harm and the expected loss",
    }
    without = "" if "bayesian" in value else "; no posterior"
    return [("acts", "the report shows " + " and ".join(shown[method] for method in value) + without)]


def _unless(absent: Any, otherwise: str, said: str) -> _Saying:
    return lambda value: [("acts", otherwise if value == absent else said.format(value))]


def _page(value: str) -> list[Said]:
    if value == "none":
        return [("acts", "step 10 goes through the generated page without scripts only")]
    which = value or "the generated page"
    return [("acts", f"step 10 clicks through {which} where there is a browser, everything on it, as many visitors")]


def _roles(value: dict[str, Any]) -> list[Said]:
    if not value:
        return [("acts", "whoever agrees need not say in which role")]
    told = "; ".join(f"{slug} by {' and '.join(roles)}" for slug, roles in value.items())
    return [("acts", f"the run stops until another person in each role has agreed: {told}; --auto agrees for none")]


def _early(value: dict[str, str] | None) -> list[Said]:
    if value is None:
        return [("acts", "the first step of the funnel after the decision warns, where the plan follows one")]
    if not value:
        return [("acts", "no metric is read before the plan allows it")]
    does = {"warn": "is said", "hold": "keeps traffic from widening"}
    told = "; ".join(f"a bad sign of {event} {does[rule]}" for event, rule in value.items())
    return [("acts", f"{told}; none of them decides")]


def _deciding(value: str | None) -> list[Said]:
    return [
        ("acts", "step 3 chooses, and says why" if value is None else f"the plan is sealed with the method {value}")
    ]


def _forest(value: bool) -> list[Said]:
    from paribus.impact.causal_forest import is_installed

    if not value:
        return [("acts", "step 16 compares segments; no row of a unit leaves the warehouse")]
    if is_installed():
        return [("acts", "step 16 also grows a causal forest, which decides nothing")]
    return [("waits", 'for the extra: pip install "paribus[forest]"; until then step 16 compares segments and says so')]


EFFECTS: dict[str, _Saying] = {
    "experiment_config.min_sample_size": _acts("no verdict but invalid and roll back below {:,} matured units per arm"),
    "experiment_config.confidence_level": lambda value: [
        ("acts", f"intervals at {value:.6g}, alpha {round(1 - value, 9):g}")
    ],
    "experiment_config.runtime_days": lambda value: [
        (
            "acts",
            "the plan ends after two weeks, or after as many more as a plausible effect needs, and a decision is due"
            if value is None
            else f"the plan ends after {value} days, later where the sample asks for it, and a decision is due"
            + (f"; no full weeks: {value + 7 - value % 7} are advised" if value % 7 else ""),
        )
    ],
    "experiment_config.traffic_allocation": _allocation,
    "experiment_config.unit": _drawn,
    "experiment_config.holdout": _unless(
        0.0, "no unit is held out of all features", "{:.3g} of all units get the default of every flag"
    ),
    "arms": _arms,
    "experiment_config.beta": _by_value(
        randomized="the beta stage draws 1 to 5% of units, which the analysis counts",
        opt_in="the beta stage serves volunteers up to a cap (paribus flag beta join); the analysis leaves them out",
    ),
    "exploration.funnel_window_hours": _acts("step 1 follows a unit through the funnel for {:g} hours"),
    "heterogeneity.causal_forest": _forest,
    "heterogeneity.most_units": _acts("at most {:,} rows of units are read for it"),
    "analytics_platforms": _platform,
    "feature_flags.provider": _provider,
    "statistical_methods": _methods,
    "monitoring.real_time_metrics": _by_value(
        true="health is read while events arrive; step 6 plans for seconds",
        false="step 6 plans batches, health is read when a step runs, and reports say so; the safety watch goes on",
    ),
    "monitoring.anomaly_detection": _by_value(
        true="detectors look at metrics and data, and alert", false="no detector runs"
    ),
    "monitoring.automatic_rollback": _rollback,
    "monitoring.error_budget_holds": _by_value(
        true="an error budget that a treatment spends, and control does not, keeps traffic from widening",
        false="a spent error budget is said, and traffic widens all the same",
    ),
    "economics.currency": _acts("amounts are in {}"),
    "economics.margin": _acts("value is {:.4g} times the revenue"),
    "economics.value_per_conversion": _unless(
        None, "taken from the history: mean of the money property per converting unit", "{:g} per converted unit"
    ),
    "economics.build_cost": _acts("{:g} once, in ROI and break-even"),
    "economics.running_cost_per_year": _acts("{:g} a year, in ROI and break-even"),
    "economics.support_cost_per_year": _acts("{:g} a year, in ROI and break-even"),
    "implementation.backend": _acts("step 7 writes {} code"),
    "implementation.frontend": _by_value(plain="step 8 writes a plain page", react="step 8 writes a React component"),
    "implementation.model": _by_value(
        true="step 9 builds champion and challenger", false="step 9 does not apply, and says so"
    ),
    "implementation.page": _page,
    "approvals.required": lambda value: [
        ("acts", f"the run stops after {', '.join(value)} until a person agrees" if value else "the run asks nobody")
    ],
    "approvals.roles": _unless(1, "one person agrees", "{} different people agree"),
    "approvals.by_role": _roles,
    "model.url": _unless("", "no language model: every role is deterministic", "roles may ask the model there"),
    "model.name": _unless("", "none", "the model asked for at model.url"),
    "model.key_variable": _acts("the key of model.url is read from this environment variable"),
    "model.timeout_seconds": _acts("after {:g} s the deterministic answer stands"),
    "early_indicators": _early,
    "method": _deciding,
    "interference": _unless(None, "looked for in the events, and said", "the plan states interference: {}"),
    "minimum_detectable_effect": _unless(
        None,
        "derived from value and cost, and from what the runtime can detect",
        "the plan is sized for {:.4g}, relative",
    ),
}
"""By path; a test keeps it complete."""
