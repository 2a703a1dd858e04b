"""Running summaries: expected values by hand from single units, with numpy and scipy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm, ttest_ind

import paribus as pb
from paribus.errors import InputError
from paribus.experiments.running.result import RunningComparison, RunningReadings

ASOS = Path(__file__).parents[1] / "data" / "asos_five_experiments.csv"
PAIRS: dict[str, Any] = {
    "count": ("n_c", "n_t"),
    "mean": ("mean_c", "mean_t"),
    "variance": ("var_c", "var_t"),
    "time": "day",
}
ROWS: dict[str, Any] = {"count": "n", "mean": "mean", "variance": "var", "time": "day", "variant": "arm"}
PUBLISHED: dict[str, Any] = {
    "count": ("count_c", "count_t"),
    "mean": ("mean_c", "mean_t"),
    "variance": ("variance_c", "variance_t"),
    "time": "time_since_start",
    "by": ("experiment_id", "variant_id", "metric_id"),
}


def units(days: int = 6, daily: int = 60, effect: float = 0.4, seed: int = 3) -> pd.DataFrame:
    """Single units with the day on which they came; revenue in dollars far from zero."""
    draw = np.random.default_rng(seed)
    n = days * daily
    frame = pd.DataFrame({"day": np.repeat(np.arange(1, days + 1), daily), "arm": draw.choice(["control", "new"], n)})
    frame["y"] = 1000 + draw.gamma(2, 1, n) + effect * (frame["arm"] == "new")
    return frame


def summed(frame: pd.DataFrame, *, running: bool = True) -> pd.DataFrame:
    """One row for each arm and day: of all units so far, or of the day's own."""
    rows = []
    for day in sorted(frame["day"].unique()):
        part = frame[frame["day"] <= day] if running else frame[frame["day"] == day]
        for arm, own in part.groupby("arm")["y"]:
            rows.append({"day": day, "arm": arm, "n": len(own), "mean": own.mean(), "var": own.var()})
    return pd.DataFrame(rows)


def paired(rows: pd.DataFrame) -> pd.DataFrame:
    """The same with both arms in one row."""
    wide = rows.pivot(index="day", columns="arm", values=["n", "mean", "var"])
    names = {"control": "c", "new": "t"}
    wide.columns = [f"{what}_{names[arm]}" for what, arm in wide.columns]
    return wide.reset_index()


UNITS = units()
LONG = summed(UNITS)
WIDE = paired(LONG)


def only(result: RunningReadings) -> RunningComparison:
    (found,) = result.comparisons
    return found


# ── What is read ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_checkpoint_read_once_is_welchs_test_of_the_units() -> None:
    last = only(pb.running(WIDE, **PAIRS, confidence_level=0.9)).last
    arms = [UNITS.loc[UNITS["arm"] == arm, "y"] for arm in ("new", "control")]
    test = ttest_ind(*arms, equal_var=False)
    ends = test.confidence_interval(0.9)
    assert last is not None
    assert last.fixed.p_value == pytest.approx(test.pvalue, rel=1e-9)
    assert (last.fixed.lower, last.fixed.upper) == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert (last.n_treatment, last.n_control) == tuple(map(len, arms))


def test_one_checkpoint_read_always_is_the_published_sequence_and_mixture() -> None:
    """Waudby-Smith et al. 2021, eq. 9 with rho by eq. 161; Johari et al. 2017: the likelihood ratio over N(0, tau)."""
    result = pb.running(WIDE.tail(1), **PAIRS, n_opt=500, effect_sd=0.3)
    last = only(result).last
    row = WIDE.iloc[-1]
    n, gap = row["n_c"] + row["n_t"], row["mean_t"] - row["mean_c"]
    v = row["var_c"] / row["n_c"] + row["var_t"] / row["n_t"]
    rho2 = (-2 * np.log(0.05) + np.log(-2 * np.log(0.05) + 1)) / 500
    radius = np.sqrt(v * (n * rho2 + 1) / (n * rho2) * np.log((n * rho2 + 1) / 0.05**2))
    assert last is not None
    assert last.mixture is not None
    assert (last.anytime.lower, last.anytime.upper) == pytest.approx((gap - radius, gap + radius), rel=1e-9)
    tau = 0.3**2
    ratio = np.sqrt(v / (v + tau)) * np.exp(tau * gap**2 / (2 * v * (v + tau)))
    assert last.mixture.p_value == pytest.approx(min(1, 1 / ratio), rel=1e-9)
    assert only(result).n_opt == 500


