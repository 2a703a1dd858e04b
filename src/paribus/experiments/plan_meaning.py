"""The plan of an experiment file: what its keys mean together, and what contradicts the method."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from paribus.errors import did_you_mean
from paribus.experiments.plan import Indicator, Method, Plan, Prior
from paribus.experiments.problems import Problems
from paribus.experiments.scalars import parsed
from paribus.experiments.schema import ExperimentDoc, PlanDoc
from paribus.metrics.definition import Metric, MetricType, Role

# The keys that only some methods read; priors and rope describe effects under every method.
_READ_BY = {
    "looks": ("group_sequential", "bayesian"),
    "spending": ("group_sequential",),
    "spending_parameter": ("group_sequential",),
    "futility": ("group_sequential",),
    "n_opt": ("anytime",),
    "loss_threshold": ("bayesian",),
}


def zone_of(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None when there is none of that name."""
    if name.upper() == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def plan_of(
    doc: ExperimentDoc, metrics: tuple[Metric, ...], arms: int, zone: tzinfo | None, problems: Problems
) -> Plan:
    """The plan, with priors filled in and the end worked out from start and runtime."""
    plan = doc.plan
    for key, methods in _READ_BY.items():
        if getattr(plan, key) != PlanDoc.model_fields[key].default and plan.method not in methods:
            problems.add(
                ("plan", key),
                f"{key} has no meaning for method: {plan.method}",
                key=True,
                rule=f"{key} is read by {' and '.join(methods)} plans",
                fix="remove it, or change the method",
            )
    start, end = (_instant(text, zone) for text in (plan.start, plan.end))
    end = _end(plan, start, end, problems)
    _check_looks(plan, start, end, problems, first_exposure=doc.flag is not None)
    _check_spending(plan, problems)
    _check_graph(plan, metrics, arms, problems)
    if plan.method == "bayesian" and plan.loss_threshold is None:
        problems.add(("plan",), "a bayesian plan has no loss_threshold", fix="write loss_threshold: 0.1%")
    rope = (plan.rope[0], plan.rope[1]) if plan.rope else None
    if rope and rope[0] >= rope[1]:
        problems.add(("plan", "rope"), "the first limit is not below the second", fix="write [-0.5%, 0.5%]")
    names = [metric.name for metric in metrics]
    for key, given in (("smallest_worthwhile", plan.smallest_worthwhile), ("priors", plan.priors)):
        for name in given:
            if name not in names:
                problems.add(("plan", key, name), f"{name!r} is not a metric", key=True, fix=did_you_mean(name, names))
    priors = {name: Prior(p.mean, p.sd, p.origin) for name, p in plan.priors.items()}
    if plan.method == "bayesian":
        priors = {name: priors.get(name, Prior()) for name in names}
    return Plan(
        method=Method(plan.method),
        confidence_level=plan.confidence_level,
        power=plan.power,
        min_sample_size=plan.min_sample_size,
        start=start,
        end=end,
        runtime_days=plan.runtime_days,
        looks=tuple(plan.looks),
        spending=plan.spending or "obrien_fleming",
        spending_parameter=plan.spending_parameter,
        futility=plan.futility,
        n_opt=plan.n_opt,
        planned_units=plan.planned_units,
        correction=plan.correction,
        graph_weights=tuple(plan.graph.weights) if plan.graph else (),
        graph_transitions=tuple(tuple(row) for row in plan.graph.transitions) if plan.graph else (),
        smallest_worthwhile=dict(plan.smallest_worthwhile),
        deterioration_alpha=plan.deterioration_alpha,
        priors=priors,
        loss_threshold=plan.loss_threshold,
        rope=rope,
        cuped=plan.cuped,
        srm_alpha=plan.srm_alpha,
        early_indicators=_indicators(plan, metrics, problems),
    )


def _indicators(plan: PlanDoc, metrics: tuple[Metric, ...], problems: Problems) -> tuple[Indicator, ...]:
    known = {metric.name: metric for metric in metrics}
    seen: set[str] = set()
    for i, each in enumerate(plan.early_indicators):
        at = ("plan", "early_indicators", i, "metric")
        if each.metric not in known:
            problems.add(at, f"{each.metric!r} is not a metric", fix=did_you_mean(each.metric, known))
        elif known[each.metric].type is MetricType.QUANTILE:
            problems.add(at, "a quantile has no sequence that holds at any time", rule="a mean, count, share or ratio")
        elif each.metric in seen:
            problems.add(at, f"{each.metric!r} is named twice")
        if each.worse_than < 0:
            problems.add(("plan", "early_indicators", i, "worse_than"), "a loss is written without its sign")
        seen.add(each.metric)
    return tuple(Indicator(each.metric, each.rule, each.worse_than) for each in plan.early_indicators)


