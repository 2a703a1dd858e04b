"""Sizes of other calculators against what R, rpact and tea-tasting print, and the way from them to the plan."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.experiments.test_sizing import share_setting, table
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.experiments import sizing
from paribus.experiments.other_sizes import OtherSize, OtherSizes
from paribus.experiments.plan import Method, Plan
from paribus.experiments.sizes import size

Z = stats.norm.ppf


@pytest.fixture(autouse=True)
def _few_replications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paribus.experiments.operating.REPLICATIONS", 10)
    monkeypatch.setattr("paribus.experiments.operating.REPLICATIONS_WITH_LOOKS", 2)


def published(case: str) -> dict[str, Any]:
    """Inputs and values of a case of the oracles, printed by the tool that the case names."""
    data = json.loads((Path(__file__).parent.parent / "oracles" / "data" / "power.json").read_text())
    return next(each for each in data["cases"] if each["id"] == case)


def by(found: OtherSizes, key: str) -> OtherSize:
    return next(each for each in found.sizes if each.key == key)


@pytest.mark.parametrize("case", ["props-0.03-0.0345", "props-0.1-0.11", "props-0.2-0.25", "props-0.85-0.87"])
def test_shares_are_what_r_and_evan_miller_say(case: str) -> None:
    """R: power.prop.test, pwr.2p.test; Evan Miller's formula."""
    known = published(f"power/{case}")
    p, q = known["inputs"]["p1"], known["inputs"]["p2"]
    found = sizing.from_numbers(baseline=p, mde=q / p - 1).compare()
    for key, name in {
        "pooled": "n_pooled",
        "unpooled": "n_unpooled",
        "arcsine": "n_arcsine",
        "evan_miller": "n_evanmiller",
    }.items():
        # R searches pwr.2p.test's root to a few parts in a million.
        slack = 1 if key == "arcsine" else 0
        assert by(found, key).per_arm == pytest.approx(math.ceil(known["expected"][name]), abs=slack)
        assert by(found, key).total == 2 * by(found, key).per_arm
    assert [each.key for each in found.sizes if each.is_own] == ["pooled"]
    assert by(found, "pooled").change == 0
    assert by(found, "evan_miller").change == pytest.approx(
        math.ceil(known["expected"]["n_evanmiller"]) / math.ceil(known["expected"]["n_pooled"]) - 1
    )


def test_means_are_what_r_says() -> None:
    """R: power.t.test(delta = .1, sd = .8), and the same by the normal distribution."""
    known = published("power/means-6")["expected"]
    found = sizing.from_numbers(baseline=10, sd=0.8, mde=0.01).compare()
    assert by(found, "relative_t").per_arm == known["n_t_ceil"]
    assert by(found, "z").per_arm == math.ceil(known["n_z"])
    assert [each.key for each in found.sizes] == ["relative_t", "z", "pocock", "obrien_fleming"]
    assert by(found, "relative_t").is_own


def test_a_relative_effect_is_what_tea_tasting_says() -> None:
    known = published("power/tt-power-2")
    mean, variance = known["inputs"]["mean"][0], known["inputs"]["cov"][0][0]
    found = sizing.from_numbers(baseline=mean, sd=math.sqrt(variance), mde=0.05).compare()
    assert by(found, "relative_t").total == pytest.approx(known["expected"]["mean_n_obs_80"], abs=1)


def test_classic_boundaries_cost_what_the_book_says() -> None:
    """Jennison, Turnbull 2000, tables 2.1 to 2.4: constants and inflation for 4 looks, alpha .05, power .8."""
    found = sizing.from_numbers(baseline=40, sd=85, mde=0.05).compare()
    fixed = (Z(0.975) + Z(0.8)) ** 2 * 2 * 85**2 / 2**2
    pocock, fleming = by(found, "pocock"), by(found, "obrien_fleming")
    assert pocock.per_arm / fixed == pytest.approx(1.202, abs=0.0006)
    assert fleming.per_arm / fixed == pytest.approx(1.024, abs=0.0006)
    assert "2.36 at every look" in pocock.why
    assert "4.05 at the first look, 2.02 at the last" in fleming.why  # 2.024 sqrt(4 / k)
    draw = np.random.default_rng(4)
    at = np.array([0.25, 0.5, 0.75, 1.0])
    for row, critical in ((pocock, np.full(4, 2.361)), (fleming, 2.024 / np.sqrt(at))):
        walk = np.cumsum(draw.normal(0, 0.5, (100_000, 4)), axis=1)
        drift = 2 / math.sqrt(2 * 85**2 / row.per_arm)
        for shift, told in ((drift, row.expected_h1), (0.0, row.expected_h0)):
            crossed = np.abs(walk / np.sqrt(at) + shift * np.sqrt(at)) >= critical
            stop = at[np.where(crossed.any(axis=1), crossed.argmax(axis=1), 3)]
            assert told / row.total == pytest.approx(stop.mean(), abs=0.004)
            if shift:
                assert crossed.any(axis=1).mean() == pytest.approx(0.8, abs=0.005)


