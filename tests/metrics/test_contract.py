"""One data set on every engine: the same moments, to 1e-9, as a pandas computation that knows no SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from tests.metrics import dataset, reference
from tests.warehouse.loading import ENGINES, load, relation

from paribus.errors import InputError
from paribus.metrics.cells import Cells, Measurement
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
from paribus.warehouse import Engine, open_engine

TOLERANCE = 1e-9
DAY = timedelta(days=1)
WINDOW, HISTORY = dataset.WINDOW * DAY, dataset.HISTORY * DAY
BEFORE = (Covariate(days=dataset.HISTORY),)


@cache
def data() -> dict[str, pd.DataFrame]:
    return dataset.frames()


def _lists(frame: pd.DataFrame) -> dict[str, list[object]]:
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            columns[name] = [t.to_pydatetime() for t in values]
        else:
            columns[name] = [None if pd.isna(v) else v.item() if isinstance(v, np.generic) else v for v in values]
    return columns


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Engine]]:
    name = request.param
    url = request.getfixturevalue(f"{name}_url") if name in {"postgres", "mariadb"} else None
    tables = {table: _lists(frame) for table, frame in data().items()}
    indexes = {table: ["user_id"] for table in tables}
    if name == "duckdb":
        opened = open_engine(None, frames=data())
    else:
        opened = load(name, tables, folder=Path(tmp_path_factory.mktemp(name)), url=url, indexes=indexes)
    if name == "postgres" and url is not None:  # as the server does by itself within a minute
        with sqlalchemy.create_engine(url).begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    yield name, opened
    opened.close()


def model(name: str, *, epoch: bool = False, stratum: bool = False, event_id: bool = True) -> DataModel:
    return DataModel(
        exposures=Exposures(
            relation(name, "exposures"),
            "user_id",
            "variant",
            "ts",
            epoch="epoch" if epoch else None,
            stratum="platform" if stratum else None,
            reason="reason",
            served="served",
        ),
        events={
            "orders": EventSource(
                relation(name, "orders"),
                "user_id",
                "ts",
                event_id="order_id" if event_id else None,
                session="session",
            ),
            "views": EventSource(relation(name, "views"), "user_id", "ts"),
        },
        segments=("country",),
    )


METRICS = (
    Metric(
        "revenue",
        MetricType.MEAN,
        source="orders",
        value="revenue",
        window_days=7,
        cap=Cap(-10, 150),
        covariates=BEFORE,
    ),
    Metric("buyers", MetricType.PROPORTION, source="orders", window_days=7, covariates=BEFORE),
    Metric(
        "per order",
        MetricType.RATIO,
        source="orders",
        value="revenue",
        denominator="1",
        window_days=7,
        covariates=BEFORE,
    ),
    Metric("gifts", MetricType.COUNT, source="orders", filter="kind = 'gift'"),
    Metric(
        "per view",
        MetricType.RATIO,
        source="orders",
        value="revenue - quantity",
        denominator="1",
        denominator_source="views",
        window_days=3,
    ),
    Metric("per session", MetricType.RATIO, source="orders", value="revenue", denominator="session", window_days=7),
    Metric("back", MetricType.RETENTION, source="views", retention_days=(2, 4)),
    Metric(
        "paid",
        MetricType.FUNNEL,
        steps=tuple(FunnelStep(page, "views", f"page = '{page}'") for page in ("home", "cart", "pay")),
        given=1,
        window_days=7,
    ),
)


def run(name: str, opened: Engine, metrics: tuple[Metric, ...] = METRICS, **options: object) -> Measurement:
    settings: dict[str, object] = {
        "as_of": dataset.AS_OF,
        "start": dataset.START,
        "end": dataset.END,
        "by_day": False,
    }
    settings.update(options)
    described = settings.pop("model", model(name))
    return measure(opened, described, metrics, ["control", "treatment"], **settings)


@cache
def columns(epochs: bool = False) -> tuple[pd.DataFrame, dict[str, list[pd.Series]], dict[str, pd.Series]]:
    """First exposures, the variables of each metric per unit (missing where immature), and uncapped revenue."""
    frames = data()
    first, _ = reference.enrolled(frames["exposures"], dataset.START, dataset.END, dataset.AS_OF, epochs)
    orders = frames["orders"].drop_duplicates("order_id")
    orders = orders[orders["ts"] < dataset.AS_OF]
    views = frames["views"]
    views = views[views["ts"] < dataset.AS_OF]
    steps = [views[views["page"] == page] for page in ("home", "cart", "pay")]
    zero = timedelta(0)

    def mature(days: int, *found: pd.Series) -> list[pd.Series]:
        closed = first["ts"] + days * DAY <= dataset.AS_OF
        return [s.where(closed) for s in found]

    def of(
        events: pd.DataFrame,
        low: timedelta | None,
        high: timedelta | None,
        value: pd.Series | None = None,
        how: str = "sum",
    ) -> pd.Series:
        return reference.per_unit(first, events, low, high, value, how)

    revenue = of(orders, zero, WINDOW, orders["revenue"])
    history = of(orders, -HISTORY, zero, how="any")
    before = of(orders, -HISTORY, zero, orders["revenue"])
    gifts = orders[orders["kind"] == "gift"]
    one, two, three = reference.funnel(first, steps, WINDOW)
    del two
    variables = {
        "revenue": mature(7, revenue.clip(-10, 150), before.clip(-10, 150), history),
        "buyers": mature(7, of(orders, zero, WINDOW, how="any"), history, history),
        "per order": mature(
            7, revenue, of(orders, zero, WINDOW, how="count"), before, of(orders, -HISTORY, zero, how="count"), history
        ),
        "gifts": [of(gifts, zero, None, how="count")],
        "per view": mature(
            3, of(orders, zero, 3 * DAY, orders["revenue"] - orders["quantity"]), of(views, zero, 3 * DAY, how="count")
        ),
        "per session": mature(7, revenue, of(orders, zero, WINDOW, orders["session"], how="distinct")),
        "back": mature(5, of(views, 2 * DAY, 5 * DAY, how="any")),
        "paid": mature(7, three, one),
    }
    return first, variables, {"revenue": mature(7, revenue)[0]}


def close(got: object, want: object, scale: object = 1.0) -> None:
    np.testing.assert_allclose(np.asarray(got) / scale, np.asarray(want) / scale, rtol=TOLERANCE, atol=TOLERANCE)


def compare(cells: Cells, i: int, variables: list[pd.Series]) -> None:
    """Cell i against the reference's rows of the cell."""
    n, mean, m2, m3 = reference.moments(variables)
    got = cells.moments.take(i)
    assert float(got.n) == n
    if not n:
        return
    spread = np.sqrt(np.maximum(np.diag(m2) / n, 1e-12))
    close(got.mean, mean, np.maximum(np.abs(mean), spread))
    close(got.m2, m2, n * np.outer(spread, spread))
    if not np.isnan(got.m3[0]):
        close(got.m3[0], m3, n * spread[0] ** 3)


