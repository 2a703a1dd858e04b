"""The plan of a feature: where history stands in for the experiment, its document, method, runtime and seal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from paribus.errors import InputError
from paribus.workflow.architecture.journey import metric_events
from paribus.workflow.audience import accepted, attributes
from paribus.workflow.designing.margins import with_latency_margins
from paribus.workflow.designing.units import Choice, choices, unit_type_of
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.identity import links_of
from paribus.workflow.launching.indicators import with_indicators
from paribus.workflow.step import DATA_SCIENTIST

if TYPE_CHECKING:
    from paribus.experiments.certificate import Certificate
    from paribus.experiments.document import Document
    from paribus.experiments.on_lake import Snapshot
    from paribus.experiments.sizes import Setting
    from paribus.experiments.sizing import Sizing
    from paribus.experiments.sizing_result import MethodSize
    from paribus.warehouse.event_links import Links
    from paribus.workflow.config import Config
    from paribus.workflow.context import Context

Json = dict[str, Any]
CONTROL, TREATMENT = "control", "treatment"
PRE_PERIOD_DAYS = 14
LEAST_HISTORY_DAYS = 7
REPLICATIONS = 300
SIMULATED = 60
"""Experiments in each world; paribus design simulates more, in as many seconds more."""
LONGEST_WEEKS = 8
WIDENING_DAYS = 7
PROVISIONAL_LOSS = 0.001
"""Stands in a Bayesian plan until its own is calibrated to err as a fixed plan does."""
ANYTIME, GROUP_SEQUENTIAL, BAYESIAN = "anytime", "group_sequential", "bayesian"
SHARED = re.compile(r"(^|_)(stock|inventory|sold|seats?|slots?|capacity|availability|waitlist|backorder(ed)?)(_|$)")
RUN_OUT = re.compile(
    r"out[ _-]?of[ _-]?stock|sold[ _-]?out|fully[ _-]?booked|no[ _-]?(stock|seats|slots|capacity)", re.I
)


@dataclass(frozen=True, slots=True)
class Past:
    """The history that stands in for the experiment: who would have met the decision, and where the history begins."""

    event: str
    since: datetime
    days: float
    where: Mapping[str, Sequence[str]] | None
    lake: Snapshot
    version: str
    """What identifies the data, in words: the lake's version, files by name and size."""
    links: Links | None = None
    """Whom anonymous ids are read as, where units meet the decision before they are known."""


@contextmanager
def past_of(
    context: Context,
    explore: ExploreFacts,
    chosen: Hypothesis,
    rule: Mapping[str, Any] | None,
    metrics: Sequence[Mapping[str, Any]],
) -> Iterator[Past]:
    """Where history stands in for the experiment: the event before the decision, in the feature's segment.

    Days before it serve as covariates, as far as a week of entries can also be followed for the longest window of the
    metrics. Of a source that is not the lake, the events that matter are read once, into a file that goes with `with`.

    Raises:
        InputError: the source is the lake, and nothing has arrived; files or a table that cannot be read.
    """
    from paribus.experiments.on_lake import Snapshot, snapshot_of

    where, window_days = accepted(rule), longest_window(metrics)
    end = datetime.fromisoformat(f"{explore.window.end}T00:00:00+00:00")
    least = LEAST_HISTORY_DAYS + window_days
    reach = min(explore.window.days - least, PRE_PERIOD_DAYS)
    days = max(explore.window.days - max(reach, 0), min(explore.window.days, least))
    event = decision_event(explore, chosen)
    since = end - timedelta(days=days)
    if context.feature.source != "lake":
        from paribus.exploration.history_file import history_file

        with TemporaryDirectory(prefix="paribus-history-") as folder:
            read = {event, *(name for metric in metrics for name in metric_events(metric))}
            made = history_file(context.feature.source, sorted(read), Path(folder) / "events.parquet")
            yield Past(event, since, days, where, Snapshot(Path(folder), "history", 0, (made.path,)), made.version)
        return
    reader = context.operations.lake()
    if reader is None:
        raise InputError(
            "no event has arrived yet",
            where=f"feature {context.feature.key}",
            rule="a plan is sized on the feature's own history",
            fix="paribus events import FILE --format csv, or serve and send events",
        )
    is_user = context.config.experiment_config.unit == "user"
    links = links_of(context.operations.store, reader, event, context.feature.environment) if is_user else None
    snapshot = snapshot_of(reader)
    yield Past(event, since, days, where, snapshot, f"lake version {snapshot.version}", links)