def test_checkpoints_read_always_are_taken_together() -> None:
    """Every checkpoint's own interval, from a table of its own; then the ends are intersected by hand."""
    together = only(pb.running(WIDE, **PAIRS, n_opt=360))
    alone = [only(pb.running(WIDE.iloc[[i]], **PAIRS, n_opt=360)).last for i in range(len(WIDE))]
    lower = np.maximum.accumulate([-np.inf if a.anytime.lower is None else a.anytime.lower for a in alone])
    p = np.minimum.accumulate([a.anytime.p_value for a in alone])
    known = np.isfinite(lower)
    assert known.sum() >= 5
    assert [c.anytime.lower for c in together.checkpoints if c.anytime.lower is not None] == pytest.approx(lower[known])
    assert [c.anytime.p_value for c in together.checkpoints] == pytest.approx(p)
    assert together.anytime_first == str(int(WIDE["day"][int(np.argmax(p <= 0.05))]))


def test_below_a_hundred_units_the_sequence_says_nothing() -> None:
    first = only(pb.running(WIDE, **PAIRS)).checkpoints[0]
    assert first.n_control + first.n_treatment < 100
    assert (first.anytime.lower, first.anytime.upper, first.anytime.p_value) == (None, None, 1.0)
    assert first.fixed.lower is not None


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_both_layouts_and_both_spreads_say_the_same(level: float) -> None:
    wide = pb.running(WIDE, **PAIRS, confidence_level=level)
    long = pb.running(LONG.sample(frac=1, random_state=1), **ROWS, confidence_level=level)
    deviations = LONG.assign(sd=np.sqrt(LONG["var"]))
    sd = pb.running(deviations, **{**ROWS, "variance": None}, sd="sd", confidence_level=level)
    for other in (long, sd):
        assert only(other).treatment == "new"
        for a, b in zip(only(wide).checkpoints, only(other).checkpoints, strict=True):
            assert (a.difference, a.se, a.fixed.p_value) == pytest.approx((b.difference, b.se, b.fixed.p_value))
            assert a.time == b.time


def test_increments_are_added_up_exactly_with_days_of_one_unit_and_of_none() -> None:
    frame = UNITS[~((UNITS["day"] == 2) & (UNITS["arm"] == "new"))]  # nobody
    single = frame.index[(frame["day"] == 4) & (frame["arm"] == "control")][1:]
    frame = frame.drop(single)  # one unit, whose variance nobody can know
    daily = summed(frame, running=False)
    assert daily["var"].isna().sum() == 1
    added = only(pb.running(daily, **ROWS, increments=True))
    usual = only(pb.running(summed(frame), **ROWS))
    assert len(added.checkpoints) == len(usual.checkpoints) == 6
    for a, b in zip(added.checkpoints, usual.checkpoints, strict=True):
        assert (a.n_control, a.n_treatment) == (b.n_control, b.n_treatment)
        assert (a.difference, a.se) == pytest.approx((b.difference, b.se), rel=1e-9)


def test_three_arms_are_two_comparisons() -> None:
    third = LONG[LONG["arm"] == "new"].assign(arm="newer")
    result = pb.running(pd.concat([LONG, third]), **ROWS)
    assert [(each.control, each.treatment) for each in result.comparisons] == [("control", "new"), ("control", "newer")]
    assert result.comparisons[0].checkpoints == result.comparisons[1].checkpoints
    assert "by treatment" in result.text()


@pytest.mark.parametrize(
    "day",
    [
        [f"2026-03-0{d}" for d in WIDE["day"]],
        [f"2026-W{d:02}" for d in WIDE["day"]],
        list(pd.Timestamp("2026-03-01") + pd.to_timedelta(WIDE["day"], unit="D")),
        [str(d + 5) for d in WIDE["day"]],  # "9" comes before "10"
    ],
    ids=["date", "week", "time", "numbers as text"],
)
def test_the_way_a_time_is_written_does_not_matter(day: list[Any]) -> None:
    found = only(pb.running(WIDE.assign(day=day).sample(frac=1, random_state=2), **PAIRS))
    usual = only(pb.running(WIDE, **PAIRS))
    assert [c.difference for c in found.checkpoints] == [c.difference for c in usual.checkpoints]


