"""`paribus analyze --treated` and `pb.panel`: effects that nobody randomized, through both doors.

Proposition 99: effects of Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021, table 1), with another digit from
their program; the data are those of Abadie, Diamond and Hainmueller (2010), whose source tests/oracles/quasi.py names.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api as smf
from scipy.stats import binom, t, ttest_ind
from tests.oracles import DATA
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments.panel.result import PanelEffect, PanelEffects

CALIFORNIA = DATA / "california_prop99.csv"
STATES = {"unit": "State", "time": "Year", "treated": "treated", "metric": "PacksPerCapita"}
PUBLISHED = {"did": -27.349, "synthetic-control": -19.620, "synthetic-did": -15.604}
PUBLISHED_SE = {"did": 17.7, "synthetic-control": 9.9, "synthetic-did": 8.4}
COLUMNS = {"unit": "shop", "time": "week", "treated": "on", "metric": "sales"}
SCHEMA = json.loads((Path(__file__).parents[2] / "spec" / "panel.schema.json").read_text())


def on_the_command_line(source: Path, named: dict[str, str], *extra: str) -> tuple[int, str, str]:
    options = [word for name, column in named.items() for word in (f"--{name}", column)]
    done = CliRunner().invoke(app, ["analyze", str(source), *options, *extra])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def shops(n_treated: int = 4, n_control: int = 6, before: int = 5, after: int = 3, effect: float = 3.0, seed: int = 0):
    """Shops by weeks with effects of both and noise that lasts, in an order of no meaning."""
    draw = np.random.default_rng(seed)
    n, weeks = n_treated + n_control, before + after
    noise = draw.normal(size=(n, weeks))
    for week in range(1, weeks):
        noise[:, week] += 0.5 * noise[:, week - 1]
    on = np.zeros((n, weeks), dtype=int)
    on[n_control:, before:] = 1
    sales = 50 + draw.normal(0, 5, n)[:, None] + draw.normal(0, 2, weeks) + effect * on + noise
    shop, week = np.indices(on.shape)
    frame = pd.DataFrame(
        {
            "shop": [f"s{i:02}" for i in shop.ravel()],
            "week": week.ravel() + 1,
            "on": on.ravel(),
            "sales": sales.ravel(),
        }
    )
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def of(result: PanelEffects, estimator: str) -> PanelEffect:
    (found,) = [each for each in result.effects if each.estimator == estimator]
    return found


@pytest.fixture(scope="module")
def california() -> PanelEffects:
    return pb.panel(CALIFORNIA, **STATES)


def test_proposition_99_has_the_published_effects(california: PanelEffects) -> None:
    assert {each.estimator: each.value for each in california.effects} == pytest.approx(PUBLISHED, abs=0.001)
    for each in california.effects:
        # Theirs come from random placebos, these from each control state once.
        assert each.se == pytest.approx(PUBLISHED_SE[each.estimator], rel=0.12)
        assert each.inference == "placebo, 38 control units"
        assert each.lower == pytest.approx(each.value - 1.959964 * each.se)
        assert round(each.p_value * 39, 9).is_integer()
    assert (california.n_treated, california.n_control, california.n_before, california.n_after) == (1, 38, 19, 12)
    assert (california.start, california.first_period, california.last_period) == ("1989", "1970", "2000")
    assert california.treated_units == ("California",)


def test_the_synthetic_california_is_made_of_few_states(california: PanelEffects) -> None:
    weights = of(california, "synthetic-control").weights
    assert [each.unit for each in weights[:4]] == ["Utah", "Montana", "Nevada", "Connecticut"]
    assert sum(each.weight for each in weights) == pytest.approx(1)
    assert len(of(california, "synthetic-did").weights) == 10
    assert np.mean(of(california, "synthetic-control").by_period) == pytest.approx(-19.620, abs=0.001)


def test_the_command_says_the_same_in_words_in_json_and_as_a_page(california: PanelEffects, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, out, _ = on_the_command_line(CALIFORNIA, STATES, "--json", "--html", str(page))
    assert code == 0
    plain = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(plain)
    assert plain == json.loads(json.dumps(california.to_dict()))
    code, words, _ = on_the_command_line(CALIFORNIA, STATES, "--estimator", "synthetic-did")
    assert code == 0
    assert words.startswith("observational: nothing was randomized\n")
    assert "1 treated unit (California) from 1989 on, 38 control units; 19 periods before (1970 on), 12 after" in words
    assert "-15.60" in words
    assert "synthetic control" not in words
    html = page.read_text()
    assert html.count("<svg") >= 1
    assert "observational: nothing was randomized" in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    for text in (html, words, repr(california), california._repr_html_(), out):
        assert "ship" not in text.lower()
        assert "verdict" not in text.lower()


def test_trends_before_treatment_are_shown(california: PanelEffects) -> None:
    """By hand: California's change from the seventies to the eighties against the mean of the others."""
    rows = pd.read_csv(CALIFORNIA, sep=";").query("Year < 1989")
    late = rows["Year"] >= 1980
    change = (
        rows[late].groupby("State")["PacksPerCapita"].mean() - rows[~late].groupby("State")["PacksPerCapita"].mean()
    )
    assert california.placebo_start == "1980"
    assert california.before[0].value == pytest.approx(change["California"] - change.drop("California").mean())
    assert "nothing is found before treatment" in california.text()


