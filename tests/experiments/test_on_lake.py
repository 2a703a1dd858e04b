"""Analysis on the lake, against sums that pandas works out from the rows that were sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.experiments.lake_files import START, Shop, first_exposures, per_unit

from paribus.errors import DefinitionError, InputError
from paribus.experiments.document import Document, load
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, as_history, lake_engine, measure_proof_again
from paribus.experiments.result import Result
from paribus.experiments.serialize import result_from_dict
from paribus.experiments.verify import verify

DOCUMENT = """
paribus: 1
experiment: new-checkout
flag: new-checkout
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics:
  - {name: orders, event: order_completed, type: proportion, window_days: 3}
  - {name: revenue, event: order_completed, type: mean, value: revenue, role: secondary}
  - {name: items, event: order_completed, type: mean, value: items, filter: "items > 1", role: secondary}
  - {name: errors, event: error, type: count, role: guardrail, direction: decrease, margin: {absolute: 0.1}}
segments: [country]
"""
AS_OF = START + timedelta(days=8)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    built = Shop(tmp_path_factory.mktemp("lake"))
    for day in range(4):
        built.day(day, 150, first_unit=150 * day, effect=0.3)
        built.write()
    built.expose("u3", "treatment", START + timedelta(days=5))
    built.expose("u3", "control", START + timedelta(days=5))
    built.expose("u700", "treatment", START + timedelta(days=1), reason="OVERRIDE")
    built.expose("u701", "treatment", START + timedelta(days=1), flag="other")
    built.write()
    return built


def snapshot(shop: Shop, watermark: datetime | None = AS_OF) -> Snapshot:
    return Snapshot(shop.folder, "table-1", 17, tuple(shop.files), watermark, 840.0)


@pytest.fixture(scope="module")
def document() -> Document:
    return load(DOCUMENT, name="new-checkout")


@pytest.fixture(scope="module")
def result(shop: Shop, document: Document) -> Result:
    return analyze_on_lake(document, snapshot(shop), threads=1)


def moments_of(result: Result, metric: str, variant: str) -> tuple[float, float]:
    """Units and mean of an arm, all cells together."""
    cells = result.proof["measurement"]["cells"][metric]["cells"]
    own = [c for c in cells if c["key"]["variant"] == variant and "attribute" not in c["key"] and c["n"]]
    n = sum(c["n"] for c in own)
    return n, sum(c["n"] * c["mean"][0] for c in own) / n


@pytest.mark.parametrize(
    ("metric", "name", "days", "value"),
    [
        ("orders", "order_completed", 3, None),
        ("revenue", "order_completed", None, "revenue"),
        ("errors", "$error", None, None),
    ],
)
def test_means_are_those_of_the_rows_sent(
    shop: Shop, result: Result, metric: str, name: str, days: int | None, value: str | None
) -> None:
    units = first_exposures(shop.rows, as_of=AS_OF)
    assert "u3" not in units.index  # met both variants
    sums = per_unit(shop.rows, units, name, days=days, as_of=AS_OF, value=value)
    if days is not None:
        sums = sums[units["t0"] + timedelta(days=days) <= AS_OF]
    if metric == "orders":
        sums = (sums > 0).astype(float)
    for variant in ("control", "treatment"):
        own = sums[units.loc[sums.index, "variant"] == variant]
        n, mean = moments_of(result, metric, variant)
        assert n == len(own)
        assert mean == pytest.approx(own.mean(), rel=1e-12)


def test_a_property_without_a_declaration_is_a_number_where_all_its_values_are(shop: Shop, result: Result) -> None:
    units = first_exposures(shop.rows, as_of=AS_OF)
    many = [row for row in shop.rows if row["name"] != "order_completed" or '"items": 1' not in row["properties"]]
    sums = per_unit(many, units, "order_completed", as_of=AS_OF, value="items")
    own = sums[units["variant"] == "treatment"]
    assert moments_of(result, "items", "treatment")[1] == pytest.approx(own.mean(), rel=1e-12)


def test_rows_that_repeat_and_rows_of_strangers_are_counted(shop: Shop, result: Result) -> None:
    counts = result.proof["measurement"]["counts"]
    orders = [
        (r["source"], r["event_id"])
        for r in shop.rows
        if r["name"] == "order_completed" and r["corrected_time"] < AS_OF
    ]
    assert counts["repeated_event_rows"]["order_completed"] == len(orders) - len(set(orders))
    assert sum(counts["mixed_units"].values()) == 1
    assert counts["by_reason"]["OVERRIDE"] == 1
    assert counts["unmatched_event_rows"]["order_completed"] >= 4 * 30


def test_the_result_carries_watermark_version_and_lateness(result: Result) -> None:
    assert result.lake is not None
    assert (result.lake.version, result.lake.watermark, result.lake.lateness_p99_seconds) == (17, AS_OF, 840.0)
    assert result.as_of == AS_OF
    assert (
        "The lake (version 17) is complete up to 10 Mar 2026, 00:00 UTC; 99% of events arrive within 14 min."
        in result.data_notes
    )
    assert result_from_dict(result.to_dict()).lake == result.lake
    read = result.proof["measurement"]["fingerprint"]["lake"]
    assert (read["kind"], read["table"], read["version"], len(read["files"])) == ("delta", "table-1", 17, 5)
    assert all(len(one["sha256"]) == 64 for one in read["files"])


def test_values_by_days_since_exposure_are_those_of_the_rows_sent(shop: Shop, document: Document) -> None:
    found = analyze_on_lake(document, snapshot(shop), threads=1, since_exposure=True)
    units = first_exposures(shop.rows, as_of=AS_OF)
    for days in (1, 2, 3, 7):
        sums = per_unit(shop.rows, units, "order_completed", days=days, as_of=AS_OF, value="revenue")
        closed = units["t0"] + timedelta(days=days) <= AS_OF
        cells = found.proof["measurement"]["windows"]["revenue"][str(days)]["cells"]
        for variant in ("control", "treatment"):
            own = [c for c in cells if c["key"]["variant"] == variant and c["n"]]
            n = sum(c["n"] for c in own)
            mean = sum(c["n"] * c["mean"][0] for c in own) / n
            expected = sums[closed & (units["variant"] == variant)]
            assert (n, mean) == (len(expected), pytest.approx(expected.mean(), rel=1e-12))
    assert {view.metric for view in found.novelty} == {"revenue", "items", "errors"}
    again = verify(found.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder))
    assert (again.data, again.exit_code) == ("reproduced", 0), again.text()


def test_no_event_after_the_watermark_counts(shop: Shop, document: Document) -> None:
    early = START + timedelta(days=2)
    found = analyze_on_lake(document, snapshot(shop, early), threads=1)
    units = first_exposures(shop.rows, as_of=early)
    assert sum(found.units.values()) == len(units)
    assert found.as_of == early


def test_a_kill_closes_enrollment_and_keeps_counting_events(shop: Shop, document: Document) -> None:
    killed = START + timedelta(days=2)
    found = analyze_on_lake(document, snapshot(shop), killed_at=killed, threads=1)
    units = first_exposures(shop.rows, end=killed)
    assert sum(found.units.values()) == len(units)
    own = per_unit(shop.rows, units, "order_completed", as_of=AS_OF, value="revenue")[units["variant"] == "control"]
    assert moments_of(found, "revenue", "control")[1] == pytest.approx(own.mean(), rel=1e-12)
    assert any("killed at 4 Mar 2026, 00:00 UTC" in note for note in found.data_notes)
    # and the proof remembers it
    again = verify(found.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder))
    assert again.data == "reproduced", again.text()


def test_history_begins_at_an_event_that_no_metric_reads(tmp_path: Path) -> None:
    built = Shop(tmp_path)
    built.day(0, 50)
    for i in range(30):
        built.add("checkout_started", f"u{i}", START, {"device": "mobile" if i % 3 else "desktop"})
    built.write()
    document = as_history(
        load(DOCUMENT, name="e"), "checkout_started", since=START - timedelta(days=1), where={"device": ["mobile"]}
    )
    with lake_engine(document.design, document.data, snapshot(built)) as engine:
        exposures = document.data.exposures
        assert exposures is not None
        entered = engine.query(f"SELECT count(*) FROM {engine.relation_sql(exposures.relation)}").rows
    assert entered == [(20,)]


def test_segments_are_attributes_of_the_first_exposure(shop: Shop, result: Result) -> None:
    units = first_exposures(shop.rows, as_of=AS_OF)
    country = {}
    for row in sorted(shop.rows, key=lambda r: r["corrected_time"], reverse=True):
        if row["name"] == "$exposure" and row["p_attributes"] and "country" in row["p_attributes"]:
            country[row["unit"]] = row["p_attributes"]
    expected = sum('"de"' in country[unit] for unit in units.index if unit in country)
    by_segment = result.proof["measurement"]["counts"]["by_segment"]
    assert sum(n for attribute, level, _, n in by_segment if (attribute, level) == ("country", "de")) == expected


def test_verify_measures_the_same_files_again(shop: Shop, result: Result) -> None:
    again = verify(result.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder))
    assert (again.data, again.exit_code) == ("reproduced", 0), again.text()


def test_verify_says_which_version_replaced_the_files(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path, seed=5)
    shop.day(0, 60)
    shop.write()
    shop.day(1, 60, first_unit=60)
    shop.write()
    found = analyze_on_lake(document, snapshot(shop), threads=1)
    old = list(shop.files)
    compacted = shop.file([row for row in shop.rows if row["unit"] != "u7"])
    for file in old:
        file.unlink()
    gone = verify(found.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder))
    assert gone.data == "not addressable"
    now = Snapshot(shop.folder, "table-1", 18, (compacted,), AS_OF)
    changed = verify(found.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder, now))
    assert (changed.data, changed.exit_code) == ("data changed", 3)
    assert "lake changed: version 17, now version 18" in changed.text()
    assert any("units" in finding.where for finding in changed.findings)  # u7 was erased


def test_an_edited_file_is_a_change_of_data(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path, seed=6)
    shop.day(0, 40)
    path = shop.write()
    found = analyze_on_lake(document, snapshot(shop), threads=1)
    again = Shop(tmp_path, seed=7)
    again.day(0, 40)
    assert again.write() == path
    assert verify(found.to_dict(), remeasure=lambda proof: measure_proof_again(proof, tmp_path)).data == "data changed"


def test_units_of_another_type_and_of_user_id(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    at = START + timedelta(hours=1)
    for i in range(40):
        shop.expose(f"s{i}", ["control", "treatment"][i % 2], at, unit_type="session")
        shop.rows[-1]["unit_type"] = "session"
        row = shop.add("order_completed", f"u{i}", at + timedelta(hours=1), {"revenue": 1.0})
        row["session_id"] = f"s{i}"
    shop.write()
    text = DOCUMENT.replace("flag: new-checkout\n", "flag: new-checkout\nunit_type: session\nenvironment: prod\n")
    text = text.replace(
        '  - {name: items, event: order_completed, type: mean, value: items, filter: "items > 1", role: secondary}\n',
        "",
    )
    found = analyze_on_lake(load(text, name="s"), snapshot(shop), threads=1)
    assert found.units == {"control": 20, "treatment": 20}
    assert moments_of(found, "revenue", "control") == (20, 1.0)
    elsewhere = load(text.replace("environment: prod", "environment: dev"), name="s")
    assert sum(analyze_on_lake(elsewhere, snapshot(shop), threads=1).units.values()) == 0


def test_an_empty_lake_and_a_missing_property_are_said(shop: Shop, document: Document, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the lake holds no event yet"):
        analyze_on_lake(document, Snapshot(tmp_path, "table-1", 0, ()))
    typo = load(DOCUMENT.replace("value: revenue", "value: revenu"), name="e")
    with pytest.raises(InputError, match="no event has a property 'revenu'"):
        analyze_on_lake(typo, snapshot(shop))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("event: error", "source: error", "source does not fit here"),
        ("event: error, ", "", "has no event"),
        ("flag: new-checkout", "", "event does not fit here"),
        ("flag: new-checkout", "flag: new-checkout\nsource: {url: 'sqlite:///x.db'}", "source stands beside a flag"),
        ("flag: new-checkout", "flag: a b", "flag"),
    ],
)
def test_what_does_not_fit_a_flag_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(DOCUMENT.replace(old, new, 1), name="new-checkout")


def test_looks_without_a_start_count_from_the_first_exposure(shop: Shop) -> None:
    """When a feature goes live is not known when its plan is sealed."""
    text = DOCUMENT + "plan: {method: group_sequential, looks: [3, 7], planned_units: 600, min_sample_size: 10}\n"
    read = analyze_on_lake(load(text, name="new-checkout"), snapshot(shop), threads=1)
    orders = next(each for each in read.comparisons if each.metric == "orders")
    assert orders.control.units + orders.treatment.units == 599  # 600 of four days, without the one who met both


def test_statements_read_as_the_definition(document: Document, shop: Shop) -> None:
    with lake_engine(document.design, document.data, snapshot(shop)) as engine:
        assert engine.columns("events:order_completed")["revenue"] == "number"
        assert engine.columns("events:order_completed")["items"] == "number"
        relation = engine.relation_sql("exposures:new-checkout")
        assert relation == '"exposures:new-checkout"'
        rows = engine.query(f"SELECT COUNT(*) AS n FROM {relation}").column("n")
    assert rows == [sum(r["name"] == "$exposure" and r["p_flag"] == "new-checkout" for r in shop.rows)]


def test_a_property_declared_later_is_read_from_the_text_before(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path, seed=8)
    shop.day(0, 80)
    for row in shop.rows[::2]:
        if row["name"] == "order_completed":
            row["p_revenue"] = None  # as it lands while the plan does not know the property
    shop.write()
    found = analyze_on_lake(document, snapshot(shop), threads=1)
    units = first_exposures(shop.rows, as_of=AS_OF)
    own = per_unit(shop.rows, units, "order_completed", as_of=AS_OF, value="revenue")[units["variant"] == "control"]
    assert moments_of(found, "revenue", "control")[1] == pytest.approx(own.mean(), rel=1e-12)


def test_the_same_id_from_two_sources_is_two_events(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path)
    shop.expose("u1", "control", START)
    shop.expose("u2", "treatment", START)
    order = shop.add("order_completed", "u1", START + timedelta(hours=1), {"revenue": 2.0, "items": 2})
    shop.repeat(order)
    shop.repeat({**order, "source": "segment:web"})
    shop.write()
    found = analyze_on_lake(document, snapshot(shop), threads=1)
    assert moments_of(found, "revenue", "control") == (1, 4.0)
    assert found.proof["measurement"]["counts"]["repeated_event_rows"] == {"order_completed": 1}


def test_an_exposure_names_its_unit_itself(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path)
    for i in range(20):
        shop.expose(f"u{i}", ["control", "treatment"][i % 2], START + timedelta(minutes=i))
        shop.rows[-1] |= {"unit": None, "unit_type": None}  # the event around it says nothing
    shop.add("order_completed", "u1", START + timedelta(hours=1), {"revenue": 2.0, "items": 2})
    shop.write()
    assert analyze_on_lake(document, snapshot(shop), threads=1).units == {"control": 10, "treatment": 10}


def test_exposures_without_typed_columns(tmp_path: Path, document: Document) -> None:
    shop = Shop(tmp_path, seed=9)
    shop.day(0, 80)
    typed = analyze_on_lake(document, Snapshot(tmp_path, "t", 1, (shop.write(),), AS_OF), threads=1)
    for row in shop.rows:
        row |= {name: None for name in row if name.startswith("p_")}
    untyped = analyze_on_lake(document, Snapshot(tmp_path, "t", 1, (shop.file(shop.rows),), AS_OF), threads=1)
    assert untyped.units == typed.units
    assert moments_of(untyped, "revenue", "control") == pytest.approx(moments_of(typed, "revenue", "control"))
    assert untyped.proof["measurement"]["counts"] == typed.proof["measurement"]["counts"]