def test_numbers_that_were_written_as_text_are_read_and_said() -> None:
    found = pb.running(WIDE.assign(mean_c=[f"${x:,.9f}" for x in WIDE["mean_c"]]), **PAIRS)
    assert only(found).checkpoints[0].difference == pytest.approx(WIDE["mean_t"][0] - WIDE["mean_c"][0])
    assert any("text is taken as numbers" in note for note in found.data_notes)


# ── What peeking does ────────────────────────────────────────────────────────────────────────────────────────────────


def series(z: list[float], n: int = 1000) -> pd.DataFrame:
    """Checkpoints at which the standardized difference is as given; arms of equal size, unit variance."""
    count = n * np.arange(1, len(z) + 1)
    return pd.DataFrame(
        {
            "day": np.arange(1, len(z) + 1),
            "n_c": count,
            "n_t": count,
            "mean_c": 0.0,
            "mean_t": np.array(z) * np.sqrt(2 / count),
            "var_c": 1.0,
            "var_t": 1.0,
        }
    )


@pytest.mark.parametrize(
    ("z", "first", "shown", "turns", "held", "said"),
    [
        ([1, 2.5, 1, 2.1, 0.5], "2", 2, 4, False, "that effect is no longer shown"),
        ([1, 2.5, 2.6, 3], "2", 3, 1, True, "that effect is still shown"),
        ([2.5, 0, -2.5], "1", 2, 2, False, "the opposite is shown"),
        ([1, 0, -1.9], None, 0, 0, None, "never shown by p < .05"),
    ],
)
def test_where_peeking_stops_and_whether_it_lasts(
    z: list[float], first: str | None, shown: int, turns: int, held: bool | None, said: str
) -> None:
    result = pb.running(series(z), **PAIRS)
    found = only(result)
    assert (found.naive_first, found.naive_shown, found.naive_turns, found.naive_held) == (first, shown, turns, held)
    assert said in result.summary
    assert found.anytime_first is None
    assert "The anytime-valid sequence shows none" in result.summary


def test_the_error_of_peeking_is_that_of_a_random_walk_at_these_units() -> None:
    count = np.array([200, 240, 900, 1000, 2500, 6000])
    frame = series([0.0] * 6).assign(n_c=count, n_t=2 * count)
    found = only(pb.running(frame, **PAIRS)).peeking_error
    steps = np.random.default_rng(5).normal(size=(200_000, 6)) * np.sqrt(np.diff(count, prepend=0))
    z = np.cumsum(steps, axis=1) / np.sqrt(count)
    assert found == pytest.approx((np.abs(z) > norm.isf(0.025)).any(axis=1).mean(), abs=0.004)


def test_equally_spaced_looks_are_those_of_armitage_mcpherson_and_rowe() -> None:
    assert only(pb.running(series([0.0] * 5), **PAIRS)).peeking_error == pytest.approx(0.142, abs=5e-4)
    assert only(pb.running(series([0.0]), **PAIRS)).peeking_error == pytest.approx(0.05, abs=1e-9)


def test_where_values_go_on_growing_no_error_is_promised_and_intervals_stand_alone() -> None:
    growing = series([1.0] * 4).assign(var_c=[1, 4, 16, 64], var_t=[1, 4, 16, 64])
    result = pb.running(growing, **PAIRS, n_opt=8000)
    alone = only(pb.running(growing.tail(1), **PAIRS, n_opt=8000)).last
    found = only(result)
    assert found.is_growing
    assert found.peeking_error is None
    assert found.last is not None
    assert alone is not None
    assert (found.last.anytime.lower, found.last.anytime.upper) == (alone.anytime.lower, alone.anytime.upper)
    assert "values of a unit go on growing" in result.text()
    assert "Without any effect" not in result.summary


def test_an_effect_shown_early_is_given_without_what_the_stop_adds() -> None:
    result = pb.running(series([1, 3, 4.5, 4.4, 4.6]), **PAIRS)
    found = only(result)
    assert found.anytime_first == "3"
    assert found.anytime_at_end
    assert found.at_stop is not None
    seen = found.checkpoints[2].difference
    assert 0 < found.at_stop.value < seen
    assert "without what stopping there adds" in result.text()


def test_estimates_at_the_stop_are_computed_for_the_first_twenty_and_counted() -> None:
    rows = [series([1, 3, 4.5, 4.4]).assign(metric=i) for i in range(22)]
    found = pb.running(pd.concat(rows), **PAIRS, by="metric")
    given = [each.at_stop is not None for each in found.comparisons]
    assert given == [True] * 20 + [False] * 2
    assert "is given for 20 of the 22 comparisons that were shown early" in found.text()
    assert [each.key for each in found.comparisons] == [(str(i),) for i in range(22)], "10 comes after 9"