def longest_window(metrics: Sequence[Mapping[str, Any]]) -> int:
    """The longest window of these metrics in days; 0 where none has one."""
    return max((int(each.get("window_days") or 0) for each in metrics), default=0)


def decision_event(explore: ExploreFacts, chosen: Hypothesis) -> str:
    """The event directly before the decision: where the bottleneck begins, else the start of the main funnel."""
    for bottleneck in explore.bottlenecks:
        if bottleneck.id in chosen.findings:
            return bottleneck.from_event
    if explore.funnels:
        return explore.funnels[0].steps[0].event
    return max(explore.events, key=lambda each: each.units).name


def document_of(
    context: Context,
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    chosen: Hypothesis,
    mde: float,
    past: Past,
) -> Json:
    """The experiment document, before its method is chosen."""
    config = context.config
    reach = int(min(PRE_PERIOD_DAYS, explore.window.days - past.days))
    metrics = [_with_covariate(dict(each), reach) for each in (*hypotheses.metrics, *_followed(hypotheses.metrics))]
    success = [each["name"] for each in metrics if each.get("role") == "success"]
    plan: Json = {
        "confidence_level": config.experiment_config.confidence_level,
        "min_sample_size": config.experiment_config.min_sample_size,
        "runtime_days": config.experiment_config.days,
    }
    if worthwhile := hypotheses.smallest_worthwhile.value:
        plan["smallest_worthwhile"] = dict.fromkeys(success, round(min(worthwhile, mde), 6))
    if "bayesian" in config.statistical_methods:
        lift = chosen.forecast.lift
        sd = ((lift.high or 0.0) - (lift.low or 0.0)) / (2 * 1.96) if lift.low is not None else 0.0
        origin = (
            context.artifacts["hypothesize"].evidence[lift.evidence].title if "/" not in lift.evidence else "forecast"
        )
        plan["priors"] = {
            name: {"mean": lift.value or 0.0, "sd": max(sd, 0.01), "origin": origin} for name in success[:1]
        }
    segments = [attributes(each.rule) for each in explore.segments]
    body: Json = {
        "paribus": 1,
        "experiment": context.feature.key,
        "title": context.feature.requirement,
        "flag": context.feature.key,
        "environment": context.feature.environment,
        **({"identity": "first"} if past.links is not None else {}),
        **({"unit_type": unit} if (unit := unit_type_of(config.experiment_config.unit)) != "user" else {}),
        "interference": interference(config.interference, explore),
        "variants": variants_of(config),
        "control": CONTROL,
        "metrics": metrics,
        "segments": list(dict.fromkeys(name for names in segments for name in names)),
        "plan": plan,
    }
    return with_indicators(body, config.early_indicators, explore)


def variants_of(config: Config) -> Json:
    """The arms as the document names them: weights, and descriptions where there are any."""
    if not config.arms:
        return {CONTROL: 50, TREATMENT: 50}
    return {
        name: {"weight": arm.weight, "description": arm.description} if arm.description else arm.weight
        for name, arm in config.arms.items()
    }


def interference(configured: str | None, explore: ExploreFacts) -> str:
    """Whether one unit's variant can change another's outcome: as configured, else as the events tell.

    Events about a limited stock, or of something that ran out, mean a shared resource: what treatment buys, control
    cannot.
    """
    if configured:
        return configured
    values = (str(value) for each in explore.events for listed in each.choices.values() for value in listed)
    if any(SHARED.search(each.name) for each in explore.events) or any(map(RUN_OUT.search, values)):
        return "shared_resource"
    return "none because each user meets only their own variant, and no event tells of a limited stock"


def _followed(metrics: Sequence[Json]) -> list[Json]:
    """A count of the success event where no metric adds up over days: whether an effect fades is read from it."""
    if any(each["type"] in {"mean", "count"} for each in metrics):
        return []
    success = next((each for each in metrics if each.get("role") == "success" and each.get("event")), None)
    if success is None:
        return []
    return [{"name": f"{success['event']}_count", "type": "count", "role": "secondary", "event": success["event"]}]


