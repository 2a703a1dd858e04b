"""How much, how often and in which order units act: the parts of the facts that later steps only show."""

from __future__ import annotations

from typing import Any

from paribus.exploration.event_log import date_of
from paribus.exploration.exploration import Exploration


def engagement_of(found: Exploration) -> dict[str, Any]:
    """Activity, visits, retention, hours and classes of recency, frequency and money."""
    e, r = found.engagement, found.retention
    return {
        "activity": {
            "daily_users": e.daily,
            "weekly_users": e.weekly,
            "monthly_users": e.monthly,
            "stickiness": e.stickiness,
            "evidence": "monthly" if e.monthly is not None else "days",
        },
        "active_days": {
            "1": e.active_days[0],
            "2-3": e.active_days[1],
            "4-7": e.active_days[2],
            "8+": e.active_days[3],
            "evidence": "active_days",
        },
        "sessions": {
            "visits": e.visits,
            "median_seconds": e.session_median,
            "mean_seconds": e.session_mean,
            "events_per_visit": e.session_events,
            "share_with_one_event": e.bounced,
            "evidence": "visits",
        },
        "retention": {
            "period_days": r.period_days,
            "cohorts": [
                {"start": start, "size": size, "active": list(active)}
                for start, size, active in zip(r.cohorts, r.sizes, r.active, strict=True)
            ],
            "overall": [r.overall(k) for k in range(1, len(r.cohorts)) if r.overall(k) is not None],
            "evidence": "retention",
        },
        "hours": {"share": list(found.patterns.hours), "evidence": "hours"},
        "weekdays": {"level": list(found.patterns.weekdays), "evidence": "days"},
        "rfm": {
            "classes": [
                {
                    "key": f"rfm-{i + 1}",
                    "when": {"all": [part.condition() for part in c.when]},
                    "recency": c.recency,
                    "frequency": c.frequency,
                    "monetary": c.monetary,
                    "users": c.units,
                    "conversions": c.conversions,
                    "money": c.money,
                }
                for i, c in enumerate(found.behavior.rfm)
            ],
            "evidence": "behavior",
        },
    }


def quality_of(found: Exploration) -> dict[str, Any]:
    """What is wrong with the rows, in numbers."""
    q = found.quality
    return {
        "rows": q.rows,
        "rows_without_user_name_or_time": q.unread,
        "copies_of_an_event_id": q.copies,
        "repeated_events": q.repeated,
        "programs": {
            "users": q.bots.units,
            "events": q.bots.events,
            "limit_per_day": q.bots.per_day,
            "limit_in_all": q.bots.in_all,
            "evidence": "bots",
        },
        "late": {"more_than_an_hour": q.late_hour, "more_than_a_day": q.late_day, "evidence": "late"}
        if q.late_hour is not None
        else {},
        "properties_of_several_types": list(q.mixed),
        "properties_often_missing": list(q.rare),
        "evidence": "events",
    }


def journeys_of(found: Exploration) -> dict[str, Any]:
    """Transitions within visits, and the first places of visits."""
    p = found.paths
    return {
        "visits": p.visits,
        "transitions": [
            {"event": t.event, "following": t.following, "count": t.count, "share": t.share} for t in p.transitions[:40]
        ],
        "evidence": "transitions",
        "flows": {
            "of_visits": [
                {"place": f.place, "event": f.event, "following": f.following, "visits": f.visits} for f in p.flows
            ],
            "evidence": "flows",
        },
    }


def series_of(found: Exploration) -> dict[str, Any]:
    """Units and events by day, and the days left out."""
    days = found.days
    out = {
        date_of(day).isoformat(): next(a.kind for a in found.anomalies if a.is_left_out and a.first <= day < a.until)
        for day in found.bad_days
    }
    conversion = found.choice.conversion if found.choice else ""
    return {
        "dates": [date_of(days.first + t).isoformat() for t in range(days.count)],
        "users": [int(n) for n in days.active],
        "events": [
            int(n) for n in days.counts[[i for i, e in enumerate(days.events) if e not in found.log.system]].sum(axis=0)
        ],
        "conversion": conversion,
        "converted": [int(n) for n in days.units[days.events.index(conversion)]] if conversion in days.events else [],
        "left_out": out,
        "evidence": "days",
    }