def test_of_very_many_looks_enough_are_taken() -> None:
    found = only(pb.running(series([0.0] * 400), **PAIRS))
    assert len(found.checkpoints) == 400
    walks = np.cumsum(np.random.default_rng(6).normal(size=(20_000, 400)), axis=1) / np.sqrt(np.arange(1, 401))
    assert found.peeking_error == pytest.approx((np.abs(walks) > norm.isf(0.025)).any(axis=1).mean(), abs=0.03)


def test_an_effect_that_went_away_is_said_so() -> None:
    result = pb.running(series([5, 6, 0, 0, 0.0]), **PAIRS)
    found = only(result)
    assert found.anytime_first == "1"
    assert not found.anytime_at_end
    assert "but its interval at the end holds zero" in result.summary
    assert "contradict each other" in result.text()


# ── ASOS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_five_asos_experiments() -> None:
    """Counted here from the published columns, by the normal distribution."""
    result = pb.running(ASOS, **PUBLISHED)
    data = pd.read_csv(ASOS).dropna().sort_values("time_since_start")
    error = np.sqrt(data["variance_c"] / data["count_c"] + data["variance_t"] / data["count_t"])
    z = (data["mean_t"] - data["mean_c"]) / error
    data = data.assign(z=z, below=2 * norm.sf(np.abs(z)) < 0.05)
    by_series = [part for _, part in data.groupby(["experiment_id", "variant_id", "metric_id"])]
    peeked = [part for part in by_series if part["below"].any()]
    signs = [np.sign(part.loc[part["below"], "z"].iloc[0]) for part in peeked]
    at_end = [np.sign(part["z"].iloc[-1]) * part["below"].iloc[-1] for part in peeked]
    read = [each for each in result.comparisons if each.checkpoints]
    assert (len(read), len(peeked)) == (len(by_series), sum(each.naive_first is not None for each in read)) == (27, 9)
    assert sum(each.naive_at_end for each in read) == sum(end != 0 for end in at_end) == 3
    held = sum(end == sign for end, sign in zip(at_end, signs, strict=True))
    assert sum(each.naive_held is True for each in read) == held == 2
    assert sum(each.anytime_first is not None for each in read) == 2
    assert all(len(each.checkpoints) == len(part) for each, part in zip(read, by_series, strict=True))
    assert "9 would have been stopped for an effect; at the end 2 of these still show it, 1 shows" in result.summary
    text = result.text()
    assert "126 of 2,108 checkpoints are left out" in text
    assert "9 comparisons have no checkpoint that can be read: 3b4300 1 2, 3b4300 1 3" in text
    assert "verdict" not in text.lower()


# ── Mistakes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

METRICS = pd.concat([WIDE.assign(metric="first"), WIDE.assign(metric="second")])
DAY_3 = WIDE["day"] == 3
SHOUTED = LONG.assign(arm=LONG["arm"].where(LONG["day"] > 1, LONG["arm"].str.upper()))


