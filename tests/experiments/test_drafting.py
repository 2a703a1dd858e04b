"""Drafts of experiments on flags: what each notation means."""

from __future__ import annotations

from typing import Any

import pytest

from paribus.errors import DefinitionError, InputError, NotFound
from paribus.experiments.drafting import draft
from paribus.experiments.plan import Method
from paribus.experiments.registry import document_of_body
from paribus.flags.change import create
from paribus.metrics.definition import MetricType, Role

FLAG = create("new-checkout", environment="dev", weights_bp=[5000, 5000], salt=lambda: "s")


def drafted(**given: Any) -> Any:
    more = {"success": ["order_completed"], **given}
    return draft("new-checkout", "new-checkout", FLAG, "dev", **more)


def test_the_line_of_the_quick_start() -> None:
    found = drafted(guardrails=["error:-0.1%"])
    document = document_of_body(found.body, "new-checkout")
    design = document.design
    assert [(v.name, v.weight) for v in design.variants] == [("control", 0.5), ("treatment", 0.5)]
    assert (design.control, design.plan.method) == ("control", Method.ANYTIME)
    orders, errors = design.metrics
    assert (orders.type, orders.role, orders.direction, orders.source) == (
        MetricType.PROPORTION,
        Role.SUCCESS,
        "increase",
        "order_completed",
    )
    # the share of units with an error may rise by a tenth of a percentage point
    assert (errors.role, errors.direction, errors.margin, errors.margin_absolute) == (
        Role.GUARDRAIL,
        "decrease",
        0.001,
        True,
    )
    assert document.data.exposures is not None
    assert document.data.exposures.relation == "exposures:new-checkout@dev"
    assert any(said.startswith("interference") for said in found.assumed)


@pytest.mark.parametrize(
    ("text", "direction", "margin", "absolute"),
    [
        ("error:-0.1%", "decrease", 0.001, True),
        ("error: −0.1 %", "decrease", 0.001, True),
        ("search:+2%", "increase", 0.02, True),
        ("error:-5% relative", "decrease", 0.05, False),
        ("a:b:+.5%", "increase", 0.005, True),
    ],
)
def test_guardrails(text: str, direction: str, margin: float, absolute: bool) -> None:
    found = document_of_body(drafted(guardrails=[text]).body, "e").design.metrics[1]
    assert (found.direction, found.margin, found.margin_absolute) == (direction, pytest.approx(margin), absolute)


@pytest.mark.parametrize("text", ["error", "error:0.1%", "error:-0.1", "error:-0%", ":-1%", "error:-x%", ""])
def test_a_guardrail_that_is_not_understood_says_how_to_write_it(text: str) -> None:
    with pytest.raises(InputError, match="is no guardrail") as caught:
        drafted(guardrails=[text])
    assert "-0.1%" in (caught.value.fix or "")


def test_outcomes_with_values_directions_and_windows() -> None:
    found = drafted(
        success=["order_completed:revenue", "-refund"], secondary=["order_completed:revenue"], window_days=7
    )
    revenue, refund, again = document_of_body(found.body, "e").design.metrics
    assert (revenue.type, revenue.value, revenue.window_days) == (MetricType.MEAN, "revenue", 7)
    assert (refund.type, refund.direction) == (MetricType.PROPORTION, "decrease")
    assert (again.name, again.role) == ("order_completed_revenue_secondary", Role.SECONDARY)


def test_three_arms_keep_the_split_of_the_flag() -> None:
    flag = create("f", environment="prod", variants=["a", "b", "c"], weights_bp=[5000, 2500, 2500], salt=lambda: "s")
    design = document_of_body(draft("f", "f", flag, "prod", success=["x"]).body, "f").design
    assert [v.weight for v in design.variants] == [0.5, 0.25, 0.25]
    assert design.control == "a"


def test_flags_and_requests_that_make_no_experiment() -> None:
    with pytest.raises(InputError, match="no success metric"):
        drafted(success=[])
    with pytest.raises(NotFound):
        draft("e", "new-checkout", FLAG, "prod", success=["x"])
    with pytest.raises(InputError, match="no runtime"):
        drafted(method="fixed")
    everyone = create("f", environment="dev", weights_bp=[0, 10_000], salt=lambda: "s")
    with pytest.raises(DefinitionError, match="gives everyone treatment"):
        draft("f", "f", everyone, "dev", success=["x"])