def test_moments_equal_pandas(engine: tuple[str, Engine]) -> None:
    found = run(*engine)
    first, variables, uncapped = columns()
    for metric in METRICS:
        cells = found.cells[metric.name]
        assert [key.variant for key in cells.keys] == ["control", "treatment"]
        for i, key in enumerate(cells.keys):
            arm = first["variant"] == key.variant
            compare(cells, i, [s[arm] for s in variables[metric.name]])
            assert cells.immature is None or cells.immature[i] == int(variables[metric.name][0][arm].isna().sum())
    assert found.cells["gifts"].immature is None
    revenue = found.cells["revenue"]
    assert revenue.moments.names == ("y", "x1", "h1")
    assert revenue.uncapped is not None
    assert revenue.capped is not None
    for i, key in enumerate(revenue.keys):
        raw = uncapped["revenue"][first["variant"] == key.variant].dropna()
        n, mean, m2, _ = reference.moments([raw])
        close(revenue.uncapped.mean[i], mean)
        close(revenue.uncapped.m2[i], m2, m2[0, 0])
        assert float(revenue.uncapped.n[i]) == n
        assert revenue.capped[i] == int(((raw > 150) | (raw < -10)).sum())


OPEN = (
    replace(METRICS[0], window_days=None),
    replace(METRICS[1], window_days=None),
    METRICS[3],
    Metric(
        "per view",
        MetricType.RATIO,
        source="orders",
        value="revenue - quantity",
        denominator="1",
        denominator_source="views",
    ),
    replace(METRICS[5], window_days=None, covariates=BEFORE),
    replace(METRICS[7], window_days=None),
)
CUTS = [datetime(2026, 3, day) for day in (3, 5, 6, 9, 10, 13, 16, 19)]  # 16: enrolment ends; 9: a new epoch begins