def test_groups_that_moved_apart_before_are_said_so() -> None:
    frame = shops(before=8)
    ever = frame.groupby("shop")["on"].transform("max")
    found = pb.panel(frame.assign(sales=frame["sales"] + 3 * ever * frame["week"]), **COLUMNS, estimator="did")
    assert found.before[0].p_value < 0.01
    assert "finds an effect before there was a treatment" in found.text()


def test_several_treated_units_are_compared_by_their_changes() -> None:
    frame = shops(5, 8)
    found = pb.panel(frame, **COLUMNS, confidence_level=0.9)
    after = frame["week"] > 5
    change = frame[after].groupby("shop")["sales"].mean() - frame[~after].groupby("shop")["sales"].mean()
    treated = change.index.isin(frame.loc[frame["on"] == 1, "shop"])
    test = ttest_ind(change[treated], change[~treated], equal_var=False)
    ends = test.confidence_interval(0.9)
    did = of(found, "did")
    assert (did.value, did.p_value) == pytest.approx((change[treated].mean() - change[~treated].mean(), test.pvalue))
    assert (did.lower, did.upper) == pytest.approx((ends.low, ends.high))
    assert of(found, "two-way-fixed-effects").value == pytest.approx(did.value)
    assert of(found, "synthetic-did").inference == "placebo, 200 random groups of control units"
    assert "errors clustered by unit may come out too small with 5 treated units" in found.text()


def test_errors_that_go_together_within_units_and_within_periods() -> None:
    """statsmodels' regression with a column for each shop and week, clustered by both."""
    frame = shops(6, 9, before=8, after=7)
    groups = np.column_stack([pd.factorize(frame[name])[0] for name in ("shop", "week")])
    model = smf.ols("sales ~ on + C(shop) + C(week)", frame)
    with np.errstate(invalid="ignore"):
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
        wanted = fit.params["on"], fit.bse["on"]
    found = of(pb.panel(frame, **COLUMNS, estimator="did"), "two-way-clusters")
    assert (found.value, found.se) == pytest.approx(wanted)
    assert found.upper - found.value == pytest.approx(found.se * t.ppf(0.975, 14))


def test_of_two_treated_units_the_spread_says_nothing_so_placebos_do() -> None:
    found = pb.panel(shops(2, 12), **COLUMNS, estimator="did")
    did, clustered = found.effects
    assert did.inference == "placebo, 200 random groups of control units"
    assert (clustered.value, clustered.se, clustered.p_value) == (pytest.approx(did.value), None, None)
    assert "clustered errors need 5 units in each group, there are 2" in found.text()


