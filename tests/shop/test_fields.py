"""Every field of a scenario acts: another value gives other events (or another flag, decision or plan)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from tests.shop import small

from paribus.shop.scenario import Scenario

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("calendar.start", {"calendar": {"start": "2026-03-03"}}),
    ("calendar.history_days", {"calendar": {"history_days": 8}}),
    ("calendar.weekday", {"calendar": {"weekday": [1, 1, 1, 1, 1, 3, 1]}}),
    ("calendar.peak_hour", {"calendar": {"peak_hour": 9}}),
    ("calendar.peak_strength", {"calendar": {"peak_strength": 0}}),
    ("calendar.growth_per_week", {"calendar": {"growth_per_week": 0.3}}),
    ("population.known_users", {"population": {"known_users": 700}}),
    ("population.visits_per_week", {"population": {"visits_per_week": 2.5}}),
    ("population.visit_spread", {"population": {"visit_spread": 2}}),
    ("population.new_users_per_day", {"population": {"new_users_per_day": 90}}),
    ("population.new_users_who_return", {"population": {"new_users_who_return": 1}}),
    ("population.propensity_sd", {"population": {"propensity_sd": 0.1}}),
    ("population.device", {"population": {"device": {"mobile": 0.2, "desktop": 0.8}}}),
    ("population.country", {"population": {"country": {"NO": 1, "US": 1}}}),
    ("population.channel", {"population": {"channel": {"ad": 1}}}),
    ("population.logged_in", {"population": {"logged_in": 0.1}}),
    ("funnel.product_viewed", {"funnel": {"product_viewed": 0.5}}),
    ("funnel.cart_item_added", {"funnel": {"cart_item_added": 0.5}}),
    ("funnel.checkout_started", {"funnel": {"checkout_started": 0.5}}),
    ("funnel.payment_submitted", {"funnel": {"payment_submitted": 0.5}}),
    ("funnel.order_completed", {"funnel": {"order_completed": 0.5}}),
    ("segments", {"segments": [{"who": {"device": "mobile"}, "rates": {"payment_submitted": 0.2}}]}),
    ("segments.who.device", {"segments": [{"who": {"device": "desktop"}, "rates": {"payment_submitted": 0.2}}]}),
    ("segments.who.country", {"segments": [{"who": {"country": "NO"}, "rates": {"payment_submitted": 0.2}}]}),
    ("segments.who.returning", {"segments": [{"who": {"returning": False}, "rates": {"payment_submitted": 0.2}}]}),
    ("segments.who.channel", {"segments": [{"who": {"channel": "email"}, "rates": {"payment_submitted": 0.2}}]}),
    ("segments.revenue_factor", {"segments": [{"who": {}, "revenue_factor": 2}]}),
    ("segments.visits_factor", {"segments": [{"who": {"country": "NO"}, "visits_factor": 3}]}),
    ("orders.revenue_mean", {"orders": {"revenue_mean": 90}}),
    ("orders.revenue_spread", {"orders": {"revenue_spread": 0.1}}),
    ("orders.user_spread", {"orders": {"user_spread": 0.1}}),
    ("orders.items_mean", {"orders": {"items_mean": 5}}),
    ("orders.refunds", {"orders": {"refunds": 0.5}}),
    ("orders.refund_days", {"orders": {"refund_days": 0.5}}),
    ("orders.surveys", {"orders": {"surveys": 0.5}}),
    ("orders.survey_score", {"orders": {"survey_score": 2, "surveys": 0.2}}),
    ("orders.tickets", {"orders": {"tickets": 0.3}}),
    ("requests.route", {"requests": {"route": "/pay"}}),
    ("requests.latency_ms", {"requests": {"latency_ms": 90}}),
    ("requests.latency_spread", {"requests": {"latency_spread": 0.1}}),
    ("requests.error_rate", {"requests": {"error_rate": 0.1}}),
    ("requests.abandon_after_error", {"requests": {"error_rate": 0.3, "abandon_after_error": 0.0}}),
    ("late.share", {"late": {"share": 0.4}}),
    ("late.mean_hours", {"late": {"mean_hours": 40}}),
    ("bots.count", {"bots": {"count": 9}}),
    ("bots.visits_per_day", {"bots": {"visits_per_day": 40}}),
    ("bots.reach", {"bots": {"reach": "cart_item_added"}}),
    ("decision.after", {"decision": {"after": "product_viewed"}}),
    ("decision.who", {"decision": {"who": {"device": "mobile"}}}),
    ("effects.on", {"effects": [{"on": "payment_submitted", "relative": -0.5}]}),
    ("effects.absolute", {"effects": [{"on": "payment_submitted", "absolute": -0.3}]}),
    ("effects.who", {"effects": [{"on": "payment_submitted", "absolute": -0.3, "who": {"country": "DE"}}]}),
    (
        "effects.fades_half_life_days",
        {"effects": [{"on": "payment_submitted", "absolute": -0.3, "fades_half_life_days": 1}]},
    ),
    (
        "effects.grows_half_life_days",
        {"effects": [{"on": "payment_submitted", "absolute": -0.3, "grows_half_life_days": 2}]},
    ),
    ("effects.on revenue", {"effects": [{"on": "revenue", "relative": 0.5}]}),
    ("effects.on items", {"effects": [{"on": "items", "absolute": 3}]}),
    ("effects.on refunds", {"effects": [{"on": "refunds", "absolute": 0.5}]}),
    ("effects.on surveys", {"effects": [{"on": "surveys", "absolute": 0.5}]}),
    ("effects.on survey_score", {"orders": {"surveys": 0.5}, "effects": [{"on": "survey_score", "absolute": -2}]}),
    ("effects.on tickets", {"effects": [{"on": "tickets", "absolute": 0.5}]}),
    ("defects.errors", {"defects": [{"kind": "errors", "rate": 0.2}]}),
    ("defects.errors.arm", {"defects": [{"kind": "errors", "rate": 0.2, "arm": "control"}]}),
    ("defects.errors.who", {"defects": [{"kind": "errors", "rate": 0.2, "who": {"device": "desktop"}}]}),
    ("defects.latency.factor", {"defects": [{"kind": "latency", "factor": 2}]}),
    ("defects.latency.add_ms", {"defects": [{"kind": "latency", "add_ms": 50}]}),
    ("defects.latency.arm", {"defects": [{"kind": "latency", "add_ms": 50, "arm": "control"}]}),
    ("defects.lost_exposures", {"defects": [{"kind": "lost_exposures", "share": 0.5}]}),
    ("defects.lost_exposures.arm", {"defects": [{"kind": "lost_exposures", "share": 0.5, "arm": "control"}]}),
    ("defects.lost_exposures.who", {"defects": [{"kind": "lost_exposures", "share": 0.5, "who": {"country": "NO"}}]}),
    ("defects.event_missing", {"defects": [{"kind": "event_missing", "event": "order_completed"}]}),
    ("defects.share", {"defects": [{"kind": "event_missing", "event": "order_completed", "share": 0.3}]}),
    ("defects.arm", {"defects": [{"kind": "event_missing", "event": "order_completed", "arm": "treatment"}]}),
    ("defects.from_day", {"defects": [{"kind": "event_missing", "event": "order_completed", "from_day": 3}]}),
    (
        "defects.who",
        {"defects": [{"kind": "event_missing", "event": "order_completed", "who": {"returning": False}}]},
    ),
    ("defects.event_doubled", {"defects": [{"kind": "event_doubled", "event": "order_completed"}]}),
    (
        "defects.property_missing",
        {"defects": [{"kind": "property_missing", "event": "order_completed", "property": "revenue"}]},
    ),
    (
        "defects.property_mistyped",
        {"defects": [{"kind": "property_mistyped", "event": "order_completed", "property": "revenue"}]},
    ),
    ("stock_per_day", {"stock_per_day": 5}),
    ("feature.key", {"feature": {"key": "another-flag"}}),
]
NOT_EVENTS = {
    "paribus_scenario",  # the format
    "title",
    "story",
    "feature.requirement",  # given to the workflow
    "config",  # given to the workflow
    "requests.local_breaker",  # see test_sending
    "effects.relative",  # with on
    "segments.rates",
    "defects.rate",
    "defects.kind",
    "defects.event",
    "defects.property",
    "defects.factor",
    "defects.add_ms",
}


def fingerprint(given: dict[str, Any]) -> tuple[Any, ...]:
    fewer = {"population": {"known_users": 800, "new_users_per_day": 20}}
    made = small.scenario(**small.merged(fewer, given))
    _, groups, client = small.lived(made, days=3)
    exposures = [(each["unit"], each["assigned"]) for each in client.exposures()]
    return (tuple(small.texts(groups)), tuple(exposures))


PLAIN = fingerprint({})


@pytest.mark.parametrize(("field", "given"), CHANGES, ids=[field for field, _ in CHANGES])
def test_another_value_gives_other_events(field: str, given: dict[str, Any]) -> None:
    assert fingerprint(given) != PLAIN


def test_no_field_is_forgotten() -> None:
    named = {field.split(" ")[0] for field, _ in CHANGES} | NOT_EVENTS
    missing = [field for field in _fields(Scenario, "") if not any(_covers(name, field) for name in named)]
    assert missing == []


def _fields(model: type[BaseModel], prefix: str) -> list[str]:
    import typing

    found = []
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        parts = [info.annotation, *typing.get_args(info.annotation)]
        parts += [each for part in parts for each in typing.get_args(part)]
        parts += [each for part in parts for each in typing.get_args(part)]
        models = [each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)]
        if models and name != "who":
            for each in models:
                found += _fields(each, path + ".")
        else:
            found.append(path)
    return sorted(set(found))


def _covers(name: str, field: str) -> bool:
    return name == field or name.startswith(field + ".")