@cache
def known_at(cut: datetime) -> tuple[pd.DataFrame, dict[str, list[pd.Series]]]:
    """First exposures in epochs and the variables of each metric, from the rows before a time alone."""
    frames = data()
    first, _ = reference.enrolled(frames["exposures"], dataset.START, dataset.END, cut, epochs=True)
    orders = frames["orders"].drop_duplicates("order_id")
    orders, views = orders[orders["ts"] < cut], frames["views"][frames["views"]["ts"] < cut]
    steps = [views[views["page"] == page] for page in ("home", "cart", "pay")]
    zero = timedelta(0)

    def of(events: pd.DataFrame, low: timedelta, high: timedelta | None, value: object = None, how: str = "sum") -> Any:
        return reference.per_unit(first, events, low, high, value, how)

    history = of(orders, -HISTORY, zero, how="any")
    revenue, before = of(orders, zero, None, orders["revenue"]), of(orders, -HISTORY, zero, orders["revenue"])
    one, _, three = reference.funnel(first, steps, 1000 * DAY)
    return first, {
        "revenue": [revenue.clip(-10, 150), before.clip(-10, 150), history],
        "buyers": [of(orders, zero, None, how="any"), history, history],
        "gifts": [of(orders[orders["kind"] == "gift"], zero, None, how="count")],
        "per view": [
            of(orders, zero, None, orders["revenue"] - orders["quantity"]),
            of(views, zero, None, how="count"),
        ],
        "per session": [
            revenue,
            of(orders, zero, None, orders["session"], how="distinct"),
            before,
            of(orders, -HISTORY, zero, orders["session"], how="distinct"),
            history,
        ],
        "paid": [three, one],
    }


def test_metrics_without_a_window_as_they_were_known(engine: tuple[str, Engine]) -> None:
    name, opened = engine
    described = model(name, epoch=True, stratum=True)
    found = run(
        name, opened, OPEN, model=described, by_day=True, cut_at=lambda _: {c.date().isoformat(): c for c in CUTS}
    )
    assert [s.name for s in found.statements].count("cutoffs") == 1
    for cut in CUTS:
        first, variables = known_at(cut)
        for metric in OPEN:
            cells = found.cutoffs[metric.name][cut.date().isoformat()]
            assert sum(cells.moments.n) == len(first)
            for i, key in enumerate(cells.keys):
                assert (key.day, key.attribute) == (None, None)
                arm = first["variant"] == key.variant
                arm &= (first["epoch"] == key.epoch) & (first["platform"] == key.stratum)
                compare(cells, i, [s[arm] for s in variables[metric.name]])
    again = run(name, opened, OPEN, model=described, as_of=CUTS[4], shifts=found.shifts)
    for metric in OPEN:
        known, now = found.cutoffs[metric.name][CUTS[4].date().isoformat()], again.cells[metric.name]
        assert known.keys == now.keys
        close(known.moments.mean, now.moments.mean)


def test_counts(engine: tuple[str, Engine]) -> None:
    counts = run(*engine).counts
    frames = data()
    x = frames["exposures"]
    first, mixed = reference.enrolled(x, dataset.START, dataset.END, dataset.AS_OF, epochs=False)
    assert counts.rows == len(x)
    assert counts.units == first["variant"].value_counts().to_dict()
    assert counts.mixed_units == mixed["variant"].value_counts().to_dict()
    assert counts.null_unit_rows == int(x["user_id"].isna().sum()) > 0
    blank = x["user_id"].fillna("?").str.strip() == ""
    assert counts.blank_unit_rows == int(blank.sum()) > 0
    named = x["user_id"].notna() & ~blank
    assert counts.null_variant_rows == int((named & x["variant"].isna()).sum()) > 0
    assert counts.unknown_variant_rows == {"purple": 7}
    known = x[named & x["variant"].isin(["control", "treatment"])]
    assert counts.by_reason == known["reason"].value_counts().to_dict()
    split = known[known["reason"] == "SPLIT"]
    outside = split[(split["ts"] < dataset.START) | (split["ts"] >= dataset.END) | (split["ts"] >= dataset.AS_OF)]
    assert counts.outside_window == outside["variant"].value_counts().to_dict()
    differs = known[known["served"] != known["variant"]]
    assert counts.served_differs == differs["variant"].value_counts().to_dict()
    # Rows that no unit's window can reach are not read: orders from the earliest history on, views from the start on.
    orders = frames["orders"][frames["orders"]["ts"] < dataset.AS_OF]
    orders = orders[orders["ts"] >= dataset.START - HISTORY]
    assert counts.repeated_event_rows == {"orders": len(orders) - orders["order_id"].nunique()}
    enrolled_names = set(first.index) | set(mixed.index)
    distinct = orders.drop_duplicates("order_id")
    unmatched = int((~distinct["user_id"].isin(enrolled_names)).sum())
    assert counts.unmatched_event_rows["orders"] == unmatched >= 50
    every = [distinct, frames["views"][frames["views"]["ts"] < dataset.AS_OF]]
    early = {}
    for events in every:
        joined = events.merge(first, left_on="user_id", right_index=True, suffixes=("", "_0"))
        near = joined[(joined["ts"] < joined["ts_0"]) & (joined["ts"] >= joined["ts_0"] - timedelta(seconds=5))]
        for variant, n in near["variant"].value_counts().items():
            early[variant] = early.get(variant, 0) + int(n)
    assert counts.inside_tolerance == early
    assert sum(early.values()) > 100
    assert counts.null_values["revenue"] == int(orders["revenue"].isna().sum()) > 0