def test_what_cannot_be_computed_has_a_reason_and_no_number() -> None:
    found = pb.panel(shops(n_treated=1, n_control=1), **COLUMNS)
    assert found.effects[0].value is not None
    assert [each.se for each in found.effects] == [None] * 3
    assert all(each.reason for each in found.effects)
    few = pb.panel(shops(n_treated=4, n_control=4), **COLUMNS)
    assert of(few, "synthetic-did").p_value is None
    assert "control units for placebos" in few.text()
    assert "with 4 units in a group the error by Welch is itself uncertain" in few.text()
    short = pb.panel(shops(before=1), **COLUMNS)
    assert of(short, "synthetic-control").value is None
    assert short.before == ()
    with pytest.raises(InputError, match="1 periods before"):
        pb.panel(shops(before=1), **COLUMNS, estimator="synthetic-did")


def test_an_effect_is_found_and_none_where_there_is_none() -> None:
    found = pb.panel(shops(6, 14, effect=8.0), **COLUMNS)
    assert all(each.lower < 8 < each.upper and each.p_value < 0.05 for each in found.effects)
    runs = 50
    nulls = [pb.panel(shops(5, 15, effect=0.0, seed=i), **COLUMNS, estimator="did").effects[0] for i in range(runs)]
    low, high = binom.ppf([0.001, 0.999], runs, 0.05)
    assert low <= sum(each.p_value < 0.05 for each in nulls) <= high


@pytest.mark.slow
def test_placebos_reject_as_often_as_they_say() -> None:
    """One unit of 20 exchangeable ones is ranked: p is at most 0.1 in 2 of 20 panels."""
    runs = 60
    asked = {**COLUMNS, "estimator": "synthetic-did", "solver": "exact"}
    found = [pb.panel(shops(1, 19, effect=0.0, seed=i), **asked).effects[0].p_value for i in range(runs)]
    low, high = binom.ppf([0.001, 0.999], runs, 0.1)
    assert low <= sum(p <= 0.1 for p in found) <= high


FRAME = shops()


@pytest.mark.parametrize(
    "frame",
    [
        FRAME.assign(on=FRAME["on"].astype(bool)),
        FRAME.assign(on=FRAME["on"].map({0: "no", 1: "yes"})),
        FRAME.assign(week=[datetime.date(2026, 1, 5) + datetime.timedelta(weeks=int(w)) for w in FRAME["week"]]),
        FRAME.assign(week=[datetime.datetime(2026, 1, 5) + datetime.timedelta(weeks=int(w)) for w in FRAME["week"]]),
        FRAME.assign(week=[f"2026-W{w:02}" for w in FRAME["week"]]),
        FRAME.assign(week=(FRAME["week"] + 6).astype(str)),  # "7" comes before "10"
        FRAME.assign(sales=[f"${x:.12f}" for x in FRAME["sales"]]),
        pl.from_pandas(FRAME),
    ],
    ids=["boolean", "yes and no", "date", "time", "ISO week", "numbers as text", "money", "polars"],
)
def test_the_way_it_is_written_does_not_matter(frame: Any) -> None:
    usual = pb.panel(FRAME, **COLUMNS, estimator="did")
    found = pb.panel(frame, **COLUMNS, estimator="did")
    assert found.effects[0].value == pytest.approx(usual.effects[0].value, rel=1e-9)
    assert (found.n_before, found.n_after) == (5, 3)


def test_a_table_of_a_database_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shops.db") as database:
        FRAME.to_sql("panel", database, index=False)
    code, out, err = on_the_command_line(
        Path("panel"), COLUMNS, "--source", f"sqlite:///{tmp_path / 'shops.db'}", "--estimator", "did", "--json"
    )
    assert code == 0, out + err
    assert json.loads(out)["effects"][0]["value"] == pytest.approx(
        pb.panel(FRAME, **COLUMNS, estimator="did").effects[0].value
    )


