"""The exploration as a reader sees it: pictures first, tables second, prose third."""

from __future__ import annotations

from typing import Any

from paribus.charts.funnel import FunnelBar, duration, funnel_bars
from paribus.charts.heat import HeatRow, heat_map
from paribus.charts.journey import Stream, journey
from paribus.charts.numbers import count, fixed, share, significant
from paribus.charts.series import day_series
from paribus.workflow.artifact import Artifact, Measured
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.explore import Baseline, ExploreFacts, Funnel

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def blocks_of(artifact: Artifact) -> list[Block]:
    """Every part of the report that the data allowed."""
    facts = ExploreFacts.model_validate(artifact.facts)
    blocks: list[Block] = []
    for funnel in facts.funnels:
        blocks += [Heading("Where users go"), _funnel_picture(facts, funnel)]
    blocks += _losses(facts)
    blocks += _days(facts)
    blocks += _journeys(facts)
    blocks += _engagement(facts.engagement)
    blocks += _segments(facts)
    blocks += _baselines(facts)
    blocks += _data(facts)
    return blocks


def _funnel_picture(facts: ExploreFacts, funnel: Funnel) -> Picture:
    names = [step.event for step in funnel.steps]
    lost = next((names.index(b.to_event) for b in facts.bottlenecks if b.funnel == funnel.name), None)
    bars = [
        FunnelBar(
            step.event,
            step.units,
            step.share.value if i else None,
            step.share.low,
            step.share.high,
            step.median_seconds,
        )
        for i, step in enumerate(funnel.steps)
    ]
    figure = funnel_bars(bars, title=f"Users by step, within {funnel.window_hours:g} hours of entry", weakest=lost)
    return Picture(
        figure,
        "Users who did the steps in this order. The marked step is where a segment falls shortest of its best.",
        "funnel",
    )


def _losses(facts: ExploreFacts) -> list[Block]:
    blocks: list[Block] = [Heading("Where users are lost")]
    if not facts.bottlenecks:
        said = "No segment falls short of a comparable one by more than chance explains, corrected for all looked at."
        return [*blocks, Paragraph(said if facts.funnels else "Without a funnel nothing can be said here.")]
    titles = {segment.key: segment.title for segment in facts.segments}
    rows = [
        (
            b.from_event,
            b.to_event,
            titles.get(b.segment, b.segment),
            _interval(b.rate),
            f"{share(b.best.value or 0)} ({titles.get(b.best_segment, b.best_segment)})",
            _whole(b.lost_units),
            count(b.lost_conversions.value or 0) if b.lost_conversions else "–",
        )
        for b in facts.bottlenecks
    ]
    columns = ("from", "to", "segment", "go on", "plausible best", "lost users a year", "of these would convert")
    blocks.append(Table(columns, rows, right=columns[5:]))
    blocks.append(
        Paragraph(
            "**Observational**: users of other segments differ in more than their segment, so this sizes an "
            "opportunity and "
            "proves no cause. Ranked by the lower end of the conversions lost, corrected for every step and segment "
            "looked at."
        )
    )
    return blocks


def _days(facts: ExploreFacts) -> list[Block]:
    series = facts.series
    if not series.get("dates"):
        return []
    dates: list[str] = series["dates"]
    short = [date[5:] for date in dates]
    out = {dates.index(date): kind for date, kind in series["left_out"].items()}
    blocks: list[Block] = [Heading("Day by day")]
    if series["converted"]:
        blocks.append(
            Picture(
                day_series(short, series["converted"], title=f"Users with {series['conversion']}, by day", flagged=out),
                f"Users with {series['conversion']}, by day",
                "converted",
            )
        )
    active = day_series(short, series["users"], title="Active users, by day", flagged=out)
    blocks.append(Picture(active, "Active users, by day", "users"))
    if facts.findings:
        blocks.append(Listing([finding.statement for finding in facts.findings]))
    return blocks


def _journeys(facts: ExploreFacts) -> list[Block]:
    flows = facts.journeys.get("flows", {}).get("of_visits", [])
    if not flows:
        return []
    streams = [
        Stream(
            f["place"] - 1,
            f["event"],
            "leave" if f["following"] == "(end)" else f["following"],
            f["visits"],
            f["following"] == "(end)",
        )
        for f in flows
    ]
    last = max(f["place"] for f in flows) + 1
    figure = journey(streams, title="The first places of visits", columns=ORDINALS[:last])
    top = [t for t in facts.journeys["transitions"] if t["event"] != t["following"]][:8]
    rows = [
        (
            t["event"],
            "the visit ends" if t["following"] == "(end)" else t["following"],
            count(t["count"]),
            share(t["share"]),
        )
        for t in top
    ]
    return [
        Heading("Journeys"),
        Picture(
            figure,
            "Visits by what happens first, second, third; gray ribbons leave. Repeats of an event are one.",
            "journeys",
        ),
        Table(("after", "comes", "times", "share"), rows, "The most frequent transitions", ("times", "share")),
    ]