def test_days_epochs_strata_and_segments(engine: tuple[str, Engine]) -> None:
    name, opened = engine
    metrics = (METRICS[0],)
    found = run(name, opened, metrics, by_day=True, segments=("country", "platform"), model=_open_segments(name))
    first, variables, _ = columns(epochs=True)
    cells = found.cells["revenue"]
    days = first["ts"].dt.date
    whole = 0
    for i, key in enumerate(cells.keys):
        rows = (first["variant"] == key.variant) & (first["epoch"] == key.epoch) & (first["platform"] == key.stratum)
        if key.attribute is None:
            assert isinstance(key.day, date)
            rows &= days == key.day
            whole += int(rows.sum())
        else:
            assert key.day is None
            level = first[key.attribute]
            rows &= level.isna() if key.level is None else level == key.level
        assert rows.any()
        compare(cells, i, [s[rows] for s in variables["revenue"]])
    assert whole == len(first) == sum(found.counts.units.values())
    assert sum(found.counts.by_day.values()) == len(first)
    for attribute in ("country", "platform"):
        by_level = {key[1:]: n for key, n in found.counts.by_segment.items() if key[0] == attribute}
        assert sum(by_level.values()) == len(first)
    assert any(key.attribute == "country" and key.level is None for key in cells.keys)
    assert any(key.level == "O'Hara" for key in cells.keys)
    total = cells.moments.take([i for i, key in enumerate(cells.keys) if key.attribute is None]).total()
    n, mean, _, _ = reference.moments(variables["revenue"])
    assert float(total.n) == n
    close(total.mean, mean)


def _open_segments(name: str) -> DataModel:
    return replace(model(name, epoch=True, stratum=True), segments=("country", "platform"))


def test_percentile_caps_are_type_7(engine: tuple[str, Engine]) -> None:
    pooled = Metric(
        "pooled",
        MetricType.MEAN,
        source="orders",
        value="revenue",
        window_days=7,
        cap=Cap(upper_percentile=0.97, over="pooled"),
    )
    before = Metric(
        "before", MetricType.MEAN, source="orders", value="revenue", window_days=7, cap=Cap(upper_percentile=0.98)
    )
    found = run(*engine, (pooled, before))
    first, _, uncapped = columns()
    close(found.caps["pooled"][1], np.quantile(uncapped["revenue"].dropna(), 0.97))
    orders = data()["orders"].drop_duplicates("order_id")
    earlier = reference.per_unit(first, orders, -WINDOW, timedelta(0), orders["revenue"])
    mature = first["ts"] + WINDOW <= dataset.AS_OF
    close(found.caps["before"][1], np.quantile(earlier[mature], 0.98))
    assert found.caps["before"][0] is None


def test_table_of_units(engine: tuple[str, Engine]) -> None:
    name, opened = engine
    metrics = (
        Metric("order", MetricType.MEAN, value="order", covariates=(Covariate(value="spent before"),)),
        Metric("converted", MetricType.PROPORTION, value="converted"),
        Metric("per visit", MetricType.RATIO, value="converted", denominator="visits"),
        Metric("offset", MetricType.MEAN, value="offset"),
        Metric("busy", MetricType.COUNT, filter="visits > 2"),
    )
    units = UnitTable(relation(name, "units"), "user_id", "group")
    found = measure(opened, DataModel(units=units), metrics, None, segments=("Country",))
    frame = data()["units"]
    assert found.counts.null_values == {"order": int(frame["order"].isna().sum())}
    variables = {
        "order": [
            frame["order"],
            frame["spent before"].fillna(0).where(frame["order"].notna()),
            frame["spent before"].notna().astype(float).where(frame["order"].notna()),
        ],
        "converted": [frame["converted"]],
        "per visit": [frame["converted"], frame["visits"]],
        "offset": [frame["offset"]],
        "busy": [(frame["visits"] > 2).astype(float)],
    }
    for metric in metrics:
        cells = found.cells[metric.name]
        for i, key in enumerate(cells.keys):
            rows = frame["group"] == key.variant
            if key.attribute is not None:
                rows &= frame["Country"].isna() if key.level is None else frame["Country"] == key.level
            compare(cells, i, [s[rows] for s in variables[metric.name]])


