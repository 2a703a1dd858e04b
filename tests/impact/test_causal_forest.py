"""The causal forest on units whose effects are known, on nulls, and on a published experiment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import causaldata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError, MissingExtra
from paribus.impact.causal_forest import Forest, causal_forest
from paribus.metrics.unit_rows import UnitRows

BASE = 0.05
"""Average effect."""


def units(seed: int, n: int, differs: float = 0.0) -> pd.DataFrame:
    """A share of .2 that treatment raises by .05, plus `differs` on mobile, minus it on desktop."""
    rng = np.random.default_rng(seed)
    device, country = rng.integers(0, 2, n), rng.integers(0, 4, n)
    treated = rng.integers(0, 2, n)
    p = 0.2 + 0.05 * (country == 1) + treated * (BASE + differs * (2 * device - 1))
    return pd.DataFrame(
        {
            "user": [f"u{i:06}" for i in range(n)],
            "arm": np.where(treated, "treatment", "control"),
            "ordered": (rng.random(n) < p).astype(int),
            "device": np.where(device, "mobile", "desktop"),
            "country": np.array(["NO", "DE", "US", "GB"])[country],
            "visits": rng.normal(size=n).round(4),
        }
    )


def grown(of: pd.DataFrame, seed: int, trees: int = 60) -> Forest:
    rows = UnitRows(
        "ordered",
        tuple(of["arm"]),
        of["ordered"].to_numpy(float),
        {"device": tuple(of["device"]), "country": tuple(of["country"])},
        {"x1": of["visits"].to_numpy()},
        (),
        len(of),
        "",
    )
    return causal_forest(
        rows, control="control", treatment="treatment", weights={"control": 1, "treatment": 1}, seed=seed, trees=trees
    )


@pytest.fixture(scope="module")
def differing() -> Forest:
    return grown(units(1, 9_000, 0.08), 1)


def test_a_planted_difference_is_found_and_borne_out(differing: Forest) -> None:
    assert differing.is_borne_out
    assert differing.importance[0].attribute == "device"
    assert (differing.profiles[0].attribute, differing.profiles[0].level) == ("device", "mobile")
    value, se = differing.effect
    assert value == pytest.approx(BASE, abs=3.3 * se)
    least, most = differing.groups[0], differing.groups[-1]
    # Mostly desktop, whose effect is -.03, and mostly mobile, whose effect is .13.
    assert least.low < 0.03
    assert least.value < BASE < most.value
    assert most.low > 0.03
    assert differing.contrast[2] < 0.01
    assert "Exploratory" in differing.sentence
    assert "mobile" in differing.sentence


def test_each_tested_unit_was_predicted_by_earlier_blocks(differing: Forest) -> None:
    assert differing.units == 9_000
    assert differing.tested == 6_000
    assert sum(group.units for group in differing.groups) == 6_000
    assert sum(each.share for each in differing.importance) == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_forest() -> None:
    of = units(2, 1_500)
    assert grown(of, 3).plain() == grown(of, 3).plain()


def test_too_few_units_and_nothing_to_tell_them_apart_are_refused() -> None:
    with pytest.raises(InputError, match="took part"):
        grown(units(1, 600), 1)
    alike = units(1, 1_500).assign(device="mobile", country="NO", visits=0.0)
    with pytest.raises(InputError, match="nothing tells units apart"):
        grown(alike, 1)


@pytest.mark.slow
def test_a_null_is_borne_out_in_one_of_twenty() -> None:
    size = 200
    found = [grown(units(1_000 + i, 2_400), i) for i in range(size)]
    spread = 3.3 * (0.05 * 0.95 / size) ** 0.5
    assert np.mean([f.is_borne_out for f in found]) <= 0.05 + spread
    held = [all(g.low <= BASE <= g.high for g in f.groups) for f in found]
    assert np.mean(held) >= 0.95 - spread


def test_thornton_s_average_effect_is_the_published_one() -> None:
    """Thornton 2008: 33.9% learn their result without an incentive, 78.9% with any."""
    data = causaldata.thornton_hiv.load_pandas().data.dropna(subset=["any", "got", "distvct", "age"])
    data = data.reset_index(names="person").astype({"any": int})
    data["far"] = np.where(data["distvct"] > 1.5, "far", "near")
    found = pb.heterogeneity(
        data,
        unit="person",
        variant="any",
        metrics=["got"],
        covariates={"got": ["age"]},
        attributes=["far"],
        units=5_000,
        trees=40,
    )
    value, se = found.effect
    assert found.total == len(data)
    assert value == pytest.approx(0.450552, abs=2 * se + 0.005)
    assert found.control_mean == pytest.approx(0.338684, abs=0.02)
    assert {each.attribute for each in found.importance} == {"far", "got before"}


def test_the_command_says_it_is_exploratory_and_gives_the_statement(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    units(4, 1_600, 0.08).to_csv(path, index=False)
    asked = ["heterogeneity", str(path), "--unit", "user", "--variant", "arm", "--metric", "ordered", "--trees", "20"]
    asked += ["--attribute", "device", "--attribute", "country", "--split", "control=50,treatment=50"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "Exploratory" in told.output
    assert "1,600 of 1,600 units" in told.output
    answer = CliRunner().invoke(app, [*asked, "--units", "1300", "--json"])
    assert answer.exit_code == 2  # every second unit is 800: too few
    answer = CliRunner().invoke(app, [*asked, "--json"])
    body = json.loads(answer.output)
    assert body["statement"].startswith("WITH")
    assert body["calibration"]["differential"]["p_value"] <= 1


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "econml", None)
    monkeypatch.setitem(sys.modules, "econml.grf", None)
    with pytest.raises(MissingExtra) as missing:
        grown(units(1, 1_500), 1)
    assert missing.value.fix == 'pip install "paribus[forest]"'
