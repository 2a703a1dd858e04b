"""The experiment file: what it means, and what is said about every way to get it wrong."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.errors import DefinitionError, InputError, ParibusError
from paribus.experiments import marked_yaml
from paribus.experiments.columns import Facts, control_among, from_columns
from paribus.experiments.document import Document, DocumentError, load
from paribus.experiments.plan import Kind, Method, Plan, Prior
from paribus.metrics.definition import Cap, Covariate, MetricType, Role
from paribus.warehouse.engine import Table

ROOT = Path(__file__).parents[2]

CHECKOUT = """\
paribus: 1
experiment: new-checkout
title: One-click checkout
kind: ab
interference: none because carts are personal
time_zone: UTC
source: {url: "postgresql://reader:${PASSWORD}@db/shop"}
exposures: {table: exposures.csv, unit: user_id, variant: variant, time: exposed_at}
events:
  orders: {table: "events/*.parquet", unit: user_id, time: ts, filter: "name = 'order'", event_id: id}
  pages: {table: pages.csv, unit: user_id, time: ts}
variants: {control: 50, treatment: 50}
control: control
metrics:
  - {name: conversion, type: proportion, source: orders, window_days: 7, role: success}
  - name: revenue
    type: mean
    source: orders
    value: "amount - refund"
    window_days: 7
    cap: {upper_percentile: 99.9}
    covariates: [{days: 14}]
  - {name: latency, type: quantile, source: pages, value: ms, quantile: 95%,
     role: guardrail, direction: decrease, margin: 5%}
segments: [country, device]
plan:
  method: group_sequential
  confidence_level: 95%
  power: 0.8
  min_sample_size: 10000
  start: 2026-01-05
  runtime_days: 14
  looks: [7, 14]
  smallest_worthwhile: {revenue: 1%}
"""

RESULTS = """\
paribus: 1
experiment: banner
interference: none because each user sees their own page
units: {table: results.csv, unit: user_id, variant: group}
variants: {control: 1, banner: 3}
metrics:
  - {name: converted, type: proportion}
  - {name: order value, type: mean, covariates: [pre_value]}