def _with_covariate(metric: Json, reach: int) -> Json:
    """The metric with itself before exposure as its covariate, where history reaches back and it has none."""
    if (
        reach >= LEAST_HISTORY_DAYS
        and metric["type"] in {"mean", "proportion", "count"}
        and not metric.get("covariates")
        and metric.get("role") != "guardrail"
    ):
        metric["covariates"] = [{"days": reach}]
    return metric


def tried(
    context: Context, body: Json, past: Past, mde: float, chosen: Hypothesis
) -> tuple[Sizing, Certificate, Json, list[str]]:
    """The document with its method and runtime, its sizing, and its certificate on the history."""
    from paribus.experiments.certify import certify
    from paribus.experiments.on_lake import as_history, lake_engine
    from paribus.experiments.registry import document_of_body
    from paribus.experiments.sizes import size
    from paribus.experiments.sizing import setting_of

    config = context.config
    notes: list[str] = []

    def history(of: Json) -> Document:
        # A plan's own start would cut the history; the pseudo-experiment runs where the history is.
        return as_history(document_of_body(of, context.feature.key), past.event, since=past.since, where=past.where)

    deciding = config.method or (BAYESIAN if config.statistical_methods == ("bayesian",) else ANYTIME)
    body = {**body, "plan": {"method": deciding, **body["plan"]}}
    if deciding == BAYESIAN:
        body["plan"]["loss_threshold"] = PROVISIONAL_LOSS
    document = history(body)
    with lake_engine(document.design, document.data, past.lake, links=past.links) as engine:
        context.progress(0.1, "sizing on the history")
        try:
            setting = setting_of(document, engine, mde=mde)
        except InputError as error:
            if error.what.startswith("no unit"):
                raise
            raise InputError(
                f"the plan cannot be sized: {error.what}",
                where=f"feature {context.feature.key}",
                rule=error.rule,
                fix=f"import more history, or go on when more units have met {past.event}",
            ) from error
        own_plan = replace(document.design.plan, loss_threshold=None)
        setting = replace(setting, design=replace(setting.design, plan=own_plan))
        setting = held_out(setting, config.experiment_config.holdout)
        sizing = size(setting, seed=context.seed, replications=0)
        widened: tuple[str, ...] = ()
        if setting.arrivals is not None:
            baselines = context.facts("explore", ExploreFacts).baselines
            stated = {each.metric for each in baselines if each.definition.get("margin") is not None}
            readable = setting.arrivals(float(max(body["plan"]["runtime_days"] - setting.window, 1)))
            body, widened = with_latency_margins(body, stated, sizing.by_metric, readable)
        if widened:
            notes += widened
            setting = replace(setting, design=replace(history(body).design, plan=own_plan))
            sizing = size(setting, seed=context.seed, replications=0)
        if (
            config.method is None
            and deciding == ANYTIME
            and not _fits(context, sizing, ANYTIME, body)
            and _fits(context, sizing, GROUP_SEQUENTIAL, body)
        ):
            body["plan"]["method"] = GROUP_SEQUENTIAL
        body["plan"] |= _horizon(context, sizing, body, notes)
        if body["plan"]["method"] == BAYESIAN:
            body["plan"]["loss_threshold"] = sizing.loss_threshold
        final = history(body)
        context.progress(0.3, "simulating the sealed rule")
        sizing = size(replace(setting, design=final.design), seed=context.seed, replications=SIMULATED)
        context.progress(0.7, "re-randomizing the history")
        try:
            certificate = certify(final, engine, replications=REPLICATIONS, seed=context.seed, windows=())
        except InputError as error:
            raise InputError(
                f"the plan cannot be tried on its own history: {error.what} at {past.event}",
                where=f"feature {context.feature.key}",
                rule=error.rule,
                fix="import more history, or go on when more units have come",
            ) from error
    return sizing, certificate, body, notes


