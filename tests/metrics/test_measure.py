"""What life does to data, on DuckDB: each case gets a count and a decision, or an error that names the place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from paribus.errors import FragmentError, InputError
from paribus.metrics.cells import UNKNOWN_FIRST, Measurement
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
from paribus.warehouse import open_engine

MEAN = Metric("y", MetricType.MEAN, value="y")


def of_table(
    frame: pd.DataFrame,
    metrics: Sequence[Metric] = (MEAN,),
    variants: Sequence[str] | None = None,
    units: UnitTable | None = None,
    **options: object,
) -> Measurement:
    engine = open_engine(None, frames={"results": frame})
    model = DataModel(units=units or UnitTable("results", "user", "arm"))
    return measure(engine, model, metrics, variants, **options)


def table(**columns: object) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    base = {"user": [f"u{i}" for i in range(n)], "arm": ["a" if i % 2 else "b" for i in range(n)]}
    return pd.DataFrame({**base, **columns})


# ── a table of units ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_hand_checked_moments() -> None:
    found = of_table(table(y=[1.0, 2.0, 3.0, 6.0, 5.0, 7.0]))
    cells = found.cells["y"]
    assert [key.variant for key in cells.keys] == ["a", "b"]
    np.testing.assert_allclose(cells.moments.n, [3, 3])
    np.testing.assert_allclose(cells.moments.mean[:, 0], [5, 3])  # a: 2, 6, 7; b: 1, 3, 5
    np.testing.assert_allclose(cells.moments.m2[:, 0, 0], [14, 8])
    np.testing.assert_allclose(cells.moments.m3[:, 0], [-18, 0], atol=1e-12)  # -27 + 1 + 8
    assert found.counts.units == {"a": 3, "b": 3}
    assert found.counts.maxima == {"y": 7.0}
    assert found.counts.totals == {"y": 24.0}


def test_identical_rows_of_a_unit_are_one_row_and_counted() -> None:
    frame = table(y=[1.0, 2.0, 3.0, 4.0])
    found = of_table(pd.concat([frame, frame.iloc[:1], frame.iloc[:1]]))
    assert found.counts.rows == 6
    assert found.counts.duplicate_rows == 2
    assert found.counts.units == {"a": 2, "b": 2}
    np.testing.assert_allclose(found.cells["y"].moments.mean[:, 0], [3, 2])


def test_a_unit_in_two_variants_leaves_and_is_counted() -> None:
    frame = table(y=[1.0, 2.0, 3.0, 4.0])
    other = frame.iloc[:1].assign(arm="a", y=9.0)
    found = of_table(pd.concat([frame, other]))
    assert found.counts.mixed_units == {UNKNOWN_FIRST: 1}
    assert found.counts.units == {"a": 2, "b": 1}
    np.testing.assert_allclose(found.cells["y"].moments.mean[:, 0], [3, 3])


def test_the_variant_met_first_is_the_one_of_the_earliest_row() -> None:
    times = [datetime(2026, 3, 1, hour) for hour in range(4)]
    frame = table(y=[1.0, 2.0, 3.0, 4.0]).assign(at=times)
    later = frame.assign(arm=frame["arm"].map({"a": "b", "b": "a"}), at=[time + timedelta(hours=9) for time in times])
    later.loc[later.index[1], "at"] = times[1]  # at the same time in both: neither is first
    later.loc[later.index[2], "at"] = pd.NaT
    found = of_table(pd.concat([later, frame]), units=UnitTable("results", "user", "arm", exposed_at="at"))
    by_name = dict(zip(frame["user"], frame["arm"], strict=True))
    expected = Counter(by_name[user] for i, user in enumerate(frame["user"]) if i != 1)
    assert found.counts.mixed_units == {**expected, UNKNOWN_FIRST: 1}


def test_rows_finer_than_the_unit_are_refused_or_clustered() -> None:
    frame = table(y=[1.0, 2.0, 3.0, 4.0])
    visits = pd.concat([frame, frame.assign(y=frame["y"] + 10)])
    with pytest.raises(InputError, match="several rows with different metric values") as refused:
        of_table(visits)
    assert "not finer than the unit of randomization" in (refused.value.rule or "")
    assert "cluster: user" in (refused.value.fix or "")
    found = of_table(visits, units=UnitTable("results", "user", "arm", cluster="user"))
    assert found.counts.conflicting_units == 4
    sums = found.clusters["y"]
    assert sums.cluster == ("u1", "u3", "u0", "u2")
    assert sums.n == (2, 2, 2, 2)
    assert sums.sums == ((14.0, 18.0, 12.0, 16.0),)
    assert float(found.cells["y"].moments.n.sum()) == 8
    assert any("clustered by user" in warning for warning in found.warnings)


def test_missing_and_blank_ids_and_variants_are_counted_once_each() -> None:
    frame = pd.DataFrame(
        {
            "user": [None, "", "  ", "u1", "u2", "u3", "u4"],
            "arm": [None, "a", "b", None, "a", "b", "purple"],
            "y": [1.0] * 4 + [2.0, 3.0, 4.0],
        }
    )
    counts = of_table(frame, variants=["a", "b"]).counts
    assert counts.rows == 7
    assert counts.null_unit_rows == 1
    assert counts.blank_unit_rows == 2
    assert counts.null_variant_rows == 1
    assert counts.unknown_variant_rows == {"purple": 1}
    assert counts.units == {"a": 1, "b": 1}


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_count_as_missing(odd: float) -> None:
    # DuckDB keeps NaN apart from NULL when it comes from its own cast.
    frame = table(text=["1", "2", str(odd), "4", "5", "6"])
    metrics = (
        Metric("y", MetricType.MEAN, value="text"),
        Metric("capped", MetricType.MEAN, value="text", cap=Cap(upper=5)),
        Metric("any", MetricType.PROPORTION, value="text"),
    )
    found = of_table(frame, metrics)
    assert found.counts.not_finite["y"] == 1
    assert found.counts.not_finite["capped"] == 1
    cells = found.cells["y"]
    np.testing.assert_allclose(cells.moments.n, [3, 2])
    np.testing.assert_allclose(cells.moments.mean[:, 0], [4, 3])
    np.testing.assert_allclose(found.cells["capped"].moments.mean[:, 0], [11 / 3, 3])
    np.testing.assert_allclose(found.cells["any"].moments.n, [3, 2])


def test_text_that_is_no_number_is_missing_and_counted() -> None:
    found = of_table(table(y=["12.5", "1e3", "twelve", "-4"]))
    assert found.counts.null_values == {"y": 1}
    np.testing.assert_allclose(found.cells["y"].moments.mean[:, 0], [498, 12.5])


def test_booleans_and_conditions_are_zero_and_one() -> None:
    metrics = (
        Metric("flag", MetricType.PROPORTION, value="flag"),
        Metric("mean", MetricType.MEAN, value="flag"),
        Metric("big", MetricType.PROPORTION, value="y > 2"),
    )
    found = of_table(table(flag=[True, False, True, True], y=[1.0, 2.0, 3.0, 4.0]), metrics)
    for name, means in {"flag": [0.5, 1], "mean": [0.5, 1], "big": [0.5, 0.5]}.items():
        np.testing.assert_allclose(found.cells[name].moments.mean[:, 0], means)


def test_a_shift_far_from_the_mean_is_found_and_replaced() -> None:
    rng = np.random.default_rng(5)
    y = 1e9 + rng.random(30_000)
    y[:20_000] = np.nan  # the sample of the first 20,000 rows sees nothing
    frame = pd.DataFrame({"user": np.arange(30_000), "arm": np.tile(["a", "b"], 15_000), "y": y})
    found = of_table(frame)
    exact = [np.nanvar(y[i::2].astype(np.longdouble), ddof=1) for i in range(2)]
    np.testing.assert_allclose(found.cells["y"].moments.var[:, 0], np.array(exact, dtype=float), rtol=1e-9)
    assert "moments:shifted" in [statement.name for statement in found.statements]


def test_given_shifts_reproduce_every_digit() -> None:
    frame = table(y=np.random.default_rng(1).lognormal(3, 2, 1000))
    first = of_table(frame)
    again = of_table(frame, shifts=first.shifts)
    np.testing.assert_array_equal(first.cells["y"].moments.m2, again.cells["y"].moments.m2)


def test_cap_of_a_table_needs_a_covariate_or_the_pool() -> None:
    frame = table(y=np.arange(100.0), before=np.arange(100.0) * 2)
    capped = Metric("y", MetricType.MEAN, value="y", cap=Cap(upper_percentile=0.9))
    with pytest.raises(InputError, match="a table of units has none"):
        of_table(frame, (capped,))
    found = of_table(frame, (replace(capped, covariates=(Covariate(value="before"),)),))
    assert found.caps["y"][1] == pytest.approx(0.9 * 99 * 2)
    pooled = of_table(frame, (replace(capped, cap=Cap(upper_percentile=0.9, over="pooled")),))
    assert pooled.caps["y"][1] == pytest.approx(0.9 * 99)
    assert pooled.cells["y"].capped == (5, 5)
    sealed = of_table(frame, (capped,), caps={"y": (None, 50.0)})
    assert sealed.caps["y"] == (None, 50.0)
    with pytest.raises(InputError, match="fraction between 0 and 1"):
        of_table(frame, (replace(capped, cap=Cap(upper_percentile=99.9, over="pooled")),))
    with pytest.raises(InputError, match="every unit would have the same value"):
        of_table(frame, (replace(capped, cap=Cap(lower=3, upper=3)),))


def test_one_arm_only_and_an_empty_table() -> None:
    found = of_table(table(y=[1.0, 2.0]), variants=["a", "b", "c"])
    assert found.counts.units == {"a": 1, "b": 1, "c": 0}
    empty = of_table(table(y=[1.0]).iloc[:0])
    assert empty.counts.rows == 0
    assert empty.cells["y"].keys == ()


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_misspelled_column_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="has no column 'usr'") as wrong:
        of_table(table(y=[1.0]), units=UnitTable("results", "usr", "arm"))
    assert wrong.value.fix == "did you mean 'user'?"
    with pytest.raises(FragmentError):
        of_table(table(y=[1.0]), (Metric("m", MetricType.MEAN, value="yy + 1"),))
    engine = open_engine(None, frames={"results": table(y=[1.0], country=["x"])})
    model = DataModel(units=UnitTable("results", "user", "arm"), segments=("country",))
    with pytest.raises(InputError, match="segment"):
        measure(engine, model, (MEAN,), None, segments=("contry",))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Metric("m", MetricType.MEAN), "needs a value"),
        (Metric("m", MetricType.RATIO, value="y"), "needs a denominator"),
        (Metric("m", MetricType.PROPORTION), "neither value nor filter"),
        (Metric("m", MetricType.RETENTION, retention_days=(1, 2)), "needs exposures and events"),
        (Metric("m", MetricType.MEAN, value="y", covariates=(Covariate(days=7),)), "names no column"),
        (Metric("m", MetricType.QUANTILE, value="y", quantile=1.5), "the quantile is 1.5"),
        (Metric("m", MetricType.MEAN, value="day"), "holds timestamp values"),
    ],
)
def test_metrics_that_a_table_cannot_answer(metric: Metric, message: str) -> None:
    with pytest.raises(InputError, match=message) as wrong:
        of_table(table(y=[1.0], day=[datetime(2026, 1, 1)]), (metric,))
    assert "metrics.m" in (wrong.value.where or "")


# ── exposures and events ─────────────────────────────────────────────────────────────────────────────────────────────

T0 = datetime(2026, 3, 1, 22, 30)
EXPOSED = Exposures("exposures", "user", "arm", "ts")
ORDERS = {"orders": EventSource("orders", "user", "ts")}


def exposures(*rows: tuple[object, ...], columns: str = "user arm ts") -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


def of_events(
    exposed: pd.DataFrame,
    orders: pd.DataFrame,
    metrics: Sequence[Metric],
    model: DataModel | None = None,
    **options: object,
) -> Measurement:
    engine = open_engine(None, frames={"exposures": exposed, "orders": orders})
    return measure(engine, model or DataModel(exposures=EXPOSED, events=ORDERS), metrics, ["a", "b"], **options)


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def test_windows_close_at_the_last_time_when_none_is_given() -> None:
    exposed = exposures(("u1", "a", T0), ("u2", "a", T0 + hours(30)), ("u3", "b", T0))
    orders = pd.DataFrame({"user": ["u1", "u3"], "ts": [T0 + hours(1), T0 + hours(24)], "v": [5.0, 7.0]})
    metric = Metric("v", MetricType.MEAN, source="orders", value="v", window_days=1)
    found = of_events(exposed, orders, (metric,))
    assert found.as_of == (T0 + hours(30)).replace(tzinfo=UTC)
    cells = found.cells["v"]
    np.testing.assert_allclose(cells.moments.n, [1, 1])
    assert cells.immature == (1, 0)
    np.testing.assert_allclose(cells.moments.mean[:, 0], [5, 0])  # u3's order is exactly at the end: outside


def test_a_unit_without_events_stays_in_the_ratio() -> None:
    exposed = exposures(("u1", "a", T0), ("u2", "a", T0), ("u3", "b", T0))
    orders = pd.DataFrame({"user": ["u1", "u1"], "ts": [T0, T0 + hours(1)], "v": [5.0, 7.0]})
    metric = Metric("per order", MetricType.RATIO, source="orders", value="v", denominator="1")
    moments = of_events(exposed, orders, (metric,)).cells["per order"].moments
    np.testing.assert_allclose(moments.n, [2, 1])
    np.testing.assert_allclose(moments.mean, [[6, 1], [0, 0]])


def test_zones_and_instants() -> None:
    zone = "America/New_York"  # 22:30 UTC is 17:30 there; 03:30 UTC is the evening before
    exposed = exposures(("u1", "a", T0), ("u2", "a", T0 + hours(5)), ("u3", "b", T0))
    orders = pd.DataFrame(
        {
            "user": ["u1", "u2"],
            "ts": pd.to_datetime([T0 + hours(1), T0 + hours(4.5)]).tz_localize("UTC").tz_convert("Asia/Tokyo"),
            "v": [1.0, 1.0],
        }
    )
    metric = Metric("n", MetricType.COUNT, source="orders")
    model = DataModel(exposures=EXPOSED, events=ORDERS, time_zone=zone)
    found = of_events(exposed, orders, (metric,), model, by_day=True)
    assert {(key.variant, key.day) for key in found.cells["n"].keys} == {
        ("a", date(2026, 3, 1)),
        ("b", date(2026, 3, 1)),
    }
    utc = of_events(exposed, orders, (metric,), replace(model, time_zone="UTC"), by_day=True)
    assert {(key.variant, key.day) for key in utc.cells["n"].keys} == {
        ("a", date(2026, 3, 1)),
        ("a", date(2026, 3, 2)),
        ("b", date(2026, 3, 1)),
    }
    np.testing.assert_allclose(found.cells["n"].moments.mean[:, 0], [0.5, 0])  # u2's order is half an hour too early


def test_ids_of_different_kinds_meet_as_text() -> None:
    exposed = exposures((1, "a", T0), (2, "b", T0))
    orders = pd.DataFrame({"user": ["1", "x"], "ts": [T0, T0]})
    found = of_events(exposed, orders, (Metric("n", MetricType.COUNT, source="orders"),))
    np.testing.assert_allclose(found.cells["n"].moments.mean[:, 0], [1, 0])
    assert found.counts.unmatched_event_rows == {"orders": 1}


def test_events_that_are_not_finite_are_left_out_and_counted() -> None:
    exposed = exposures(("u1", "a", T0), ("u2", "b", T0))
    orders = pd.DataFrame({"user": ["u1", "u1", "u2"], "ts": [T0] * 3, "v": ["inf", "3", "4"]})
    metric = Metric("v", MetricType.MEAN, source="orders", value="v", cap=Cap(upper=100))
    found = of_events(exposed, orders, (metric,))
    assert found.counts.not_finite == {"v": 1}
    np.testing.assert_allclose(found.cells["v"].moments.mean[:, 0], [3, 4])


def test_large_event_values_do_not_cancel() -> None:
    rng = np.random.default_rng(3)
    users = [f"u{i}" for i in range(2000)]
    exposed = pd.DataFrame({"user": users, "arm": np.repeat(["a", "b"], 1000), "ts": T0})
    v = 1e9 + rng.random(2000)
    orders = pd.DataFrame({"user": users, "ts": T0, "v": v})
    found = of_events(exposed, orders, (Metric("v", MetricType.MEAN, source="orders", value="v"),))
    exact = [np.var(v[part].astype(np.longdouble), ddof=1) for part in (slice(0, 1000), slice(1000, None))]
    np.testing.assert_allclose(found.cells["v"].moments.var[:, 0], np.array(exact, dtype=float), rtol=1e-9)
    assert [s.name for s in found.statements].count("moments:shifted") == 1


def test_an_exposure_from_after_the_as_of_time_is_no_row_and_no_stray() -> None:
    exposed = exposures(("u1", "a", T0), ("u2", "b", T0 + hours(1)), ("u3", "a", T0 + hours(30)))
    orders = pd.DataFrame({"user": ["u1"], "ts": [T0]})
    metric, model = Metric("n", MetricType.COUNT, source="orders"), DataModel(exposures=EXPOSED, events=ORDERS)
    for known, rows, outside in ((26, 2, {}), (40, 3, {"a": 1})):
        times = {"start": T0, "end": T0 + hours(20), "as_of": T0 + hours(known)}
        counts = of_events(exposed, orders, (metric,), model, **times).counts
        assert (counts.rows, {v: n for v, n in counts.outside_window.items() if n}) == (rows, outside)


def test_epochs_decide_who_is_mixed() -> None:
    exposed = exposures(
        ("u1", "a", T0, "e1"),
        ("u1", "b", T0 + hours(1), "e2"),  # another epoch: not mixed, the first counts
        ("u2", "a", T0, "e1"),
        ("u2", "b", T0 + hours(1), "e1"),  # mixed
        ("u3", "b", T0, "e2"),
        columns="user arm ts epoch",
    )
    orders = pd.DataFrame({"user": ["u1"], "ts": [T0]})
    model = DataModel(exposures=replace(EXPOSED, epoch="epoch"), events=ORDERS)
    found = of_events(exposed, orders, (Metric("n", MetricType.COUNT, source="orders"),), model)
    assert [(key.variant, key.epoch) for key in found.cells["n"].keys] == [("a", "e1"), ("b", "e2")]
    assert found.counts.mixed_units == {"a": 1}


def test_a_funnel_takes_ties_and_refuses_the_wrong_order() -> None:
    exposed = exposures(("u1", "a", T0), ("u2", "a", T0), ("u3", "b", T0), ("u4", "b", T0))
    rows = [
        ("u1", T0 + hours(1), "pay"),
        ("u1", T0 + hours(1), "cart"),  # the same instant
        ("u2", T0 + hours(1), "pay"),
        ("u2", T0 + hours(2), "cart"),  # paid before the cart
        ("u3", T0 + hours(1), "cart"),
        ("u3", T0 + hours(24), "pay"),  # at the end of the window
        ("u4", T0 - hours(1), "cart"),  # before exposure
        ("u4", T0 + hours(2), "pay"),
    ]
    orders = pd.DataFrame(rows, columns=["user", "ts", "kind"])
    steps = (FunnelStep("cart", "orders", "kind = 'cart'"), FunnelStep("pay", "orders", "kind = 'pay'"))
    metric = Metric("f", MetricType.FUNNEL, steps=steps, window_days=1)
    as_of = T0 + hours(48)
    moments = of_events(exposed, orders, (metric,), as_of=as_of).cells["f"].moments
    np.testing.assert_allclose(moments.mean[:, 0], [0.5, 0])
    given = of_events(exposed, orders, (replace(metric, given=1),), as_of=as_of).cells["f"].moments
    assert given.names == ("y", "d")
    np.testing.assert_allclose(given.mean, [[0.5, 1], [0, 0.5]])


def test_errors_of_event_metrics_name_the_place() -> None:
    exposed, orders = exposures(("u1", "a", T0)), pd.DataFrame({"user": ["u1"], "ts": [T0], "v": [1.0]})
    for metric, message in (
        (Metric("m", MetricType.MEAN, source="oders", value="v"), "no events source 'oders'"),
        (Metric("m", MetricType.FUNNEL), "needs steps"),
        (Metric("m", MetricType.RETENTION, source="orders", retention_days=(5, 2)), r"retention_days is \[5, 2\]"),
        (Metric("m", MetricType.MEAN, source="orders", value="v", covariates=(Covariate(days=0),)), "days is 0"),
    ):
        with pytest.raises(InputError, match=message) as wrong:
            of_events(exposed, orders, (metric,))
        assert "metrics.m" in (wrong.value.where or "")
    model = DataModel(exposures=EXPOSED, events={"orders": EventSource("orders", "user", "v")})
    with pytest.raises(InputError, match="holds number values"):
        of_events(exposed, orders, (Metric("m", MetricType.COUNT, source="orders"),), model)
    with pytest.raises(InputError, match="two metrics are named"):
        of_events(exposed, orders, (Metric("m", MetricType.COUNT), Metric("m", MetricType.COUNT)))


# ── statements that are only shown ───────────────────────────────────────────────────────────────────────────────────


def test_shown_statements_name_what_earlier_ones_compute() -> None:
    model = DataModel(exposures=EXPOSED, events=ORDERS)
    metric = Metric(
        "revenue", MetricType.MEAN, source="orders", value="v", window_days=7, cap=Cap(upper_percentile=0.99)
    )
    shown = statements(model, (metric,), "bigquery", as_of=T0)
    assert [s.name for s in shown] == ["probe", "probe:orders", "cap:revenue", "moments"]
    assert ":revenue_upper" in shown[-1].sql
    with pytest.raises(InputError, match="no SQL for the dialect") as wrong:
        statements(model, (metric,), "bigqery")
    assert "bigquery" in (wrong.value.fix or "")


def test_a_file_is_shown_as_a_table() -> None:
    assert table_name("data/orders-2026.parquet") == "orders-2026"
    assert table_name("events/*/part.jsonl.gz") == "part"
    assert table_name("shop.orders") == "shop.orders"