WEEK_1 = FRAME["week"] == 1
LAST = FRAME["shop"] == "s09"
ALWAYS = FRAME.assign(on=FRAME["on"] | (LAST * 1))
ENDED = FRAME.assign(on=FRAME["on"] * ~(LAST & (FRAME["week"] == 8)))
STAGGERED = FRAME.assign(on=FRAME["on"] | (LAST & (FRAME["week"] > 3)) * 1)


@pytest.mark.parametrize(
    ("frame", "given", "said", "way_out"),
    [
        (FRAME, {"metric": "sale"}, "no column 'sale'", "did you mean 'sales'"),
        (FRAME, {"metric": "on"}, "'on' is named twice", "four columns"),
        (FRAME, {"metric": "shop"}, "'shop' is named twice", "four columns"),
        (FRAME, {"estimator": "sdid"}, "'sdid' is no estimator", "synthetic-did"),
        (FRAME, {"solver": "best"}, "'best' is no solver", "exact"),
        (FRAME, {"confidence_level": 95}, "95 is not a confidence level", "0.95"),
        (FRAME.assign(on=FRAME["on"] * 2), {}, "holds 2 in 12 rows", "1 in the rows"),
        (FRAME.assign(on=0), {}, "none of 10 units is treated", "from the start of treatment on"),
        (FRAME.assign(on=(FRAME["week"] > 5) * 1), {}, "all 10 units are treated", "not treated"),
        (ALWAYS, {}, "1 of 4 treated units are treated from the first period on (s09)", "marks the group"),
        (ENDED, {}, "switched off again in 1 of 4 treated units (s09)", "leave out"),
        (STAGGERED, {}, "2 different periods: 1 from 4, 3 from 6", "one starting cohort"),
        (pd.concat([FRAME, FRAME[:2]]), {}, "2 pairs of unit and period occur more than once", "average"),
        (FRAME[~(LAST & WEEK_1)], {}, "1 of 80 pairs of unit and period are missing, in 1 of 10 units (s09)", "leave"),
        (FRAME.assign(sales=FRAME["sales"].where(~WEEK_1)), {}, "10 of 80 rows have no 'sales'", "fill them in"),
        (FRAME.assign(shop=FRAME["shop"].where(~WEEK_1)), {}, "10 of 80 rows have no 'shop'", "fill them in"),
        (FRAME.assign(week=[f"{w}. Jan" for w in FRAME["week"]]), {}, "whose order in time is not known", "2026-W05"),
        (FRAME.assign(sales="many"), {}, "'sales'", "many"),
        (FRAME[:0], {}, "the table has no rows", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_said_with_counts_and_a_way_out(
    frame: pd.DataFrame, given: dict[str, Any], said: str, way_out: str
) -> None:
    with pytest.raises(InputError) as raised:
        pb.panel(frame, **{**COLUMNS, **given})
    assert said in str(raised.value)
    assert way_out in str(raised.value)


@pytest.mark.parametrize(
    ("named", "extra", "said"),
    [
        ({**STATES, "variant": "treated"}, (), "--variant cannot be given beside --treated"),
        (STATES, ("--metric", "Year"), "2 metrics are named"),
        ({"unit": "State", "treated": "treated"}, (), "missing: --time, --metric"),
        ({"unit": "State", "time": "Year", "metric": "PacksPerCapita"}, (), "missing: --treated"),
        ({**STATES, "metric": "PacksPerCapta"}, (), "did you mean 'PacksPerCapita'"),
    ],
)
def test_the_command_says_what_it_misses(named: dict[str, str], extra: tuple[str, ...], said: str) -> None:
    code, _, err = on_the_command_line(CALIFORNIA, named, *extra)
    assert code == 2
    assert said in err