def test_the_steps_lead_to_the_plan() -> None:
    """Two treatments halve alpha, two guardrails divide beta by three, a third arm asks for its own units."""
    plan = Plan(method=Method.ANYTIME)
    made = sizing.from_numbers(baseline=40, sd=85, mde=0.05, arms=3, guardrails=2, plan=plan)
    steps = made.compare().steps

    def both(alpha: float, power: float) -> float:
        return float((Z(1 - alpha / 2) + Z(power)) ** 2 * 4 * 85**2 / 2**2)

    assert [step.units for step in steps[:3]] == pytest.approx(
        [both(0.05, 0.8), both(0.025, 0.8), both(0.025, 1 - 0.2 / 3)], rel=1e-3
    )
    assert steps[3].words == "read by the plan's method, anytime"
    assert steps[3].units * 3 / 2 == pytest.approx(steps[4].units, rel=1e-4)
    assert steps[4].units == made.chosen.maximum


def test_a_plan_that_is_the_textbooks_has_no_way_to_tell() -> None:
    found = sizing.from_numbers(baseline=0.12, mde=0.03).compare()
    assert [step.units for step in found.steps] == [259_120, 259_120]
    assert "From there" not in found.text()


def test_history_with_covariates_is_compared_without_them(tmp_path: Path) -> None:
    made = pb.design(table(tmp_path))
    found = made.compare()
    raw = (Z(0.975) + Z(0.8)) ** 2 * 4 * made.sd**2 / (0.02 * made.baseline) ** 2
    assert by(found, "z").total == pytest.approx(raw, abs=2)  # each arm whole
    assert [step.words for step in found.steps] == [
        "one metric, two arms, read once",
        "error of 0.025, corrected for several comparisons",
        "power of 0.9, so that guardrails pass too",
        "less variance by covariates",
        "the plan: 2 arms, as visits asks",
    ]
    assert found.steps[3].units == pytest.approx(found.steps[2].units / 2, rel=0.06)


def test_what_comes_in_clusters_has_no_calculator() -> None:
    setting = share_setting(runtime_days=14)
    ordered = replace(setting.populations["ordered"], inflation=2.0, clustered=True)
    found = size(replace(setting, populations={**setting.populations, "ordered": ordered}), replications=0).compare()
    assert [each.key for each in found.sizes] == ["relative_t"]
    assert len(found.left_out) == 2
    assert "independent" in found.text()


def test_a_share_that_cannot_move_so_far_has_no_calculator() -> None:
    setting = share_setting(runtime_days=14)
    adjusted = replace(setting.populations["ordered"], inflation=2.0, clustered=True)  # compared as a mean
    populations = {**setting.populations, "ordered": adjusted}
    found = size(replace(setting, populations=populations, effects={"ordered": 0.7}), replications=0)
    assert found.compare().sizes == found.compare().steps == ()
    assert "0.6 becomes 1.02" in found.compare().text()
    assert json.dumps(found.to_dict())


def test_a_power_below_alpha_has_no_sizes() -> None:
    found = size(share_setting(runtime_days=14), replications=0)
    weak = replace(found, nominal=replace(found.nominal, power=0.04)).compare()
    assert weak.sizes == ()
    assert "0.04" in weak.left_out[0]
    assert weak.text()


def test_millions_of_units_do_not_run_together() -> None:
    found = sizing.from_numbers(baseline=0.001, mde=0.01, daily_units=1e6)
    told = f"{found.text()}\n{found.compare().text()}"
    assert all(len(line) <= 80 for line in told.splitlines())
    assert max(map(len, re.findall(r"[\d,]+", told))) <= len("315,207,862")
    p, q = 0.001, 0.00101
    root = Z(0.975) * math.sqrt((p + q) * (2 - p - q) / 2) + Z(0.8) * math.sqrt(p * (1 - p) + q * (1 - q))
    assert f"{(root / (q - p)) ** 2 / 1e6:.1f}M" in told  # Chow 2008, with the pooled variance
    assert found.compare().sizes[0].total == found.chosen.maximum == 315_207_862


def test_the_command_prints_the_table_when_asked() -> None:
    command = ["design", "--baseline", "20%", "--mde", "25%"]
    short = CliRunner().invoke(app, command).stdout
    long = CliRunner().invoke(app, [*command, "--compare"]).stdout
    assert "Evan Miller" not in short
    assert "1,031" in long  # his calculator's first screen says 1,030, rounded
    assert long.startswith(short.rstrip("\n"))
    assert all(len(line) <= 80 for line in long.splitlines())
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["other_sizes"]
    assert {row["key"]: row["per_arm"] for row in told["sizes"]}["unpooled"] == 1091