def test_clusters(engine: tuple[str, Engine]) -> None:
    name, opened = engine
    base = model(name)
    assert base.exposures is not None
    described = replace(base, exposures=replace(base.exposures, cluster="platform"))
    found = run(name, opened, METRICS[:3], model=described)
    first, variables, _ = columns()
    for metric in METRICS[:3]:
        sums = found.clusters[metric.name]
        assert set(sums.cluster) == {"web", "app"}
        y = variables[metric.name][0]
        for i, (variant, cluster) in enumerate(zip(sums.variant, sums.cluster, strict=True)):
            rows = (first["variant"] == variant) & (first["platform"] == cluster)
            assert sums.n[i] == int(y[rows].notna().sum())
            close(sums.sums[0][i], y[rows].sum())


def test_quantiles(engine: tuple[str, Engine]) -> None:
    name, opened = engine
    by_unit = Metric("p90", MetricType.QUANTILE, source="orders", value="revenue", quantile=0.9, window_days=7)
    by_row = Metric(
        "p75 view", MetricType.QUANTILE, source="views", value="ms", quantile=0.75, window_days=7, level_of_rows="row"
    )
    found = run(name, opened, (by_unit, by_row), segments=("country",))
    first, _, uncapped = columns()
    ranks = found.ranks["p90"]
    for i, key in enumerate(ranks.keys):
        y = uncapped["revenue"][_rows(first, key.variant, key.attribute, key.level)].dropna()
        assert ranks.n[i] == len(y)
        close(ranks.points["q"][i], np.quantile(y, 0.9))
        ordered = np.sort(y)
        for end in ("lower", "upper"):
            rank = ranks.points[f"{end}_rank"][i]
            if not np.isnan(rank):
                close(ranks.points[end][i], ordered[int(rank) - 1])
        assert ranks.points["lower"][i] <= ranks.points["q"][i]
    rows = found.ranks["p75 view"]
    views = data()["views"].merge(first, left_on="user_id", right_index=True, suffixes=("", "_0"))
    inside = (views["ts"] >= views["ts_0"]) & (views["ts"] < views["ts_0"] + WINDOW)
    views = views[inside & (views["ts_0"] + WINDOW <= dataset.AS_OF)]
    assert rows.clustered is not None
    for i, key in enumerate(rows.keys):
        chosen = views[_rows(views, key.variant, key.attribute, key.level)]
        q = np.quantile(chosen["ms"], 0.75)
        assert rows.n[i] == len(chosen)
        close(rows.points["q"][i], q)
        s = (chosen["ms"] <= q).groupby(chosen["user_id"]).sum()
        n, mean, m2, _ = reference.moments([s, chosen.groupby("user_id")["ms"].count()])
        assert float(rows.clustered.n[i]) == n
        close(rows.clustered.mean[i], mean)
        close(rows.clustered.m2[i], m2, np.sqrt(np.outer(np.diag(m2), np.diag(m2))))


def _rows(frame: pd.DataFrame, variant: str, attribute: str | None, level: str | None) -> pd.Series:
    rows = frame["variant"] == variant
    if attribute is not None:
        rows &= frame[attribute].isna() if level is None else frame[attribute] == level
    return rows


def test_days_in_a_time_zone_or_a_refusal(engine: tuple[str, Engine]) -> None:
    """ClickHouse, PostgreSQL and DuckDB know zones, SQLite does not, MariaDB only after loading its tables."""
    name, opened = engine
    zone = "America/New_York"
    described = replace(model(name), time_zone=zone)
    if name in {"sqlite", "mariadb"}:
        with pytest.raises(InputError, match="date in the time zone"):
            run(name, opened, METRICS[:1], by_day=True, model=described)
        return
    found = run(name, opened, METRICS[:1], by_day=True, model=described)
    first, variables, _ = columns()
    days = first["ts"].dt.tz_localize("UTC").dt.tz_convert(zone).dt.date
    for i, key in enumerate(found.cells["revenue"].keys):
        rows = (first["variant"] == key.variant) & (days == key.day)
        compare(found.cells["revenue"], i, [s[rows] for s in variables["revenue"]])