"""


KEYS = ["name", "type", "value", "mean", "weight", "table", "unit", "variant", "method", "looks", "cap", "margin", "x"]


def swapped(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)


def errors_of(text: str) -> list[DefinitionError]:
    with pytest.raises(DefinitionError) as raised:
        load(text)
    error = raised.value
    return list(error.errors) if isinstance(error, DocumentError) else [error]


def test_the_design_and_the_data_of_an_experiment_file() -> None:
    document = load(CHECKOUT)
    design, data = document.design, document.data
    assert (design.key, design.kind, design.control) == ("new-checkout", Kind.AB, "control")
    assert [(v.name, v.weight) for v in design.variants] == [("control", 0.5), ("treatment", 0.5)]
    conversion, revenue, latency = design.metrics
    assert (conversion.type, conversion.role, conversion.window_days) == (MetricType.PROPORTION, Role.SUCCESS, 7)
    assert revenue.value == "amount - refund"
    assert revenue.cap == Cap(upper_percentile=0.999), "percentiles become fractions, exactly"
    assert revenue.covariates == (Covariate(days=14),)
    assert (latency.quantile, latency.margin, latency.margin_absolute, latency.direction) == (
        0.95,
        0.05,
        False,
        "decrease",
    )
    plan = design.plan
    assert plan.method is Method.GROUP_SEQUENTIAL
    assert (plan.confidence_level, plan.power, plan.min_sample_size, plan.looks) == (0.95, 0.8, 10000, (7, 14))
    assert plan.start == datetime(2026, 1, 5, tzinfo=UTC)
    assert plan.end == datetime(2026, 1, 19, tzinfo=UTC)
    assert plan.smallest_worthwhile == {"revenue": 0.01}
    assert data.units is None
    assert data.exposures is not None
    assert data.exposures.time == "exposed_at"
    assert data.events["orders"].event_id == "id"
    assert data.segments == design.segments == ("country", "device")


def test_one_row_per_unit_reads_the_columns_named_like_the_metrics() -> None:
    document = load(RESULTS)
    converted, value = document.design.metrics
    assert converted.value == "converted"
    assert value.value == '"order value"', "a name that is no plain word is quoted"
    assert value.covariates == (Covariate(value="pre_value"),)
    assert [v.weight for v in document.design.variants] == [0.25, 0.75]
    assert document.design.control == "control", "found by its name"
    assert document.design.split_declared


def test_positions_lead_back_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(CHECKOUT)
    document = load(file)
    lines = CHECKOUT.splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "amount - refund" in text)
    column = lines[line - 1].index('"amount') + 1
    assert document.position("metrics[1].value") == f"{file}:{line}:{column} (metrics[1].value)"
    assert document.position("metrics.revenue.value") == document.position("metrics[1].value")
    above = document.position("metrics[1].cap.lower")
    assert above.startswith(f"{file}:{line + 2}:"), "a key that is not there is shown at the one above"
    assert document.folder == tmp_path
    assert document.file == file


def test_a_password_comes_from_the_environment() -> None:
    document = load(CHECKOUT)
    assert document.engine_url({"PASSWORD": "s3cret"}) == "postgresql://reader:s3cret@db/shop"
    with pytest.raises(InputError, match="PASSWORD is not set"):
        document.engine_url({})
    assert load(RESULTS).engine_url({}) is None


def test_a_date_is_midnight_in_the_experiments_time_zone() -> None:
    document = load(swapped(CHECKOUT, "time_zone: UTC", "time_zone: Europe/Berlin"))
    # Berlin is one hour east of UTC in January.
    assert document.design.plan.start == datetime(2026, 1, 4, 23, tzinfo=UTC)
    zoned = load(swapped(CHECKOUT, "start: 2026-01-05", "start: 2026-01-05T09:30:00+02:00"))
    assert zoned.design.plan.start == datetime(2026, 1, 5, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("experiment: new", "experimnt: new", "2:1 (experimnt)", "did you mean 'experiment'"),
        ("experiment: new-checkout", "experiment: New checkout!", "2:13 (experiment)", "write New-checkout"),
        ("title: One", "titel: One", "3:1 (titel)", "did you mean 'title'"),
        ("kind: ab", "kind: abb", "4:7 (kind)", "did you mean 'ab'"),
        ("interference: none because carts are personal\n", "", "1:1 (interference)", "is missing"),
        ("none because carts are personal", "none", "5:15 (interference)", "none because"),
        ("none because carts are personal", "maybe", "5:15 (interference)", "shared_resource"),
        ("none because carts are personal", "switchback", "5:15 (interference)", "kind: switchback"),
        ("none because carts are personal", "{cluster: village}", "5:15 (interference)", "kind: cluster"),
        ("kind: ab", "kind: cluster", "4:7 (kind)", "no cluster is named"),
        ("time_zone: UTC", "time_zone: Europe/Berln", "6:12 (time_zone)", "did you mean 'Europe/Berlin'"),
        ("unit: user_id, variant: variant", "units: user_id, variant: variant", "8:35 (exposures.units)", "'unit'"),
        (", time: exposed_at", "", "8:12 (exposures.time)", "the key 'time' is missing from exposures"),
        ("event_id: id", "evnt_id: id", "10:90 (events.orders.evnt_id)", "did you mean 'event_id'"),
        ("variants: {control: 50", "variants: {control: fifty", "12:21 (variants.control)", "not a number"),
        ("variants: {control: 50", "variants: {control: 0", "12:21 (variants.control)", "not above zero"),
        ("variants: {control: 50, treatment: 50}", "variants: {control: 50}", "12:11 (variants)", "at least two"),
        ("control: 50, treatment", "control: {wieght: 50}, treatment", "12:22 (variants.control.wieght)", "'weight'"),
        ("control: 50, treatment", "control: {description: old}, treatment", "12:11 (variants)", "has no weight"),
        ("\ncontrol: control", "\ncontrol: contrl", "13:10 (control)", "did you mean 'control'"),
        ("type: proportion", "type: propotion", "15:30 (metrics[0].type)", "did you mean 'proportion'"),
        ("type: proportion, ", "", "15:5 (metrics[0].type)", "the key 'type' is missing"),
        ("source: orders, window", "source: order, window", "15:50 (metrics[0].source)", "did you mean 'orders'"),
        ("source: orders, window", "window", "15:5 (metrics[0])", "has no source"),
        ("window_days: 7, role", "window: 7, role", "15:58 (metrics[0].window)", "did you mean 'window_days'"),
        ("window_days: 7, role", "window_days: 7.5, role", "15:71 (metrics[0].window_days)", "whole number"),
        ("window_days: 7, role", "window_days: 0, role", "15:71 (metrics[0].window_days)", "at least 1"),
        ("window_days: 7, role", 'window_days: "7", role', "15:71 (metrics[0].window_days)", "whole number"),
        ("role: success", "role: succes", "15:80 (metrics[0].role)", "did you mean 'success'"),
        ("window_days: 7, role", "quantile: 0.5, role", "15:58 (metrics[0].quantile)", "belongs to quantile metrics"),
        ('    value: "amount - refund"\n', "", "16:5 (metrics[1])", "has no value"),
        ('"amount - refund"', '""', "19:12 (metrics[1].value)", "not a SQL expression"),
        ("upper_percentile: 99.9", "upper_percentile: 0.999", "21:29 (metrics[1].cap.upper_percentile)", "write 99.9"),
        ("upper_percentile: 99.9", "percentile: 99.9", "21:11 (metrics[1].cap.percentile)", "upper_percentile"),
        ("cap: {upper_percentile: 99.9}", "cap: {}", "21:10 (metrics[1].cap)", "no limit"),
        ("{upper_percentile: 99.9}", "{lower: 5, upper: 1}", "21:18 (metrics[1].cap.lower)", "not below"),
        ("{upper_percentile: 99.9}", "{upper_percentile: 99, over: pooled}", "21:10 (metrics[1].cap)", "method: fixed"),
        ("[{days: 14}]", "[{dayz: 14}]", "22:19 (metrics[1].covariates[0].dayz)", "did you mean 'days'"),
        ("[{days: 14}]", "[pre_revenue]", "22:18 (metrics[1].covariates[0])", "how many days"),
        ("margin: 5%", "mragin: 5%", "24:44 (metrics[2].mragin)", "did you mean 'margin'"),
        ("margin: 5%", "margin: 5", "24:52 (metrics[2].margin)", "write 5% or 0.05"),
        ("margin: 5%", "margin: -5%", "24:52 (metrics[2].margin)", "below zero"),
        (", margin: 5%", "", "23:5 (metrics[2])", "has no margin"),
        ("quantile: 95%", "quantile: 95", "23:73 (metrics[2].quantile)", "write 0.95"),
        (" quantile: 95%,", "", "23:5 (metrics[2].quantile)", "is missing"),
        ("segments: [country, device]", "segments: [country, country]", "25:21 (segments[1])", "given twice"),
        ("method: group_sequential", "method: group-sequential", "27:11 (plan.method)", "mean 'group_sequential'"),
        ("method: group_sequential", "method: fixed", "33:3 (plan.looks)", "no meaning for method: fixed"),
        ("confidence_level: 95%", "confidence_level: 95", "28:21 (plan.confidence_level)", "write 0.95"),
        ("confidence_level: 95%", "confidence_level: 1.5", "28:21 (plan.confidence_level)", "between 0.5 and 1"),
        ("confidence_level: 95%", "confidence_level: 0.05", "28:21 (plan.confidence_level)", "write 0.95"),
        ("confidence_level: 95%", "alpha: 0.05", "28:3 (plan.alpha)", "confidence_level"),
        ("power: 0.8", "power: 80", "29:10 (plan.power)", "write 0.8"),
        ("min_sample_size: 10000", "min_sample_size: 10_000", "30:20 (plan.min_sample_size)", "whole number"),
        ("min_sample_size: 10000", "min_sample_size: -1", "30:20 (plan.min_sample_size)", "at least 0"),
        ("start: 2026-01-05", "start: 2026-13-05", "31:10 (plan.start)", "month"),
        ("start: 2026-01-05", "start: 05.01.2026", "31:10 (plan.start)", "ISO 8601"),
        ("looks: [7, 14]", "looks: [14, 7]", "33:10 (plan.looks)", "write [7, 14]"),
        ("looks: [7, 14]", "looks: [7, 21]", "33:10 (plan.looks)", "after the end on day 14"),
        ("  looks: [7, 14]\n", "", "27:3 (plan)", "has no looks"),
        ("looks: [7, 14]", "looks: [7, 14]\n  spending: kim_demets", "27:3 (plan)", "spending_parameter: 3"),
        ("looks: [7, 14]", "looks: [7, 14]\n  spendng: pocock", "34:3 (plan.spendng)", "did you mean 'spending'"),
        ("{revenue: 1%}", "{revenu: 1%}", "34:25 (plan.smallest_worthwhile.revenu)", "did you mean 'revenue'"),
        ("{revenue: 1%}", "{revenue: 100%}", "34:34 (plan.smallest_worthwhile.revenue)", "would be 100%"),
        ("paribus: 1", "paribus: 2", "1:10 (paribus)", "write 1"),
        ("paribus: 1\n", "", "1:1 (paribus)", "write paribus: 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_its_remedy(old: str, new: str, place: str, says: str) -> None:
    errors = errors_of(swapped(CHECKOUT, old, new))
    assert len(errors) == 1, [str(error) for error in errors]
    assert str(errors[0]).startswith(f"experiment.yaml:{place}"), str(errors[0])
    assert says in str(errors[0])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("units: {table", "x-units: {table", "neither units nor exposures"),
        ("variants: {", "events: {o: {table: o.csv, unit: u, time: t}}\nvariants: {", "events stand beside"),
        ("variants: {", "exposures: {table: e.csv, unit: u, variant: v, time: t}\nvariants: {", "both given"),
        ("type: proportion", "type: count", "a count metric reads events"),
        ("type: proportion", "type: proportion, source: orders", "no source"),
        ("type: proportion", "type: proportion, window_days: 7", "already in the column"),
        ("type: proportion", "type: mean, cap: {upper_percentile: 99}", "no pre-period"),
        ("type: proportion", "type: ratio, value: a", "the key 'denominator' is missing"),
        ("[pre_value]", "[{days: 7}]", "expression over its columns"),
        ("order value", "converted", "given twice"),
        ("variants: {control: 1, banner: 3}", "variants: {old: 1, new: 3}", "which variant is the control"),
        ("variants: {control: 1, banner: 3}", "variants: [control, true]", "quotes"),
        ("variant: group}", "variant: group, cluster: school}", "kind: cluster"),
        ("type: proportion", "type: proportion, margin: 1%", "a margin is for guardrails"),
        ("type: proportion", "type: proportion, role: guardrail, margin: {absolut: 1}", "did you mean 'absolute'"),
    ],
)
def test_contradictions_of_a_table_of_units(old: str, new: str, says: str) -> None:
    errors = errors_of(swapped(RESULTS, old, new))
    assert says in "\n".join(map(str, errors))


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("{method: bayesian}", "no loss_threshold"),
        ("{method: bayesian, loss_threshold: 0.1%, rope: [1%, -1%]}", "not below"),
        ("{method: bayesian, loss_threshold: 0.1%, priors: {convertd: {sd: 5%}}}", "did you mean 'converted'"),
        ("{loss_threshold: 1%}", "read by bayesian plans"),
        ("{n_opt: 1000}", "read by anytime plans"),
        ("{futility: binding}", "read by group_sequential plans"),
        ("{correction: graph}", "no graph is given"),
        ("{correction: graph, graph: {weights: [1], transitions: [[0]]}}", "2 hypotheses"),
        ("{correction: graph, graph: {weights: [1, 1], transitions: [[0, 1], [1, 0]]}}", "at most 1"),
        ("{correction: graph, graph: {weights: [1, 0], transitions: [[0.5, 0.5], [1, 0]]}}", "diagonal"),
        ("{start: 2026-02-01, end: 2026-01-01}", "not after the start"),
        ("{start: 2026-01-01, end: 2026-01-31, runtime_days: 14}", "keep end or runtime_days"),
        ("{method: group_sequential, looks: [7, 14]}", "start is missing"),
        ("3", "not a mapping"),
    ],
)
def test_contradictions_of_a_plan(plan: str, says: str) -> None:
    assert says in "\n".join(map(str, errors_of(RESULTS + f"plan: {plan}\n")))


def test_several_errors_are_reported_together_in_the_order_of_the_file() -> None:
    text = CHECKOUT.replace("titel", "title").replace("title:", "titel:").replace("role: success", "role: succes")
    text = text.replace("power: 0.8", "power: 80")
    with pytest.raises(DocumentError) as raised:
        load(text)
    places = [error.where for error in raised.value.errors]
    assert places == [
        "experiment.yaml:3:1 (titel)",
        "experiment.yaml:15:80 (metrics[0].role)",
        "experiment.yaml:29:10 (plan.power)",
    ]
    assert "3 errors" in str(raised.value)
    assert all(place in str(raised.value) for place in places if place)


def test_words_that_yaml_would_turn_into_constants_stay_words() -> None:
    document = load(swapped(RESULTS, "{control: 1, banner: 3}", "{off: 1, on: 3}"))
    assert [v.name for v in document.design.variants] == ["off", "on"]
    assert document.design.control == "off"
    document = load(swapped(RESULTS, "{control: 1, banner: 3}", "{no: 1, 007: 3}\ncontrol: no"))
    assert [v.name for v in document.design.variants] == ["no", "007"]
    document = load(swapped(RESULTS, "{control: 1, banner: 3}", "[0, 007]"))
    assert [v.name for v in document.design.variants] == ["0", "007"]
    document = load(swapped(RESULTS, "{control: 1, banner: 3}", "{true: 1, false: 3}"))
    assert document.design.control == "false"


def test_a_list_of_variants_declares_no_split() -> None:
    design = load(swapped(RESULTS, "{control: 1, banner: 3}", "[control, banner]")).design
    assert not design.split_declared
    assert [v.weight for v in design.variants] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("kind", "interference"),
    [
        ("switchback", "switchback"),
        ("holdback", "none because each user has one account"),
        ("global_holdout", "shared_resource"),
        ("cluster", "{cluster: school}"),
        ("cluster", '"cluster: school"'),
    ],
)
def test_every_kind_of_experiment_can_be_written_down(kind: str, interference: str) -> None:
    text = swapped(RESULTS, "interference: none because each user sees their own page", f"kind: {kind}")
    document = load(text + f"interference: {interference}\n")
    assert document.design.kind == kind
    if kind == "cluster":
        assert document.design.interference == "cluster: school"
        assert document.data.units is not None
        assert document.data.units.cluster == "school"


def test_a_bayesian_plan_states_the_prior_of_every_metric() -> None:
    plan = "plan: {method: bayesian, loss_threshold: 0.1%, priors: {converted: {mean: 0, sd: 5%, origin: 42 tests}}}\n"
    priors = load(RESULTS + plan).design.plan.priors
    assert priors == {"converted": Prior(0.0, 0.05, "42 tests"), "order value": Prior()}


def test_anchors_and_merges_are_read_and_keep_their_own_place() -> None:
    text = RESULTS.replace(
        "metrics:\n  - {name: converted, type: proportion}",
        "x-base: &base {type: proportion, description: shared}\n"
        "metrics:\n  - {<<: *base, name: converted, description: own}",
    )
    document = load(text)
    assert document.design.metrics[0].type is MetricType.PROPORTION
    assert document.design.metrics[0].description == "own"
    assert document.places["metrics[0].description"].startswith("experiment.yaml:8:")
    assert document.places["metrics[0].type"].startswith("experiment.yaml:6:")


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "e.yaml", "empty"),
        ("# nothing\n", "e.yaml", "nothing but comments"),
        ("- a\n- b\n", "e.yaml:1:1", "a mapping of keys"),
        ("a: 1\na: 2\n", "e.yaml:2:1", "given twice"),
        ("a:\n\t- b\n", "e.yaml:2:1", "tab"),
        ("a: b: c\n", "e.yaml:1:5", "quotes"),
        ("a: *.csv\n", "e.yaml:1:5", "quotes"),
        ("a: *foo\n", "e.yaml:1:4", "quotes"),
        ("a: @x\n", "e.yaml:1:4", "cannot start with '@'"),
        ("a: [1,\n", "e.yaml:2:1", "not YAML"),
        ("---\na: 1\n---\nb: 1\n", "e.yaml:3:1", "second document"),
        ("a: &a [*a]\n", "e.yaml:1:4", "contains itself"),
        ("[" * 5000 + "\n", "e.yaml:1:41", "nested more than 40"),
        ("a: !!python/object:os.system x\n", "e.yaml:1:4", "tag"),
        ("{{ x }}: 1\n", "e.yaml:1:1", "plain word"),
        ("a: \x00\n", "e.yaml:1", "not allowed in YAML"),
    ],
)
def test_broken_yaml_is_explained(text: str, place: str, says: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        load(text + ("\n" if "\n" not in text else ""), name="e.yaml")
    assert (raised.value.where or "").startswith(place)
    assert says in str(raised.value)


def test_an_alias_bomb_is_refused_before_it_explodes() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n"
    for i in range(1, 12):
        bomb += f"{chr(97 + i)}: &{chr(97 + i)} [{', '.join(['*' + chr(96 + i)] * 9)}]\n"
    with pytest.raises(DefinitionError, match="expands to more than"):
        load(bomb)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(RESULTS)
    with pytest.raises(InputError, match="no such file") as raised:
        load(tmp_path / "experimnt.yaml")
    assert raised.value.fix == "files here: experiment.yaml"
    (tmp_path / "latin.yaml").write_bytes(b"paribus: 1\ntitle: caf\xe9\n")
    with pytest.raises(DefinitionError, match="not valid UTF-8") as raised:
        load(tmp_path / "latin.yaml")
    assert raised.value.where == f"{tmp_path}/latin.yaml:2"
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "marked.yaml").write_text(RESULTS, encoding=encoding)
        assert load(tmp_path / "marked.yaml").design.key == "banner"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ParibusError):
        load(text + "\n")


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 100) | st.floats(allow_nan=False, width=32) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        ["metrics", "plan", "variants", "units", "segments", "interference", "control", "events", "source"]
    ),
)
def test_no_value_in_any_place_breaks_the_reader(value: Any, key: str) -> None:
    tree = marked_yaml.read(RESULTS, "e.yaml").value
    with contextlib.suppress(ParibusError):
        load(json.dumps({**tree, key: value}) + "\n")


SCHEMA_REFUSES = [
    (CHECKOUT, "experiment: new", "experimnt: new"),
    (CHECKOUT, "kind: ab", "kind: abb"),
    (CHECKOUT, "none because carts are personal", "none"),
    (CHECKOUT, "unit: user_id, variant: variant", "units: user_id, variant: variant"),
    (CHECKOUT, "variants: {control: 50", "variants: {control: fifty"),
    (CHECKOUT, "type: proportion", "type: propotion"),
    (CHECKOUT, "type: proportion, ", ""),
    (CHECKOUT, "window_days: 7, role", "window: 7, role"),
    (CHECKOUT, "window_days: 7, role", "window_days: 7.5, role"),
    (CHECKOUT, "window_days: 7, role", "quantile: 0.5, role"),
    (CHECKOUT, "upper_percentile: 99.9", "upper_percentile: 0.999"),
    (CHECKOUT, "[{days: 14}]", "[{dayz: 14}]"),
    (CHECKOUT, "margin: 5%", "margin: 5"),
    (CHECKOUT, "quantile: 95%", "quantile: 95"),
    (CHECKOUT, "confidence_level: 95%", "confidence_level: 95"),
    (CHECKOUT, "power: 0.8", "power: 80"),
    (CHECKOUT, "start: 2026-01-05", "start: 05.01.2026"),
    (CHECKOUT, "min_sample_size: 10000", 'min_sample_size: "10000"'),
    (CHECKOUT, "method: group_sequential", "method: bayes"),
    (RESULTS, "variants: {control: 1, banner: 3}", "variants: [control]"),
    (RESULTS, "paribus: 1", "paribus: 2"),
]  # fmt: skip
ACCEPTED = [
    CHECKOUT,
    RESULTS,
    swapped(CHECKOUT, "margin: 5%", "margin: {absolute: 20}"),
    swapped(CHECKOUT, "margin: 5%", "margin: 0.05"),
    swapped(RESULTS, "{control: 1, banner: 3}", "[control, banner]"),
    swapped(RESULTS, "{control: 1, banner: 3}", "{control: {weight: 1, description: as it is}, banner: 50%}"),
    RESULTS + "x-mine: {anything: [1, 2]}\n",
    RESULTS + "plan: {method: bayesian, loss_threshold: 0.1%, rope: [-1%, 1%]}\n",
    RESULTS + "plan: {start: 2026-01-05T10:00:00Z, end: 2026-02-01}\n",
]


def schema_of(name: str) -> Any:
    return json.loads((ROOT / "spec" / name).read_text())


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_published_schema_accepts_what_the_reader_accepts(text: str) -> None:
    load(text)
    jsonschema.Draft202012Validator(schema_of("experiment.schema.json")).validate(marked_yaml.read(text, "e").value)


@pytest.mark.parametrize(("text", "old", "new"), SCHEMA_REFUSES)
def test_the_published_schema_refuses_what_the_reader_refuses(text: str, old: str, new: str) -> None:
    wrong = swapped(text, old, new)
    errors_of(wrong)
    validator = jsonschema.Draft202012Validator(schema_of("experiment.schema.json"))
    assert not validator.is_valid(marked_yaml.read(wrong, "e").value)


def test_every_key_is_described_for_editors() -> None:
    schema = schema_of("experiment.schema.json")
    assert schema["properties"]["interference"]["description"]
    assert all("description" in definition for definition in schema["$defs"].values())


# One line on the command line: no file at all.

FACTS = Facts(
    {"user_id": "integer", "group": "text", "converted": "integer", "Revenue": "number", "got results": "number"},
    {"Control": 500, "new": 480},
    frozenset({"converted"}),
    980,
)


def flat(**more: Any) -> Document:
    arguments: dict[str, Any] = {"unit": "user_id", "variant": "group", "metrics": ["converted", "Revenue"], **more}
    facts = arguments.pop("facts", FACTS)
    return from_columns("data/results.csv", facts, **arguments)


def test_columns_make_an_experiment() -> None:
    document = flat(lower=["Revenue"])
    design = document.design
    assert (design.key, design.control) == ("results", "Control")
    assert [v.name for v in design.variants] == ["Control", "new"]
    assert not design.split_declared, "nobody said what the split was to be"
    converted, revenue = design.metrics
    assert (converted.type, converted.direction) == (MetricType.PROPORTION, "increase")
    assert (revenue.type, revenue.direction, revenue.value) == (MetricType.MEAN, "decrease", "Revenue")
    assert document.data.units is not None
    assert (document.data.units.unit, document.data.units.variant) == ("user_id", "group")
    assert document.position("metrics[0].value") == "metrics[0].value"
    assert design.plan == Plan()


def test_declared_weights_covariates_and_clusters() -> None:
    document = flat(weights={"Control": 1, "new": 3}, covariates={"Revenue": ["got results"]}, cluster="user_id")
    assert [v.weight for v in document.design.variants] == [0.25, 0.75]
    assert document.design.split_declared
    assert document.design.metrics[1].covariates == (Covariate(value='"got results"'),)
    assert document.design.kind is Kind.CLUSTER
    assert document.data.units is not None
    assert document.data.units.cluster == "user_id"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"unit": "userid"}, "did you mean 'user_id'"),
        ({"metrics": ["convertd"]}, "did you mean 'converted'"),
        ({"metrics": []}, "converted, Revenue, got results"),
        ({"metrics": ["converted", "converted"]}, "named twice"),
        ({"metrics": ["group"]}, "is the variant column"),
        ({"metrics": ["user_id"]}, "is the unit column"),
        ({"control": "contrl"}, "did you mean 'Control'"),
        ({"lower": ["latency"]}, "not one of the metrics"),
        ({"weights": {"Control": 1}}, "among: Control, new"),
        ({"weights": {"Control": 1, "new": 0}}, "new has no weight above zero"),
        ({"weights": {"control": 1, "new": 1}}, "did you mean 'Control'"),
        ({"facts": Facts(FACTS.kinds, {"x": 5, "y": 4})}, "--control and one of: x, y"),
        ({"facts": Facts(FACTS.kinds, {"a": 5, "off": 4})}, "is not clear: a, off"),
        ({"facts": Facts(FACTS.kinds, {"Control": 5})}, "only the value 'Control'"),
        ({"facts": Facts(FACTS.kinds, {})}, "no value"),
        ({"facts": Facts(FACTS.kinds, {str(i): 1 for i in range(900)})}, "900 values"),
        ({"facts": Facts({**FACTS.kinds, "Revenue": "text"}, FACTS.levels)}, "kind text"),
    ],
)
def test_mistakes_on_the_command_line(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as raised:
        flat(**more)
    assert says in str(raised.value)


@pytest.mark.parametrize("name", ["control", "Ctrl", "BASELINE", "A", "0", "Off", "false"])
def test_the_names_of_a_control(name: str) -> None:
    assert control_among([name, "x"]) == name
    assert control_among(["x", "y"]) is None
    assert control_among([name, "control "]) is None


class CannedEngine:
    """Answers what a look asks of a table with known rows."""

    dialect = "duckdb"

    def columns(self, relation: str) -> dict[str, str]:
        return {"user_id": "integer", "group": "text", "converted": "integer", "spend": "number"}

    def relation_sql(self, relation: str) -> str:
        return '"t"'

    def query(self, sql: str) -> Table:
        if "GROUP BY" in sql:
            return Table(("level", "n"), [("b", 3), (None, 1), (" ", 1), ("a", 2)])
        others = {'"converted"': (0, 7), '"spend"': (5, 7)}
        asked = [counts for column, counts in others.items() if column in sql or column.strip('"') in sql]
        return Table((), [(7, *(n for counts in asked for n in counts))])


def test_a_look_counts_levels_and_recognizes_zero_one() -> None:
    from paribus.experiments.columns import look

    facts = look(CannedEngine(), "t", variant="group", metrics=["converted", "spend"])  # type: ignore[arg-type]  # a part
    assert facts.levels == {"a": 2, "b": 3}, "missing and blank levels are no variants"
    assert facts.zero_one == {"converted"}
    assert facts.rows == 7
