"""Corners of the compiler that single mutants showed to be open: each expected value is computed by pandas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from paribus.errors import InputError
from paribus.metrics.cells import Cells, Measurement
from paribus.metrics.columns_read import columns_read
from paribus.metrics.compile import statements, table_name
from paribus.metrics.definition import (
    Cap,
    Covariate,
    DataModel,
    EventSource,
    Exposures,
    FunnelStep,
    Metric,
    MetricType,
    UnitTable,
)
from paribus.metrics.measure import measure
from paribus.metrics.unit_rows import unit_rows
from paribus.warehouse import open_engine

T0 = datetime(2026, 3, 1)
ARMS = ["a", "b"]


def of_table(frame: pd.DataFrame, *metrics: Metric, **options: object) -> Measurement:
    engine = open_engine(None, frames={"results": frame})
    exposed_at = "at" if "at" in frame else None
    model = DataModel(units=UnitTable("results", "user", "arm", exposed_at=exposed_at))
    return measure(engine, model, metrics, ARMS, **options)


def of_events(exposed: pd.DataFrame, events: pd.DataFrame, *metrics: Metric, **options: object) -> Measurement:
    engine = open_engine(None, frames={"exposures": exposed, "orders": events})
    model = DataModel(
        exposures=Exposures("exposures", "user", "arm", "ts"), events={"orders": EventSource("orders", "user", "ts")}
    )
    return measure(engine, model, metrics, ARMS, **options)


def means(cells: Cells, arm: str) -> dict[str, float]:
    (i,) = [i for i, key in enumerate(cells.keys) if key.variant == arm]
    return dict(zip(cells.moments.names, cells.moments.mean[i].tolist(), strict=True))


@pytest.fixture
def units() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = 200
    frame = pd.DataFrame({"user": range(n), "arm": np.where(np.arange(n) % 2, "a", "b")})
    frame["spent"], frame["visits"] = rng.gamma(2, 10, n).round(2), rng.integers(1, 9, n)
    frame["early"] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(5, 1, n).round(3))
    frame["older"] = np.where(rng.random(n) < 0.6, np.nan, rng.normal(-2, 1, n).round(3))
    frame["at"] = [T0 + timedelta(hours=i) for i in range(n)]
    return frame


def test_the_uncapped_moments_of_a_ratio_keep_its_denominator(units: pd.DataFrame) -> None:
    ratio = Metric("per visit", MetricType.RATIO, value="spent", denominator="visits", cap=Cap(lower=4.0, upper=30.0))
    cells = of_table(units, ratio).cells["per visit"]
    assert cells.uncapped is not None
    for i, key in enumerate(cells.keys):
        own = units[units["arm"] == key.variant]
        for moments, y in ((cells.moments, own["spent"].clip(4.0, 30.0)), (cells.uncapped, own["spent"])):
            both = np.stack([y - y.mean(), own["visits"] - own["visits"].mean()])
            np.testing.assert_allclose(moments.mean[i], [y.mean(), own["visits"].mean()], rtol=1e-12)
            np.testing.assert_allclose(moments.m2[i], both @ both.T, rtol=1e-9)
            np.testing.assert_allclose(moments.m3[i, 0], (both[0] ** 3).sum(), rtol=1e-9)
        outside = (own["spent"] < 4.0) | (own["spent"] > 30.0)
        assert cells.capped is not None
        assert cells.capped[i] == outside.sum() > 0


@pytest.mark.parametrize(
    ("own", "below", "numerator", "denominator"),
    [
        (None, "visits > 3", "all", "some"),  # a filter of the denominator leaves the numerator alone
        ("visits > 3", None, "some", "some"),  # the denominator takes the metric's filter where it has none
        ("visits > 3", "spent > 9", "some", "rich"),
    ],
)
def test_numerator_and_denominator_have_filters_of_their_own(
    units: pd.DataFrame, own: str | None, below: str | None, numerator: str, denominator: str
) -> None:
    ratio = Metric("r", MetricType.RATIO, value="spent", denominator="visits", filter=own, denominator_filter=below)
    passes = {"all": units["visits"] > 0, "some": units["visits"] > 3, "rich": units["spent"] > 9}
    found = of_table(units, ratio).cells["r"]
    for arm in ARMS:
        here = units["arm"] == arm
        expected = {
            "y": units["spent"].where(passes[numerator], 0.0)[here].mean(),
            "d": units["visits"].where(passes[denominator], 0)[here].mean(),
        }
        assert means(found, arm) == pytest.approx(expected, rel=1e-12)


def test_each_covariate_with_gaps_has_an_indicator_of_its_own(units: pd.DataFrame) -> None:
    two = (Covariate(value="early"), Covariate(value="older"))
    whole = (Covariate(value="visits"), Covariate(value="older"))
    metrics = [Metric("gaps", MetricType.MEAN, value="spent", covariates=two)]
    metrics += [Metric("one gap", MetricType.MEAN, value="spent", covariates=whole)]
    found = of_table(units, *metrics)
    for arm in ARMS:
        own = units[units["arm"] == arm]
        filled = own.fillna(0.0)
        got = means(found.cells["gaps"], arm)
        expected = [own["spent"].mean(), filled["early"].mean(), filled["older"].mean()]
        expected += [own["early"].notna().mean(), own["older"].notna().mean()]
        assert list(got.values()) == pytest.approx(expected, rel=1e-12)
        got = means(found.cells["one gap"], arm)
        expected = [own["spent"].mean(), own["visits"].mean(), filled["older"].mean(), own["older"].notna().mean()]
        assert list(got.values()) == pytest.approx(expected, rel=1e-12)


def test_a_sampled_unit_without_a_covariate_has_zero(units: pd.DataFrame) -> None:
    metric = Metric("spent", MetricType.MEAN, value="spent", covariates=(Covariate(value="early"),))
    engine = open_engine(None, frames={"results": units})
    found = unit_rows(engine, DataModel(units=UnitTable("results", "user", "arm")), metric, ARMS, [])
    assert sorted(found.covariates["x1"]) == sorted(units["early"].fillna(0.0))


def test_days_only_where_they_are_asked_for(units: pd.DataFrame) -> None:
    metric = Metric("spent", MetricType.MEAN, value="spent")
    assert {key.day for key in of_table(units, metric, by_day=False).cells["spent"].keys} == {None}
    days = {key.day for key in of_table(units, metric, by_day=True).cells["spent"].keys}
    assert days == set(units["at"].dt.date)


def test_a_funnel_alone_reads_its_steps_from_the_first_instant() -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2", "u3", "u4"], "arm": ["a", "b", "a", "b"], "ts": [T0] * 4})
    rows = [
        ("u1", T0, "see"),
        ("u1", T0 + timedelta(minutes=1), "buy"),
        ("u2", T0 + timedelta(hours=2), "see"),
        ("u3", T0 - timedelta(hours=1), "see"),  # before the exposure
        ("u3", T0 + timedelta(hours=1), "buy"),
        ("u4", T0 + timedelta(hours=3), "see"),
        ("u4", T0 + timedelta(days=1), "buy"),  # the window of one day is over
    ]
    events = pd.DataFrame(rows, columns=["user", "ts", "kind"])
    steps = tuple(FunnelStep(kind, "orders", f"kind = '{kind}'") for kind in ("see", "buy"))
    seen = Metric("seen", MetricType.FUNNEL, steps=steps[:1], window_days=1)
    bought = Metric("bought", MetricType.FUNNEL, steps=steps, window_days=1)
    given = Metric("given", MetricType.FUNNEL, steps=steps, given=1, window_days=1)
    times = {"start": T0, "as_of": T0 + timedelta(days=3)}
    for metric, expected in ((seen, (0.5, 1.0)), (bought, (0.5, 0.0))):
        cells = of_events(exposed, events, metric, **times).cells[metric.name]
        assert tuple(means(cells, arm)["y"] for arm in ARMS) == expected, metric.name
    cells = of_events(exposed, events, given, **times).cells["given"]
    assert [means(cells, arm) for arm in ARMS] == [{"y": 0.5, "d": 0.5}, {"y": 0.0, "d": 1.0}]


@pytest.mark.parametrize(("user", "warned"), [("U1", True), ("u1", False)])
def test_a_funnel_that_nobody_went_through_asks_after_the_ids(user: str, warned: bool) -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": [T0, T0]})
    events = pd.DataFrame({"user": [user] * 2, "ts": [T0 + timedelta(minutes=5)] * 2})
    funnel = Metric("f", MetricType.FUNNEL, steps=(FunnelStep("see", "orders"),), window_days=1)
    found = of_events(exposed, events, funnel, start=T0, as_of=T0 + timedelta(days=3))
    said = "no unit went through f, and orders has 2 rows: do ids differ by case, blanks or leading zeros?"
    assert (said in found.warnings) is warned


def test_a_step_of_no_source_is_named() -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": [T0, T0]})
    steps = (FunnelStep("see", "ordres"),)
    with pytest.raises(InputError, match="ordres") as refused:
        of_events(exposed, exposed.drop(columns="arm"), Metric("f", MetricType.FUNNEL, steps=steps, window_days=1))
    assert "orders" in (refused.value.fix or "")


@pytest.mark.parametrize(
    ("relation", "name"),
    [
        ("orders.csv", "orders"),
        ("orders.parquet", "orders"),
        ("orders.csv.gz", "orders"),
        ("data/orders", "orders"),
        ("shop.orders", "shop.orders"),
        ("orders", "orders"),
    ],
)
def test_a_file_shown_in_another_dialect_is_a_table_of_its_stem(relation: str, name: str) -> None:
    assert table_name(relation) == name


def test_the_columns_that_are_read_are_all_of_those_named() -> None:
    model = DataModel(
        exposures=Exposures("seen", "user", "arm", "ts", filter="staff = 0"),
        events={
            "orders": EventSource("sold", "buyer", "at", filter="paid", event_id="id"),
            "views": EventSource("views", "viewer", "when"),
        },
    )
    metrics = [
        Metric("r", MetricType.RATIO, source="orders", value="amount", denominator="items", filter="kind = 'x'"),
        Metric("n", MetricType.COUNT, source="views", filter="pages > 1"),
    ]
    found = columns_read(model, metrics, ["country"], "duckdb")
    assert set(found["seen"]) == {"user", "arm", "ts", "staff", "country"}
    assert {"buyer", "at", "id", "paid", "amount", "items", "kind"} <= set(found["sold"])
    assert {"viewer", "when", "pages"} <= set(found["views"])
    assert "amount" not in found["views"]


def test_gaps_and_repeats_of_one_table_are_counted_apart() -> None:
    rows = [("u1", "a"), ("u1", "a"), ("u2", "b"), ("u3", None), (None, "a"), (None, "purple"), ("u4", "purple")]
    frame = pd.DataFrame(rows, columns=["user", "arm"]).assign(y=1.0)
    found = of_table(frame, Metric("y", MetricType.MEAN, value="y")).counts
    assert (found.null_unit_rows, found.null_variant_rows, found.duplicate_rows) == (2, 1, 1)
    assert found.unknown_variant_rows == {"purple": 1}, "the row without a unit is counted as that alone"
    assert found.units == {"a": 1, "b": 1}


def test_a_metric_without_a_source_takes_the_only_one_there_is() -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": [T0, T0]})
    events = pd.DataFrame({"user": ["u1"], "ts": [T0 + timedelta(hours=1)]})
    count = Metric("n", MetricType.COUNT)
    assert means(of_events(exposed, events, count).cells["n"], "a") == {"y": 1.0}
    model = DataModel(
        exposures=Exposures("exposures", "user", "arm", "ts"),
        events={name: EventSource("orders", "user", "ts") for name in ("orders", "views")},
    )
    engine = open_engine(None, frames={"exposures": exposed, "orders": events})
    with pytest.raises(InputError, match="names no source"):
        measure(engine, model, (count,), ARMS)


def test_statements_that_are_shown_name_what_an_earlier_one_computes() -> None:
    table = DataModel(units=UnitTable("results", "user", "arm"))
    metrics = [Metric("spent", MetricType.MEAN, value="spent"), Metric("any", MetricType.PROPORTION, value="spent")]
    (moments,) = [s.sql for s in statements(table, metrics, "postgres", variants=ARMS) if s.name == "moments"]
    assert "spent_y" in moments
    assert "any_y" not in moments, "a 0/1 variable is not shifted"
    model = DataModel(
        exposures=Exposures("exposures", "user", "arm", "ts"), events={"orders": EventSource("orders", "user", "ts")}
    )
    open_, closed = (Metric("n", MetricType.COUNT, source="orders", window_days=days) for days in (None, 7))
    median = Metric("q", MetricType.QUANTILE, source="orders", value="amount", quantile=0.5)
    for metric, shown in ((open_, True), (closed, False), (median, False)):
        names = [s.name for s in statements(model, [metric], "postgres", variants=ARMS, cut_at=[T0])]
        assert ("cutoffs" in names) is shown


def test_values_that_are_too_large_to_square_are_said(units: pd.DataFrame) -> None:
    units["huge"] = units["spent"] * 1e200
    found = of_table(
        units, Metric("huge", MetricType.MEAN, value="huge"), Metric("fine", MetricType.MEAN, value="spent")
    )
    assert [w for w in found.warnings if "too large to square" in w] == [
        "huge: the sums are not finite; its values are too large to square"
    ]


def test_a_large_offset_takes_no_digits_from_the_spread(units: pd.DataFrame) -> None:
    # The first 20,000 units give the shifts; where they are far from the rest, better ones are taken.
    n = 20_000
    far = pd.DataFrame({"user": range(1000, 1000 + n), "arm": np.where(np.arange(n) % 2, "a", "b")})
    frame = pd.concat([units[["user", "arm", "spent"]], far.assign(spent=lambda f: 1e9 + f["user"] % 7)])
    found = of_table(
        frame, Metric("y", MetricType.MEAN, value="spent"), Metric("z", MetricType.MEAN, value="spent + 1e12")
    )
    for name, offset in (("y", 0.0), ("z", 1e12)):
        for i, key in enumerate(found.cells[name].keys):
            own = frame.loc[frame["arm"] == key.variant, "spent"].to_numpy() + offset
            m2 = float(((own - own.mean()) ** 2).sum())
            assert found.cells[name].moments.m2[i, 0, 0] == pytest.approx(m2, rel=1e-9)


def test_a_ratio_is_not_finite_where_one_of_its_parts_is_not(units: pd.DataFrame) -> None:
    units["visits"] = units["visits"].astype(float)
    units.loc[[3, 5], "visits"] = np.inf
    units.loc[[8], "spent"] = -np.inf
    ratio = Metric("r", MetricType.RATIO, value="spent", denominator="visits")
    found = of_table(units, ratio)
    assert found.counts.not_finite == {"r": 3}
    kept = units.drop(index=[3, 5, 8])
    for arm in ARMS:
        own = kept[kept["arm"] == arm]
        assert means(found.cells["r"], arm) == pytest.approx({"y": own["spent"].mean(), "d": own["visits"].mean()})


def test_no_unit_to_draw_is_no_error(units: pd.DataFrame) -> None:
    engine = open_engine(None, frames={"results": units})
    model = DataModel(units=UnitTable("results", "user", "arm", filter="spent < 0"))
    found = unit_rows(engine, model, Metric("spent", MetricType.MEAN, value="spent"), ARMS, [])
    assert (found.total, len(found.outcome)) == (0, 0)


def test_times_with_a_zone_are_instants() -> None:
    local = pd.to_datetime([T0, T0 + timedelta(hours=5)]).tz_localize("America/New_York")
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": local})
    events = pd.DataFrame({"user": ["u1"], "ts": local[:1] + timedelta(hours=1)})
    counts = of_events(exposed, events, Metric("n", MetricType.COUNT, source="orders")).counts
    assert counts.first_time == datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert counts.events_first_time == datetime(2026, 3, 1, 6, tzinfo=UTC)


def test_shifts_that_are_given_are_taken(units: pd.DataFrame) -> None:
    found = of_table(units, Metric("spent", MetricType.MEAN, value="spent"), shifts={"spent/y": 17.0})
    assert found.shifts["spent/y"] == 17.0


def test_an_earlier_reading_has_the_variables_of_the_whole() -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": [T0, T0]})
    events = pd.DataFrame({"user": ["u1", "u1", "u2"], "ts": [T0 + timedelta(hours=h) for h in (-30, 5, 60)]})
    two = (Covariate(days=1), Covariate(days=3))
    count = Metric("n", MetricType.COUNT, source="orders", covariates=two)
    at = {"then": T0 + timedelta(days=1)}
    found = of_events(exposed, events, count, as_of=T0 + timedelta(days=5), by_day=True, cut_at=lambda _: at)
    then, now = found.cutoffs["n"]["then"], found.cells["n"]
    assert then.moments.names == now.moments.names == ("y", "x1", "x2", "h1", "h2")
    assert means(then, "a") == {"y": 1.0, "x1": 0.0, "x2": 1.0, "h1": 0.0, "h2": 1.0}
    assert (means(then, "b")["y"], means(now, "b")["y"]) == (0.0, 1.0)


def test_rows_without_an_id_are_each_a_row_of_a_quantile() -> None:
    exposed = pd.DataFrame({"user": ["u1", "u2"], "arm": ARMS, "ts": [T0, T0]})
    rows = [
        ("u1", 1.0, "i"),
        ("u1", 1.0, "i"),
        ("u1", 5.0, None),
        ("u1", 6.0, None),
        ("u2", 3.0, "j"),
        ("u2", 4.0, None),
    ]
    events = pd.DataFrame(rows, columns=["user", "ms", "id"]).assign(ts=T0 + timedelta(hours=1))
    engine = open_engine(None, frames={"exposures": exposed, "orders": events})
    model = DataModel(
        exposures=Exposures("exposures", "user", "arm", "ts"),
        events={"orders": EventSource("orders", "user", "ts", event_id="id")},
    )
    median = Metric("q", MetricType.QUANTILE, source="orders", value="ms", quantile=0.5, level_of_rows="row")
    found = measure(engine, model, (median,), ARMS)
    ranks = found.ranks["q"]
    assert [s.name for s in found.statements if s.name.startswith("ranks")]
    assert dict(zip((key.variant for key in ranks.keys), ranks.n, strict=True)) == {"a": 3, "b": 2}
    assert dict(zip((key.variant for key in ranks.keys), ranks.points["q"], strict=True)) == {"a": 5.0, "b": 3.5}
    shown = [s.name for s in statements(model, [median], "postgres", variants=ARMS)]
    assert any(name.startswith("ranks") for name in shown)