def unit_choices(context: Context, body: Json, past: Past, mde: float, chosen: Sizing) -> tuple[Choice, ...]:
    """What could be randomized instead, each with its size on the same history; files and tables name users only."""
    from paribus.experiments.on_lake import as_history, lake_engine
    from paribus.experiments.registry import document_of_body
    from paribus.experiments.sizes import size
    from paribus.experiments.sizing import setting_of

    reader = context.operations.lake()
    if reader is None or context.feature.source != "lake":
        return ()

    def sized(other: Json) -> Sizing:
        plan = {key: value for key, value in other["plan"].items() if key not in {"n_opt", "planned_units", "looks"}}
        stated = document_of_body({**other, "plan": plan}, context.feature.key)
        document = as_history(stated, past.event, since=past.since, where=past.where)
        with lake_engine(document.design, document.data, past.lake) as engine:
            setting = setting_of(document, engine, mde=mde)
            setting = replace(
                setting, design=replace(setting.design, plan=replace(document.design.plan, loss_threshold=None))
            )
            setting = held_out(setting, context.config.experiment_config.holdout)
            return size(setting, seed=context.seed, replications=0)

    return choices(reader, body, past.event, past.since, chosen, sized)


def held_out(setting: Setting, share: float) -> Setting:
    """The setting with fewer arrivals: a holdout's units are never exposed."""
    if not share or setting.daily_units is None:
        return setting
    every, daily = setting.arrivals, setting.daily_units * (1 - share)
    fewer = None if every is None else lambda day: every(day) * (1 - share)
    return replace(setting, daily_units=daily, arrivals=fewer)


def size_of(sizing: Sizing, method: str) -> MethodSize:
    """What one method needs."""
    return next(each for each in sizing.sizes if each.method.value == method)


def _fits(context: Context, sizing: Sizing, method: str, body: Json) -> bool:
    days = _days(context, sizing, method)
    return days is not None and days <= body["plan"]["runtime_days"]


def _days(context: Context, sizing: Sizing, method: str) -> int | None:
    """Days that a method needs. Planned looks count units that have matured, and while traffic widens few enroll."""
    days = size_of(sizing, method).days
    if not isinstance(days, int):
        return None
    widens = method == GROUP_SEQUENTIAL and context.config.experiment_config.traffic_allocation != "fixed"
    return days + (WIDENING_DAYS if widens else 0)


def _horizon(context: Context, sizing: Sizing, body: Json, notes: list[str]) -> Json:
    """Runtime as configured; longer, in full weeks, where the sample or the least sample size asks for it."""
    method = body["plan"]["method"]
    size, runtime = size_of(sizing, method), body["plan"]["runtime_days"]
    needed = _days(context, sizing, method)
    least = len(body["variants"]) * context.config.experiment_config.min_sample_size
    if sizing.daily_units:
        of_least = _full_weeks(least / sizing.daily_units)
        needed = max(needed or 0, of_least)
    if needed is not None and needed > runtime:
        longer = min(needed, 7 * LONGEST_WEEKS)
        told = "the least" if context.config.experiment_config.runtime_days is None else "configured"
        notes.append(
            f"{runtime} days are {told}; {needed} are needed"
            + (f", of which at most {longer} are planned" if longer < needed else "")
            + f", so the plan runs {longer} days."
        )
        runtime = longer
    found: Json = {"runtime_days": runtime, "planned_units": size.maximum}
    if method == ANYTIME:
        found["n_opt"] = size.maximum
    if method == GROUP_SEQUENTIAL:
        found["looks"] = [*range(7, runtime, 7), runtime]
    return found


def sealed(context: Context) -> str:
    """Hash of the sealed plan; sealed again, with the reason, where the design changed."""
    from paribus.experiments.registry import stored_seal
    from paribus.experiments.seal import deviations

    operations, key = context.operations, context.feature.key
    before = stored_seal(context.store, key)
    if before is None:
        return operations.seal(key, author=DATA_SCIENTIST).hash
    document = operations.experiment(key)
    if not deviations(before, document.design, document.data):
        return before.hash
    return operations.seal(key, author=DATA_SCIENTIST, amend="the design was made again from changed inputs").hash


def entry_text(past: Past) -> str:
    """The statement that finds where units would have met the decision."""
    where = "".join(f" AND {name} IN {tuple(values)!r}" for name, values in (past.where or {}).items())
    asked = f"name = '{past.event}' AND time >= '{past.since:%Y-%m-%d}'{where}"
    return f"SELECT unit, min(time) FROM events WHERE {asked} GROUP BY unit"


def _full_weeks(days: float) -> int:
    return 7 * max(1, -(-int(-(-days // 1)) // 7))