@pytest.mark.parametrize(
    ("frame", "given", "said", "way_out"),
    [
        (WIDE, {"mean": ("mean_c", "mean_x")}, "no column 'mean_x'", "did you mean 'mean_"),
        (WIDE, {"mean": ("mean_c", "mean_c")}, "'mean_c' is named twice", "one part"),
        (WIDE, {"count": "n_c"}, "1 columns are named as count", "--count n_control,n_treatment"),
        (WIDE, {"variant": "day"}, "2 columns are named as count", "--variant arm"),
        (WIDE, {"control": "c"}, "without a column of the arm", "--variant"),
        (WIDE, {"variance": None}, "the spread of the units is not named", "p·(1-p)·n/(n-1)"),
        (WIDE, {"sd": ("var_c", "var_t")}, "both variance and sd", "either"),
        (WIDE, {"n_opt": 0}, "n_opt is 0", "positive"),
        (WIDE, {"effect_sd": -1}, "effect_sd is -1", "positive"),
        (WIDE, {"confidence_level": 95}, "95 is not a confidence level", "0.95"),
        (WIDE, {"split": {"a": 1, "b": 1}}, "the split names a, b", "control=50,treatment=50"),
        (WIDE[:0], {}, "the table has no rows", ""),
        (METRICS, {}, "6 checkpoints occur more than once", "--by metric"),
        (pd.concat([WIDE, WIDE[:2]]), {}, "2 checkpoints occur more than once, first control at 1", "keep one"),
        (paired(summed(UNITS, running=False)), {}, "counts fall", "--increments"),
        (WIDE.assign(var_c=WIDE["var_c"].where(~DAY_3, -1)), {}, "a variance of -1", "never negative"),
        (WIDE.assign(mean_t=WIDE["mean_t"].where(~DAY_3, np.inf)), {}, "1 of 12 rows of an arm", "finite"),
        (WIDE.assign(n_t=WIDE["n_t"] + 0.5), {}, "first treatment at 1: a count of", "a whole number"),
        (WIDE.assign(n_t=-WIDE["n_t"]), {}, "a count of -", "a whole number"),
        (WIDE.assign(n_t=[*WIDE["n_t"][:5].astype(str), "many"]), {}, "the count of treatment column 'n_t'", "many"),
        (WIDE.assign(day=WIDE["day"].where(~DAY_3)), {}, "1 of 6 rows have no 'day'", "leave these rows out"),
        (WIDE.assign(day=[f"{d}. March" for d in WIDE["day"]]), {}, "order in time is not known", "2026-W05"),
        (WIDE.assign(var_t=WIDE["var_t"].where(~DAY_3)), {"increments": True}, "a number missing", "added up"),
    ],
)  # fmt: skip
def test_each_mistake_is_said_with_a_way_out(
    frame: pd.DataFrame, given: dict[str, Any], said: str, way_out: str
) -> None:
    with pytest.raises(InputError) as raised:
        pb.running(frame, **{**PAIRS, **given})
    assert said in str(raised.value).replace("−", "-")
    assert way_out in str(raised.value).replace("−", "-")


@pytest.mark.parametrize(
    ("frame", "given", "said"),
    [
        (LONG, {"control": "kontrol"}, "'kontrol' is not a value of 'arm'"),
        (LONG[LONG["arm"] == "new"], {}, "holds only the value 'new'"),
        (LONG.replace({"arm": {"control": "old"}}), {}, "which value of 'arm' is the control is not clear"),
        (SHOUTED, {}, "differ by case"),
    ],
)  # fmt: skip
def test_arms_that_are_not_clear_are_refused(frame: pd.DataFrame, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        pb.running(frame, **ROWS, **given)


def test_what_cannot_be_read_is_left_out_counted_and_said() -> None:
    frame = LONG[~((LONG["day"] == 5) & (LONG["arm"] == "new"))]
    frame = frame.assign(mean=frame["mean"].where(frame["day"] != 3))
    frame.loc[frame["day"] == 1, ["n", "var"]] = [1, np.nan]
    found = pb.running(frame, **ROWS)
    assert [c.time for c in only(found).checkpoints] == ["2", "4", "6"]
    said = found.text()
    assert "3 of 6 checkpoints are left out: " in said
    for reason in ("one arm has no row", "an arm has fewer than two units", "an arm has no count, mean or variance"):
        assert f"1 where {reason}" in said


def test_a_metric_that_does_not_vary_is_undetermined() -> None:
    found = pb.running(WIDE.assign(var_c=0, var_t=0), **PAIRS)
    assert only(found).last.fixed.p_value is None
    assert "undetermined: the metric does not vary" in found.text()
    assert only(found).naive_first is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_units_that_got_lost_are_a_warning() -> None:
    frame = series([0.0] * 3).assign(n_t=[1000, 2000, 2700])
    p = binomtest(2700, 5700, 0.5).pvalue
    found = pb.running(frame, **PAIRS, split={"control": 50, "treatment": 50})
    assert only(found).sample_ratio_p == pytest.approx(p, rel=1e-6)
    (warning,) = found.warnings
    assert "3,000 units in control and 2,700 in treatment do not fit the split of 50 to 50" in warning
    assert f"warning: {warning}" in found.text()
    fitting = pb.running(frame, **PAIRS, split={"control": 30, "treatment": 27})
    assert fitting.warnings == ()
    assert "no split was declared" in pb.running(frame, **PAIRS).text()


def test_running_totals_that_are_called_increments_are_doubted() -> None:
    assert any("without --increments" in n for n in pb.running(WIDE, **PAIRS, increments=True).data_notes)
    daily = paired(summed(UNITS, running=False))
    assert not any("without --increments" in n for n in pb.running(daily, **PAIRS, increments=True).data_notes)
