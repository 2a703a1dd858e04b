"""Exposures and events as people export them, read through an experiment file and checked against pandas."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import paribus as pb
from paribus.errors import InputError
from paribus.experiments.result import Result

PLAN = """paribus: 1
experiment: demo
interference: none because each user sees one page
variants: {control: 50, treatment: 50}
exposures: {table: exposures.csv, unit: user_id, variant: variant, time: ts}
events:
  purchases: {table: purchases.csv, unit: user_id, time: ts}
metrics:
  - {name: revenue, type: mean, source: purchases, value: amount, window_days: 3, role: success}
  - {name: bought, type: proportion, source: purchases, window_days: 3, role: success}
"""
START = datetime(2026, 3, 1)


def _data() -> tuple[pd.DataFrame, pd.DataFrame]:
    chance = random.Random(5)
    exposures, events = [], []
    for i in range(160):
        t0 = START + timedelta(minutes=chance.randrange(5 * 1440))
        exposures.append((f"u{i}", chance.choice(["control", "treatment"]), t0))
        for _ in range(chance.randrange(4)):
            time = t0 + timedelta(minutes=chance.randrange(-2000, 8000))
            events.append((f"u{i}", time, round(chance.expovariate(0.05), 2)))
    return pd.DataFrame(exposures, columns=["u", "v", "t"]), pd.DataFrame(events, columns=["u", "at", "amount"])


EXPOSURES, EVENTS = _data()


def _expected(exposures: pd.DataFrame = EXPOSURES, events: pd.DataFrame = EVENTS) -> dict[str, float]:
    arms = exposures.groupby("u")["v"].nunique()
    first = exposures[exposures["u"].map(arms) == 1].sort_values("t").groupby("u", as_index=False).first()
    joined = events.merge(first, on="u")
    inside = joined[(joined["at"] >= joined["t"]) & (joined["at"] < joined["t"] + timedelta(days=3))]
    values = first.assign(revenue=first["u"].map(inside.groupby("u")["amount"].sum()).fillna(0))
    return dict(values.groupby("v")["revenue"].mean())


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Analyzes the data with some lines written otherwise: a function of (number, user, …) for each file."""

    def analyze(
        exposure: Callable[[int, str, str, datetime], str] = lambda i, u, v, t: f"{u},{v},{t}",
        event: Callable[[int, str, datetime, float], str] = lambda i, u, t, a: f"{u},{t},{a}",
        *,
        plan: str = PLAN,
        more: str = "",
        files: dict[str, str] | None = None,
    ) -> Result:
        lines = [exposure(i, *row) for i, row in enumerate(EXPOSURES.itertuples(index=False, name=None))]
        rows = [event(i, *row) for i, row in enumerate(EVENTS.itertuples(index=False, name=None))]
        written = {
            "exposures.csv": "\n".join(["user_id,variant,ts", *lines]) + "\n" + more,
            "purchases.csv": "\n".join(["user_id,ts,amount", *rows]) + "\n",
            "experiment.yaml": plan,
            **(files or {}),
        }
        for name, content in written.items():
            (tmp_path / name).write_text(content)
        return pb.analyze(tmp_path / "experiment.yaml", as_of="2026-04-01")

    return analyze


def _means(result: Result) -> dict[str, float]:
    found = next(c for c in result.comparisons if c.metric == "revenue")
    return {found.control.variant: found.control.value, found.treatment.variant: found.treatment.value}


def _said(result: Result) -> str:
    return " | ".join((*result.data_notes, *result.warnings, *(check.sentence for check in result.checks)))


def test_offsets_zones_and_their_absence_are_one_instant(run: Run) -> None:
    def zoned(i: int, u: str, v: str, t: datetime) -> str:
        return f"{u},{v},{(f'{t}', f'{t}Z', f'{t + timedelta(hours=2)}+02:00')[i % 3]}"

    result = run(zoned)
    assert _means(result) == pytest.approx(_expected())
    assert "54 of 160 times have no zone and are read as UTC" in _said(result)


def test_words_for_a_missing_id_are_no_unit(run: Run) -> None:
    result = run(lambda i, u, v, t: f"{('NULL', 'nan')[i % 2] if i % 20 < 2 else u},{v},{t}")
    assert _means(result) == pytest.approx(_expected(EXPOSURES[[i % 20 >= 2 for i in range(160)]]))
    assert "16 rows name no unit and are left out" in _said(result)


def test_events_without_a_time_are_counted(run: Run) -> None:
    result = run(event=lambda i, u, t, a: f"{u},{'' if i % 20 == 0 else t},{a}")
    assert _means(result) == pytest.approx(_expected(events=EVENTS[[i % 20 != 0 for i in range(len(EVENTS))]]))
    assert f"{-(-len(EVENTS) // 20)} rows of purchases have no time and are in no window" in _said(result)