def _engagement(engagement: dict[str, Any]) -> list[Block]:
    if not engagement:
        return []
    activity, sessions, retention = engagement["activity"], engagement["sessions"], engagement["retention"]
    unit = "week" if retention["period_days"] == 7 else "day"
    rows = [
        HeatRow(c["start"], c["size"], [None if n is None or not c["size"] else n / c["size"] for n in c["active"]])
        for c in retention["cohorts"][:14]
    ]
    columns = [f"{unit} {k}" for k in range(min(len(rows[0].shares) if rows else 0, 14))]
    said = f"On a day {count(activity['daily_users'])} users act"
    if activity["monthly_users"] is not None:
        sticky = share(activity["stickiness"] or 0)
        said += f", in 28 days {count(activity['monthly_users'])}: a day has {sticky} of them (stickiness)"
    said += f". A visit has {significant(sessions['events_per_visit'], 2)} events"
    if sessions["median_seconds"] is not None:
        said += f" and, with more than one, a median length of {duration(sessions['median_seconds'])}"
    said += f"; {share(sessions['share_with_one_event'])} of visits have one event only."
    caption = (
        f"Share of a cohort (by {unit} of first action) that acted again. Empty cells cannot be known yet; the first "
        "cohort "
        "holds everyone who came before the data begin."
    )
    return [
        Heading("Engagement"),
        Paragraph(said),
        Picture(heat_map(rows, columns, title=f"Retention by {unit}"), caption, "retention"),
    ]


def _segments(facts: ExploreFacts) -> list[Block]:
    if not facts.segments:
        return []
    by_rule = [s for s in facts.segments if s.stability is None]
    behaved = [s for s in facts.segments if s.stability is not None]
    blocks: list[Block] = [Heading("Segments")]
    if by_rule:
        rows = [(s.title, count(s.units.value or 0), "yes" if s.rule else "no: not in the context") for s in by_rule]
        blocks.append(Table(("segment", "users", "a flag can target it"), rows, right=("users",)))
    if behaved:
        stable = behaved[0].stability.value if behaved[0].stability else None
        words = "stable" if stable is not None and stable >= 0.8 else "not stable, use with care"
        groups = [
            (s.title, count(s.units.value or 0), count((s.behavior or {}).get("named", 0)), s.key) for s in behaved
        ]
        said = (
            f"Groups by behavior; agreement with resampled users {fixed(stable or 0, 2)} of 1 ({words}). Saved, a "
            "group is an audience of those whom its words name"
        )
        right = ("users", "named by the words")
        blocks.append(Table(("what they do", "users", "named by the words", "key"), groups, said, right))
    classes = facts.engagement.get("rfm", {}).get("classes", ())
    if classes:
        classed = [
            (
                str(each["recency"]),
                str(each["frequency"]),
                str(each["monetary"]),
                count(each["users"]),
                count(each["conversions"]),
                str(each.get("key", "")),
            )
            for each in classes
        ]
        heads = ("last seen", "active on", "conversions", "users", "conversions made", "key")
        said = "Recency, frequency, conversions (RFM), cut at their medians and at none, one and several"
        blocks.append(Table(heads, classed, said, ("users", "conversions made")))
    return blocks


def _baselines(facts: ExploreFacts) -> list[Block]:
    if not facts.baselines:
        return []
    columns = ("metric", "baseline", "sd", "skew", "same before", "day to day", "users")
    rows = [
        (
            b.metric,
            _level(b),
            significant(b.sd, 3),
            _or_dash(b.skew),
            _or_dash(b.pre_period_correlation),
            _or_dash(b.autocorrelation),
            count(b.units),
        )
        for b in facts.baselines
    ]
    said = (
        "`same before`: correlation with the same in the days before, which CUPED uses; `day to day`: autocorrelation "
        "of the daily level; amounts as the events carry them"
    )
    return [Heading("Baselines"), Table(columns, rows, said, columns[1:])]


def _data(facts: ExploreFacts) -> list[Block]:
    rows = [
        (e.name, count(e.count), count(e.units), ", ".join(f"{name} {kind}" for name, kind in e.properties.items()))
        for e in facts.events[:30]
    ]
    blocks: list[Block] = [
        Heading("The data"),
        Table(
            ("event", "times", "users", "properties"),
            rows,
            f"{facts.window.start} to {facts.window.end}, UTC",
            ("times", "users"),
        ),
    ]
    if len(facts.events) > 30:
        blocks.append(Paragraph(f"and {len(facts.events) - 30} events more"))
    return blocks


def _level(b: Baseline) -> str:
    if b.mean.value is None or b.mean.low is None or b.mean.high is None:
        return "–"
    if b.definition["type"] == "proportion":
        return _interval(b.mean)
    return f"{significant(b.mean.value, 4)} [{significant(b.mean.low, 4)}, {significant(b.mean.high, 4)}]"


def _interval(x: Measured) -> str:
    if x.value is None or x.low is None or x.high is None:
        return "–"
    return f"{share(x.value)} [{share(x.low)}, {share(x.high)}]"


def _whole(x: Measured) -> str:
    return f"{count(x.value or 0)} [{count(x.low or 0)}, {count(x.high or 0)}]"


def _or_dash(x: float | None) -> str:
    return "–" if x is None else fixed(x, 2)