def _instant(text: str | None, zone: tzinfo | None) -> datetime | None:
    """The instant in UTC; a date is its first instant in the experiment's time zone."""
    if text is None:
        return None
    moment = parsed(text)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _end(plan: PlanDoc, start: datetime | None, end: datetime | None, problems: Problems) -> datetime | None:
    if start and end and end <= start:
        problems.add(("plan", "end"), "the end is not after the start")
        return end
    if start is None or plan.runtime_days is None:
        return end
    planned = start + timedelta(days=plan.runtime_days)
    if end is not None and abs(end - planned) > timedelta(hours=2):  # a change of summer time moves midnight
        problems.add(
            ("plan", "end"),
            f"the end is not {plan.runtime_days} days after the start",
            fix="keep end or runtime_days, not both",
        )
    return end or planned


def _check_looks(
    plan: PlanDoc, start: datetime | None, end: datetime | None, problems: Problems, *, first_exposure: bool
) -> None:
    """Looks fit the plan; without a start they count from the first exposure, where there are exposures of a flag."""
    at = ("plan", "looks")
    if plan.method == "group_sequential" and not plan.looks:
        problems.add(("plan",), "a group_sequential plan has no looks", fix="write looks: [7, 14], in days after start")
    if plan.method in ("group_sequential", "bayesian") and plan.looks and start is None and not first_exposure:
        problems.add(("plan",), "looks count days after start, and start is missing", fix="write start: 2026-01-31")
    if any(later <= earlier for earlier, later in zip(plan.looks, plan.looks[1:], strict=False)):
        problems.add(at, "the looks are not in increasing order", fix=f"write {sorted(set(plan.looks))}")
        return
    days = plan.runtime_days
    if days is None and start is not None and end is not None:
        days = (end - start).days
    if plan.looks and days is not None and plan.looks[-1] > days:
        problems.add(at, f"the look on day {plan.looks[-1]} is after the end on day {days}")


def _check_spending(plan: PlanDoc, problems: Problems) -> None:
    needs = plan.spending in ("kim_demets", "hwang_shih_decani")
    if needs and plan.spending_parameter is None:
        example = 3 if plan.spending == "kim_demets" else -4
        problems.add(("plan",), f"{plan.spending} has a parameter", fix=f"write spending_parameter: {example}")
    if not needs and plan.spending_parameter is not None and plan.method == "group_sequential":
        problems.add(
            ("plan", "spending_parameter"),
            f"{plan.spending or 'obrien_fleming'} has no parameter",
            key=True,
            fix="remove it, or write spending: kim_demets or hwang_shih_decani",
        )
    if plan.spending == "kim_demets" and plan.spending_parameter is not None and plan.spending_parameter <= 0:
        problems.add(("plan", "spending_parameter"), "the power of kim_demets is not above zero", fix="write 3")


def _check_graph(plan: PlanDoc, metrics: tuple[Metric, ...], arms: int, problems: Problems) -> None:
    at = ("plan", "graph")
    if (plan.correction == "graph") != (plan.graph is not None):
        path = ("plan", "correction") if plan.graph is None else at
        what = "no graph is given" if plan.graph is None else f"a graph stands beside correction: {plan.correction}"
        problems.add(path, what, fix="write correction: graph together with graph: {weights: …, transitions: …}")
    if plan.graph is None:
        return
    size = sum(metric.role is Role.SUCCESS for metric in metrics) * (arms - 1)
    rows = plan.graph.transitions
    if len(plan.graph.weights) != size or len(rows) != size or any(len(row) != size for row in rows):
        problems.add(
            at,
            f"the graph does not have {size} hypotheses",
            rule="one hypothesis for each success metric and treatment: metric by metric, arms in their order",
            fix=f"write {size} weights and {size} rows of {size} transitions",
        )
        return
    if sum(plan.graph.weights) > 1 + 1e-9:
        problems.add((*at, "weights"), f"the weights add up to {sum(plan.graph.weights):g}", rule="at most 1")
    for i, row in enumerate(rows):
        if sum(row) > 1 + 1e-9 or row[i] != 0:
            problems.add(
                (*at, "transitions", i),
                "the row adds up to more than 1, or passes weight to itself",
                rule="each row is at most 1 in all and 0 on the diagonal",
            )
