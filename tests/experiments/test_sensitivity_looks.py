"""The looks to come of a group-sequential plan: closed forms, simulated chances, published boundaries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from scipy.optimize import brentq
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.experiments.sensitivity.findings import LaterLooks

PLAN = """\
paribus: 1
experiment: shop
interference: none because carts are personal
units: {table: rows.csv, unit: user, variant: group, exposed_at: at}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, value: revenue}
  - {name: returned, type: mean, value: returned, role: secondary, direction: decrease}
plan: {method: group_sequential, start: 2026-03-02, LOOKS, smallest_worthwhile: {revenue: 5%}}
"""
DAYS = 12


def rows(n: int = 2400, effect: float = 0.4) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    group = np.resize(["control", "treatment"], n)
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "group": group,
            "at": pd.Timestamp("2026-03-02") + pd.to_timedelta(np.arange(n) * DAYS / n, unit="D"),
            "revenue": draw.normal(10, 4, n) + effect * (group == "treatment"),
            "returned": draw.gamma(2, 2, n),
        }
    )


def ahead(folder: Path, looks: str, as_of: str, data: pd.DataFrame, plan: str = PLAN) -> tuple[LaterLooks, ...]:
    data.to_csv(folder / "rows.csv", index=False)
    (folder / "experiment.yaml").write_text(plan.replace("LOOKS", looks))
    return pb.analyze(folder / "experiment.yaml", as_of=as_of).sensitivity().later_looks


HALF = "looks: [6, 12], planned_units: 2400"


def at_half(data: pd.DataFrame) -> tuple[pd.Series, pd.Series, float, float]:
    """Both arms of the first half, the difference, and its standard error."""
    first = data[data["at"] < "2026-03-08"]
    control, treatment = (first.revenue[first.group == arm] for arm in ("control", "treatment"))
    se = float(np.sqrt(control.var() / len(control) + treatment.var() / len(treatment)))
    return control, treatment, float(treatment.mean() - control.mean()), se


def test_with_one_look_left_the_chance_is_a_normal_tail(tmp_path: Path) -> None:
    data = rows()
    control, _, effect, se = at_half(data)
    (found,) = ahead(tmp_path, HALF, "2026-03-09", data)
    assert (found.look, found.looks, found.units) == (1, 2, 1200)
    assert found.units_to_come == pytest.approx(1200)
    assert found.statistic == pytest.approx(effect / se)
    # Lan, DeMets 1983, half of the information, two-sided .05: 2.9626 now, 1.9686 at the end.
    assert found.boundary == pytest.approx(2.9626, abs=2e-4)
    for assumed, chance in ((effect, found.chance_as_seen), (0.05 * control.mean(), found.chance_if_worthwhile)):
        drift = assumed / se * np.sqrt(2)
        mean = effect / se * np.sqrt(0.5) + drift / 2
        assert chance == pytest.approx(scipy_stats.norm.sf((1.9686 - mean) / np.sqrt(0.5)), abs=2e-4)


def test_the_shapes_are_those_of_the_tables(tmp_path: Path) -> None:
    """Jennison, Turnbull 2000, tables 2.1 and 2.3: constants for two looks at two-sided .05."""
    (found,) = ahead(tmp_path, HALF, "2026-03-09", rows())
    assert found.obrien_fleming == pytest.approx(1.977 * np.sqrt(2), abs=1e-3)
    assert found.pocock == pytest.approx(2.178, abs=1e-3)


def test_units_with_the_effect_that_the_rest_must_show_end_on_the_boundary(tmp_path: Path) -> None:
    data = rows()
    control, treatment, _, _ = at_half(data)
    (found,) = ahead(tmp_path, HALF, "2026-03-09", data)
    assert found.rest_must_show is not None
    ends = np.concatenate([control, control])
    rest = treatment - treatment.mean() + control.mean() + found.rest_must_show
    both = np.concatenate([treatment, rest])
    z = (both.mean() - ends.mean()) / np.sqrt(both.var(ddof=1) / len(both) + ends.var(ddof=1) / len(ends))
    assert z == pytest.approx(1.9686, abs=1e-3)


def test_chances_over_two_looks_to_come_are_those_of_simulated_walks(tmp_path: Path) -> None:
    data = rows()
    (found,) = ahead(tmp_path, "looks: [4, 8, 12], planned_units: 2400", "2026-03-07", data)
    t = np.array([1, 2, 3]) / 3
    # O'Brien-Fleming spending at three equal looks, two-sided .05: rpact 3.7103, 2.5114, 1.9930.
    critical = [2.5114, 1.9930]
    assert found.boundary == pytest.approx(3.7103, abs=2e-4)
    assert found.chance_as_seen is not None
    rng = np.random.default_rng(5)
    drift = found.statistic / np.sqrt(t[0])
    walk = found.statistic * np.sqrt(t[0]) + np.cumsum(
        drift / 3 + rng.standard_normal((200_000, 2)) * np.sqrt(1 / 3), axis=1
    )
    z = walk / np.sqrt(t[1:])
    above_first = z[:, 0] >= critical[0]
    stopped = above_first | ((np.abs(z[:, 0]) < critical[0]) & (z[:, 1] >= critical[1]))
    assert found.chance_as_seen == pytest.approx(stopped.mean(), abs=0.005)


def test_where_less_is_better_the_chance_is_that_of_less(tmp_path: Path) -> None:
    plan = PLAN.replace("value: revenue}", "value: revenue, direction: decrease}")
    more = ahead(tmp_path, HALF, "2026-03-09", rows())[0]
    less = ahead(tmp_path, HALF, "2026-03-09", rows(), plan)[0]
    assert less.statistic == pytest.approx(-more.statistic)
    assert less.chance_as_seen is not None
    assert less.chance_as_seen < 0.01
    assert less.rest_must_show is not None
    assert less.rest_must_show < 0


def test_days_tell_the_information_where_no_units_are_planned(tmp_path: Path) -> None:
    by_days = ahead(tmp_path, "looks: [6, 12]", "2026-03-09", rows())[0]
    by_units = ahead(tmp_path, HALF, "2026-03-09", rows())[0]
    assert by_days.chance_as_seen == pytest.approx(by_units.chance_as_seen)


def test_units_that_are_planned_and_not_there_are_to_come(tmp_path: Path) -> None:
    """Two fifths of the units are there: the last boundary from the joint distribution of the looks."""
    data = rows()
    _, _, effect, se = at_half(data)
    (found,) = ahead(tmp_path, "looks: [6, 12], planned_units: 3000", "2026-03-09", data)
    assert found.units_to_come == pytest.approx(1800)
    first = scipy_stats.norm.isf(2 * scipy_stats.norm.sf(scipy_stats.norm.isf(0.0125) / np.sqrt(0.4)))
    assert found.boundary == pytest.approx(first)
    both = scipy_stats.multivariate_normal(cov=[[1, np.sqrt(0.4)], [np.sqrt(0.4), 1]])

    def excess(last: float) -> float:
        stays = both.cdf([first, last], lower_limit=[-first, -last])
        return float(1 - stays - 0.05)

    last = brentq(excess, 1.9, 2.2, xtol=1e-5)
    mean = effect / se * (np.sqrt(0.4) + 0.6 / np.sqrt(0.4))
    chance = scipy_stats.norm.sf((last - mean) / np.sqrt(0.6))
    assert found.chance_as_seen == pytest.approx(chance, abs=2e-4)


def test_hypotheses_share_alpha(tmp_path: Path) -> None:
    plan = PLAN.replace("role: secondary, ", "")
    found = ahead(tmp_path, HALF, "2026-03-09", rows(), plan)
    assert [k.metric for k in found] == ["revenue", "returned"]
    # Each has .025; at half of the information each side has spent 2 - 2 Phi(z / sqrt .5), z of .025 / 4.
    spent = 2 * 2 * scipy_stats.norm.sf(scipy_stats.norm.isf(0.025 / 4) / np.sqrt(0.5))
    assert found[0].boundary == pytest.approx(scipy_stats.norm.isf(spent / 2), abs=1e-6)


def test_an_effect_that_is_shown_has_no_chance_to_come(tmp_path: Path) -> None:
    (found,) = ahead(tmp_path, HALF, "2026-03-09", rows(effect=3))
    assert found.shown
    assert (found.chance_as_seen, found.chance_if_worthwhile, found.rest_must_show) == (None, None, None)


@pytest.mark.parametrize(
    ("looks", "as_of"),
    [(HALF, "2026-03-16"), ("looks: [6, 12], planned_units: 1000", "2026-03-09")],
    ids=["last look", "more units than planned"],
)
def test_nothing_to_come_has_no_forecast(tmp_path: Path, looks: str, as_of: str) -> None:
    assert ahead(tmp_path, looks, as_of, rows()) == ()


def test_a_constant_metric_has_no_forecast(tmp_path: Path) -> None:
    assert ahead(tmp_path, HALF, "2026-03-09", rows().assign(revenue=1.0)) == ()


def test_the_command_says_what_the_rest_must_show(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "experiment.yaml").write_text(PLAN.replace("LOOKS", HALF))
    result = pb.analyze(tmp_path / "experiment.yaml", as_of="2026-03-09")
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))
    said = CliRunner().invoke(app, ["sensitivity", str(tmp_path / "result.json")]).output
    assert "look 1 of 2" in said
    assert "the 1,200 units to come must show" in " ".join(said.split())
    assert all(len(line) <= 80 for line in said.splitlines())
    plain = json.loads(CliRunner().invoke(app, ["sensitivity", str(tmp_path / "result.json"), "--json"]).output)
    assert plain["later_looks"][0]["pocock"] == pytest.approx(2.178, abs=1e-3)
