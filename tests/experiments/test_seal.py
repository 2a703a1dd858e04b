"""Registering a plan: once, with a time and a hash; amended only with a reason; every edit named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.experiments.test_document import CHECKOUT, RESULTS, swapped

from paribus.errors import InputError, PlanError, ProofError
from paribus.experiments import seal
from paribus.experiments.canonical import canonical_text, data_model_of, design_of, plan_body
from paribus.experiments.document import Document, load
from paribus.experiments.seal import Readable
from paribus.experiments.sealing import seal_document
from paribus.warehouse import open_engine

NOON = datetime(2026, 1, 4, 12, tzinfo=UTC)
CAPS = {"revenue": (None, 312.5)}


def document(folder: Path, text: str = CHECKOUT) -> Document:
    file = folder / "experiment.yaml"
    file.write_text(text)
    return load(file)


def sealed(folder: Path, text: str = CHECKOUT, **more: Any) -> seal.Seal:
    arguments: dict[str, Any] = {"clock": lambda: NOON, "readable": Readable(), "caps": CAPS, "author": "Ada", **more}
    return seal.register(document(folder, text), **arguments)


def content(folder: Path) -> Any:
    return json.loads((folder / "experiment.seal.json").read_text())


def edit(folder: Path, change: Any) -> None:
    plain = content(folder)
    change(plain)
    (folder / "experiment.seal.json").write_text(json.dumps(plain))


def test_a_seal_stands_beside_its_plan_and_is_found_there(tmp_path: Path) -> None:
    made = sealed(tmp_path)
    assert seal.find(load(tmp_path / "experiment.yaml")) == made
    assert (made.author, made.time, made.timing, made.rows_readable) == ("Ada", NOON, "sealed before data", 0)
    body = made.registered
    # RFC 8785 of these values is Python's compact JSON with sorted keys: no number here needs its special rules.
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_text(body) == text.replace("5.0,", "5,").replace("0.0,", "0,")
    assert made.hash == hashlib.sha256(canonical_text(body).encode()).hexdigest()
    assert seal.find(load(CHECKOUT)) is None, "a text has no file to seal"


def test_the_canonical_form_does_not_depend_on_how_the_file_is_written(tmp_path: Path) -> None:
    one = plan_body(load(CHECKOUT).design)
    other = swapped(CHECKOUT, "confidence_level: 95%", "confidence_level: 0.95  # as always")
    other = swapped(other, "variants: {control: 50, treatment: 50}", "variants: {control: 1, treatment: 1}")
    other = swapped(other, "title: One-click checkout", "title: Another title")
    assert canonical_text(plan_body(load(other).design)) == canonical_text(one)
    assert design_of(one).plan == load(CHECKOUT).design.plan
    whole = load(CHECKOUT)
    assert data_model_of(plan_body(whole.design, whole.data)) == whole.data


def test_sealed_after_data_says_so(tmp_path: Path) -> None:
    watermark = NOON - timedelta(hours=1)
    made = sealed(tmp_path, readable=Readable(watermark, 1250))
    assert (made.timing, made.rows_readable, made.watermark) == ("sealed after data", 1250, watermark)


def test_a_percentile_cap_is_sealed_as_its_number(tmp_path: Path) -> None:
    made = sealed(tmp_path)
    caps = [metric["cap"] for metric in made.registered["metrics"]]  # type: ignore[index,union-attr]  # plain values
    assert (caps[1]["upper"], caps[1]["upper_percentile"]) == (312.5, 0.999)
    assert seal.deviations(made, load(CHECKOUT).design) == (), "the percentile's number is no deviation"
    cap = seal.sealed_design(made).metrics[1].cap
    assert cap is not None
    assert (cap.upper, cap.upper_percentile) == (312.5, None), "what is measured is the number"


def test_a_percentile_without_its_number_is_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="percentile without its number") as raised:
        sealed(tmp_path, caps=None)
    assert (raised.value.where or "").startswith(f"{tmp_path}/experiment.yaml:21:10")
    assert not (tmp_path / "experiment.seal.json").exists()


def test_sealing_again_takes_an_amendment_with_a_reason(tmp_path: Path) -> None:
    first = sealed(tmp_path)
    with pytest.raises(PlanError, match="this very plan was sealed on 2026-01-04T12:00:00 by Ada"):
        sealed(tmp_path)
    longer = swapped(CHECKOUT, "runtime_days: 14", "runtime_days: 21")
    with pytest.raises(PlanError, match=r"differs in plan\.end, plan.runtime_days"):
        sealed(tmp_path, longer)
    with pytest.raises(PlanError, match="reason is blank"):
        sealed(tmp_path, longer, amend=" ")
    later = NOON + timedelta(days=3)
    second = sealed(tmp_path, longer, amend="a holiday", clock=lambda: later, readable=Readable(None, 90), author="Bo")
    assert second.hash != first.hash
    assert [(a.reason, a.author, a.time, a.timing) for a in second.amendments] == [
        ("a holiday", "Bo", later, "sealed after data")
    ]
    (amendment,) = second.amendments
    assert amendment.changed[-1] == "plan.runtime_days: before 14, now 21"
    assert amendment.sentence.startswith("sealed again after data on 2026-01-07 by Bo (a holiday): plan.end: before")
    assert [entry["hash"] for entry in content(tmp_path)["entries"]] == [first.hash, second.hash]
    assert seal.read(tmp_path / "experiment.seal.json") == second


def test_there_must_be_something_to_amend_and_a_file_to_seal(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="nothing to amend"):
        sealed(tmp_path, amend="why")
    with pytest.raises(PlanError, match="only a plan in a file"):
        seal.register(load(CHECKOUT), clock=lambda: NOON, readable=Readable(), caps=CAPS)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("confidence_level: 95%", "confidence_level: 90%", "plan.confidence_level: sealed 0.95, now 0.9"),
        ("min_sample_size: 10000", "min_sample_size: 50", "plan.min_sample_size: sealed 10000, now 50"),
        ("margin: 5%", "margin: 20%", "metrics[latency].margin: sealed 0.05, now 0.2"),
        ('"amount - refund"', '"amount"', "metrics[revenue].value: sealed amount - refund, now amount"),
        ("runtime_days: 14", "runtime_days: 21", "plan.runtime_days: sealed 14, now 21"),
        ("upper_percentile: 99.9", "upper_percentile: 99", "cap.upper_percentile: sealed 0.999, now 0.99"),
        ("[country, device]", "[country]", 'segments: sealed ["country", "device"], now ["country"]'),
        ("control: 50, treatment", "control: 150, treatment", "variants[control].weight: sealed 0.5, now 0.75"),
        ("  - {name: conversion,", "  - {name: orders_made,", "metrics[conversion]: removed, was 'conversion'"),
        ("event_id: id", "event_id: key", "data.events.orders.event_id: sealed id, now key"),
    ],
)  # fmt: skip
def test_a_deviation_names_the_field_the_sealed_value_and_the_new(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    made = sealed(tmp_path)
    now = load(swapped(CHECKOUT, old, new))
    found = seal.deviations(made, now.design, now.data)
    assert any(sentence.endswith(says) for sentence in found)
    expected = {"control: 50, treatment": 2, "  - {name: conversion,": 2}.get(old, 1)
    assert len(found) == expected, found


def test_the_order_of_metrics_is_part_of_the_plan(tmp_path: Path) -> None:
    made = sealed(tmp_path, RESULTS, caps=None)
    first, second = "  - {name: converted, type: proportion}\n", RESULTS.splitlines(keepends=True)[-1]
    swapped_order = load(RESULTS.replace(first + second, second + first))
    assert seal.deviations(made, swapped_order.design) == (
        'metrics (order): sealed ["converted", "order value"], now ["order value", "converted"]',
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["entries"][0]["plan"]["plan"].update(power=0.5), "plan.power: sealed 0.8, now 0.5"),
        (lambda c: c["entries"][0]["plan"]["metrics"][2].update(margin=0.5), "[latency].margin: sealed 0.05, now 0.5"),
        (lambda c: c["entries"][0].update(author="Eve"), "the record of revision 1"),
        (lambda c: c["entries"][0].update(time="2025-01-01T00:00:00+00:00"), "the record of revision 1"),
        (lambda c: c["entries"][0].update(timing="sealed after data"), "the record of revision 1"),
        (lambda c: c.update(canonical=c["canonical"].replace("0.8", "0.5")), "canonical text was edited"),
        (lambda c: c["entries"][0].update(hash="0" * 64), "the plan of revision 1 was edited"),
        (lambda c: c["entries"].clear(), "not a seal of a known format"),
        (lambda c: c["entries"][0].pop("author"), "record of revision 1"),
        (lambda c: c["entries"][0].pop("plan"), "the seal lacks 'plan'"),
    ],
)  # fmt: skip
def test_an_edited_seal_is_refused_and_the_edit_named(tmp_path: Path, change: Any, says: str) -> None:
    sealed(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(ProofError) as raised:
        seal.find(load(tmp_path / "experiment.yaml"))
    assert says in str(raised.value)


def test_history_cannot_be_dropped_or_reordered(tmp_path: Path) -> None:
    sealed(tmp_path)
    sealed(tmp_path, swapped(CHECKOUT, "runtime_days: 14", "runtime_days: 21"), amend="a holiday")
    whole = (tmp_path / "experiment.seal.json").read_text()
    edit(tmp_path, lambda c: c["entries"].pop(0))
    with pytest.raises(ProofError, match="record of revision 2"):
        seal.read(tmp_path / "experiment.seal.json")
    (tmp_path / "experiment.seal.json").write_text(whole)
    edit(tmp_path, lambda c: c["entries"][0]["plan"]["plan"].update(power=0.5))
    with pytest.raises(ProofError, match="plan of revision 1 was edited"):
        seal.read(tmp_path / "experiment.seal.json")


def test_a_seal_that_is_not_json(tmp_path: Path) -> None:
    document(tmp_path)
    (tmp_path / "experiment.seal.json").write_text("{")
    with pytest.raises(ProofError, match="not JSON"):
        seal.find(load(tmp_path / "experiment.yaml"))
    with pytest.raises(ProofError, match="cannot be read"):
        seal.read(tmp_path / "none.seal.json")


def test_somebody_is_always_the_author() -> None:
    assert seal.default_author({"USER": "ada"})


# Sealing with a look at the data.

ORDERS = """\
paribus: 1
experiment: orders
interference: none because carts are personal
exposures: {table: exposures.csv, unit: user_id, variant: variant, time: exposed_at}
events: {orders: {table: orders.csv, unit: user_id, time: ts}}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, source: orders, value: amount, window_days: 2, cap: {upper_percentile: 90}}
plan: {start: 2026-01-05, runtime_days: 14}
"""


def sealed_with(folder: Path, exposures: list[str], orders: list[str], text: str = ORDERS) -> seal.Seal:
    (folder / "exposures.csv").write_text("\n".join(["user_id,variant,exposed_at", *exposures]) + "\n")
    (folder / "orders.csv").write_text("\n".join(["user_id,ts,amount", *orders]) + "\n")
    return looked(folder, text)


def looked(folder: Path, text: str = ORDERS) -> seal.Seal:
    engine = open_engine(None, base_dir=folder)
    try:
        return seal_document(document(folder, text), engine, clock=lambda: NOON, author="Ada")
    finally:
        engine.close()


BEFORE = [f"u{i},{'control' if i % 2 else 'treatment'},2026-01-02 00:00:00" for i in range(11)]
HISTORY = [f"u{i},2026-01-01 12:00:00,{10 * i}" for i in range(11)]
LATER = "u0,2026-01-04 06:00:00,0"  # closes the windows of the units exposed on the 2nd


def test_a_cap_comes_from_the_history_of_units_exposed_before_the_start(tmp_path: Path) -> None:
    made = sealed_with(tmp_path, BEFORE, [*HISTORY, LATER])
    cap = seal.sealed_design(made).metrics[0].cap
    assert cap is not None
    # 0, 10, ..., 100 in the two days before exposure: the 90th percentile (type 7) is 90.
    assert cap.upper == 90.0
    assert (made.timing, made.rows_readable) == ("sealed before data", 0)


def test_rows_after_the_start_are_counted(tmp_path: Path) -> None:
    after = [row.replace("2026-01-02", "2026-01-06") for row in BEFORE]
    history = [row.replace("2026-01-01", "2026-01-05") for row in HISTORY]
    made = sealed_with(tmp_path, after, [*history, LATER.replace("-04", "-08")])
    assert (made.timing, made.rows_readable) == ("sealed after data", 11)
    assert made.watermark == datetime(2026, 1, 8, 6, tzinfo=UTC)


def test_without_any_history_a_percentile_cap_is_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="percentile without its number"):
        looked(tmp_path)
    number = swapped(ORDERS, "upper_percentile: 90", "upper: 90")
    made = looked(tmp_path, number)
    assert (made.timing, made.rows_readable, made.watermark) == ("sealed before data", 0, None)


def test_exposures_without_events_count_as_data(tmp_path: Path) -> None:
    (tmp_path / "exposures.csv").write_text("\n".join(["user_id,variant,exposed_at", *BEFORE]) + "\n")
    made = looked(tmp_path, swapped(ORDERS, "upper_percentile: 90", "upper: 90"))
    assert made.rows_readable == 11


def test_a_misspelled_column_is_found_when_sealing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="amont"):
        sealed_with(tmp_path, BEFORE, HISTORY, swapped(ORDERS, "value: amount", "value: amont"))
    assert not (tmp_path / "experiment.seal.json").exists()