def test_values_that_are_no_numbers_are_counted_while_they_are_few(run: Run) -> None:
    result = run(event=lambda i, u, t, a: f"{u},{t},{'n.a.' if i % 50 == 0 else a}")
    assert _means(result) == pytest.approx(_expected(events=EVENTS[[i % 50 != 0 for i in range(len(EVENTS))]]))
    assert f"{-(-len(EVENTS) // 50)} rows have no value of revenue and add nothing to it" in _said(result)


@pytest.mark.parametrize("written", ["${}", "abc {}", "{} EUR"])
def test_values_of_which_most_are_no_numbers_are_no_zeros(run: Run, written: str) -> None:
    with pytest.raises(InputError) as caught:
        run(event=lambda i, u, t, a: f"{u},{t},{written.format(a)}")
    assert f"is text: {len(EVENTS)} of its values are no numbers" in str(caught.value)
    assert caught.value.where == "metrics.revenue.value"


@pytest.mark.parametrize("other", [str.upper, lambda u: f'"{u} "', lambda u: f"0{u}"])
def test_ids_that_never_meet_are_said(run: Run, other: Callable[[str], str]) -> None:
    result = run(event=lambda i, u, t, a: f"{other(u)},{t},{a}")
    assert f"none of the {len(EVENTS)} rows of purchases is of an exposed unit" in _said(result)


def test_ids_that_are_numbers_in_both_files_meet(run: Run) -> None:
    result = run(lambda i, u, v, t: f"{2**53 + int(u[1:])},{v},{t}", lambda i, u, t, a: f"{2**53 + int(u[1:])},{t},{a}")
    assert _means(result) == pytest.approx(_expected())


def test_conflicting_assignments_leave_with_a_count(run: Run) -> None:
    other = {"control": "treatment", "treatment": "control"}
    twice = EXPOSURES.head(8).assign(v=lambda d: d["v"].map(other), t=lambda d: d["t"] + timedelta(hours=1))
    result = run(more="".join(f"{u},{v},{t}\n" for u, v, t in twice.itertuples(index=False, name=None)))
    assert _means(result) == pytest.approx(_expected(pd.concat([EXPOSURES, twice])))
    assert "8 units (5.0%) met several variants and are left out of every number" in _said(result)


@pytest.mark.parametrize("form", ["%d/%m/%y %H:%M", "%d.%m.%y", "%b %d %Y", "%Y%m%d"])
def test_times_in_another_form_are_refused_and_not_guessed(run: Run, form: str) -> None:
    with pytest.raises(InputError, match="is no time"):
        run(lambda i, u, v, t: f"{u},{v},{t.strftime(form)}")


@pytest.mark.parametrize("parts", [1, 1_000, 1_000_000])
def test_counts_since_1970_are_times(run: Run, parts: int) -> None:
    def count(t: datetime) -> int:
        return int(t.replace(tzinfo=UTC).timestamp()) * parts

    result = run(lambda i, u, v, t: f"{u},{v},{count(t)}", lambda i, u, t, a: f"{u},{count(t) if i % 9 else ''},{a}")
    assert _means(result) == pytest.approx(_expected(events=EVENTS[[i % 9 != 0 for i in range(len(EVENTS))]]))
    assert "exposures.csv: the whole numbers of ts are read as seconds, or parts of them, since 1970" in _said(result)
    assert f"{-(-len(EVENTS) // 9)} rows of purchases have no time" in _said(result)


@pytest.mark.parametrize("count", [0, 46082, 20260301, 202603011030, 20260301103000, 2**62])
def test_numbers_that_are_no_counts_since_1970_are_refused(run: Run, count: int) -> None:
    with pytest.raises(InputError, match=f"'{count}' is no time"):
        run(lambda i, u, v, t: f"{u},{v},{count}")


def test_a_field_of_a_record_a_pattern_and_a_difference_in_one_file(run: Run) -> None:
    lines = [
        json.dumps({"user_id": u, "ts": str(t), "kind": "purchase", "payload": {"price": a, "tags": ["x", "y"]}})
        for u, t, a in EVENTS.itertuples(index=False, name=None)
    ]
    plan = PLAN.replace("purchases.csv", "purchases.jsonl").replace("value: amount", "value: payload.price")
    plan = plan.replace(
        "name: bought, type: proportion, source: purchases,",
        "name: bought, type: proportion, source: purchases, "
        "filter: \"kind ~ '^purch' AND payload.tags[1] = 'x' AND DATE_DIFF('day', ts, ts) = 0\",",
    )
    result = run(plan=plan, files={"purchases.jsonl": "\n".join(lines)})
    assert _means(result) == pytest.approx(_expected())
    bought: Any = next(c for c in result.comparisons if c.metric == "bought")
    assert bought.control.value > 0
