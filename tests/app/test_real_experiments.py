"""Real experiments through the front door; expected values are published ones, or of an OLS written out here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import causaldata
import numpy as np
import pandas as pd
import pytest

import paribus as pb
from paribus import stats
from paribus.errors import InputError
from paribus.experiments.result import Comparison, Result, VerdictValue
from paribus.stats.estimate import Estimate

ASOS = Path(__file__).parents[1] / "data" / "asos_five_experiments.csv"


def only(result: Result) -> Comparison:
    (comparison,) = result.comparisons
    return comparison


def estimate(comparison: Comparison) -> Estimate:
    assert isinstance(comparison.absolute, Estimate), comparison.absolute
    return comparison.absolute


# ── NSW: subsidized work (LaLonde 1986; Dehejia and Wahba 1999) ──────────────────────────────────────────────────────


def test_nsw_gives_the_published_effect() -> None:
    data = causaldata.nsw_mixtape.load_pandas().data.reset_index(names="person")
    data["arm"] = data["treat"].map({0: "control", 1: "treatment"})
    result = pb.analyze(data, unit="person", variant="arm", metrics=["re78"])
    found = estimate(only(result))
    assert found.value == pytest.approx(1794.34, abs=0.01)
    assert found.se == pytest.approx(671.0, abs=0.05)
    assert found.p_value == pytest.approx(0.0079, abs=0.00005)
    assert (found.lower, found.upper) == pytest.approx((474, 3115), abs=0.5)
    assert result.verdict.value is VerdictValue.UNREGISTERED
    assert result.units == {"control": 260, "treatment": 185}


# ── Thornton (2008): incentives to learn HIV results, clustered by village ───────────────────────────────────────────


@pytest.fixture(scope="module")
def thornton() -> pd.DataFrame:
    data = causaldata.thornton_hiv.load_pandas().data.dropna(subset=["any", "got"]).reset_index(names="person")
    return data.astype({"any": int})


def test_thornton_clustered_by_village(thornton: pd.DataFrame) -> None:
    result = pb.analyze(thornton, unit="person", variant="any", metrics=["got"], cluster="villnum")
    comparison = only(result)
    assert (comparison.control.value, comparison.control.units) == (pytest.approx(0.338684, abs=5e-7), 623)
    assert (comparison.treatment.value, comparison.treatment.units) == (pytest.approx(0.789236, abs=5e-7), 2211)
    # CR1: villages have people in both arms, and the four people without a village are one cluster of their own
    assert estimate(comparison).se == pytest.approx(0.02276, abs=5e-6)
    assert estimate(comparison).se == pytest.approx(ols_by_cluster(thornton.fillna({"villnum": -1})), rel=1e-9)
    assert "CR1" in comparison.method
    assert any("107 clusters have units in several arms" in note for note in comparison.notes)
    assert any("4 units name no cluster" in note for note in comparison.notes)


def ols_by_cluster(data: pd.DataFrame) -> float:
    """Standard error of `any` in OLS of `got` on (1, any), CR1 of Stata."""
    x = np.column_stack([np.ones(len(data)), data["any"]])
    y = data["got"].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    residual = y - x @ (bread @ x.T @ y)
    scores = pd.DataFrame(x * residual[:, None]).groupby(data["villnum"].to_numpy()).sum().to_numpy()
    g, n = len(scores), len(data)
    return float(np.sqrt((bread @ scores.T @ scores @ bread)[1, 1] * g / (g - 1) * (n - 1) / (n - 2)))


def test_a_difference_and_its_lift_agree_where_clusters_cross_arms(thornton: pd.DataFrame) -> None:
    comparison = only(pb.analyze(thornton, unit="person", variant="any", metrics=["got"], cluster="villnum"))
    assert isinstance(comparison.relative, Estimate)
    assert comparison.relative.value == pytest.approx(0.450552 / 0.338684, abs=1e-5)
    assert comparison.relative.p_value == estimate(comparison).p_value


def test_people_analyzed_as_villages_are_refused(thornton: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="have several rows with different metric values") as refused:
        pb.analyze(thornton, unit="villnum", variant="any", metrics=["got"])
    assert "finer than the unit of randomization" in (refused.value.rule or "")
    assert "cluster" in (refused.value.fix or "")


# ── Sessions of users: finer rows than the randomized unit ───────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def sessions() -> pd.DataFrame:
    """Four sessions for each of 300 users, whose spending has a strong own level: treating them as iid is wrong."""
    rng = np.random.default_rng(7)
    user = np.repeat(np.arange(300), 4)
    level = rng.normal(20, 5, 300)
    return pd.DataFrame(
        {"user": user, "arm": np.where(user % 2, "treatment", "control"), "spent": level[user] + rng.normal(0, 1, 1200)}
    )


def test_sessions_are_refused_as_units(sessions: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="300 values of 'user' have several rows") as refused:
        pb.analyze(sessions, unit="user", variant="arm", metrics=["spent"])
    assert "cluster: user" in (refused.value.fix or "")


def test_sessions_clustered_by_user_have_the_spread_of_users(sessions: pd.DataFrame) -> None:
    found = estimate(only(pb.analyze(sessions, unit="user", variant="arm", metrics=["spent"], cluster="user")))
    by_user = sessions.groupby(["user", "arm"])["spent"].mean().reset_index()
    arms = [by_user[by_user["arm"] == arm]["spent"] for arm in ("control", "treatment")]
    assert found.value == pytest.approx(arms[1].mean() - arms[0].mean(), rel=1e-9)
    # equal sizes: CR2 is Welch on the users' means
    assert found.se == pytest.approx(np.sqrt(sum(arm.var() / len(arm) for arm in arms)), rel=1e-6)
    rows = [sessions[sessions["arm"] == arm]["spent"] for arm in ("control", "treatment")]
    assert found.se > 1.8 * np.sqrt(sum(arm.var() / len(arm) for arm in rows)), "iid rows would look twice as sure"


# ── Open Bandit (Saito et al. 2021): clicks of 10,000 impressions ────────────────────────────────────────────────────


@pytest.mark.parametrize(("campaign", "random", "bts"), [("all", 38, 42), ("men", 46, 69), ("women", 46, 46)])
def test_open_bandit_clicks(tmp_path: Path, campaign: str, random: int, bts: int) -> None:
    package = find_spec("obp")  # installed for its data, without the packages that importing it needs
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "dataset" / "obd"
    parts = []
    for policy in ("random", "bts"):
        part = pd.read_csv(folder / policy / campaign / f"{campaign}.csv", usecols=["click"])
        parts.append(part.assign(policy=policy, impression=[f"{policy}-{i}" for i in range(len(part))]))
    path = tmp_path / "bandit.csv"
    pd.concat(parts).to_csv(path, index=False)
    result = pb.analyze(path, unit="impression", variant="policy", metrics=["click"], control="random")
    comparison = only(result)
    assert result.units == {"random": 10_000, "bts": 10_000}
    assert comparison.type.value == "proportion"
    assert comparison.control.value == pytest.approx(random / 10_000, abs=1e-12)
    assert comparison.treatment.value == pytest.approx(bts / 10_000, abs=1e-12)
    assert estimate(comparison).value == pytest.approx((bts - random) / 10_000, abs=1e-12)
    shown = estimate(comparison).p_value < 0.05
    assert shown == (campaign == "men")  # 46 against 69: z = 2.15


# ── ASOS (Liu et al. 2021): running summaries, peeking beside anytime-valid ──────────────────────────────────────────


def asos() -> dict[tuple[str, str, str], np.ndarray]:
    """Per experiment, treatment and metric: rows (days, n_c, n_t, mean_c, mean_t, var_c, var_t) by time.

    Checkpoints with a gap, or before both arms have spread, say nothing and are left out.
    """
    columns = ["time_since_start", *(f"{what}_{arm}" for what in ("count", "mean", "variance") for arm in "ct")]
    found: dict[tuple[str, str, str], np.ndarray] = {}
    data = pd.read_csv(ASOS, dtype={"experiment_id": str, "variant_id": str, "metric_id": str})
    for key, part in data.groupby(["experiment_id", "variant_id", "metric_id"]):
        rows = part[columns].dropna().sort_values("time_since_start").to_numpy()
        found[key] = rows[(rows[:, 1:3] > 1).all(axis=1) & (rows[:, 5:7] > 0).all(axis=1)]
    return {key: rows for key, rows in found.items() if len(rows)}


def arms_of(rows: np.ndarray) -> tuple[stats.Arm, stats.Arm]:
    n, mean, var = (rows[:, i : i + 2].T for i in (1, 3, 5))
    nothing = np.full(len(rows), np.nan)
    control, treatment = (stats.Arm(n[i], mean[i], var[i], nothing) for i in (0, 1))
    return control, treatment


def test_the_five_asos_experiments_are_there() -> None:
    assert len({key[0] for key in asos()}) == 5


@pytest.mark.parametrize("key", list(asos()))
def test_asos_from_running_summaries(key: tuple[str, str, str]) -> None:
    rows = asos()[key]
    control, treatment = arms_of(rows)
    naive = stats.difference(control, treatment, boundary=stats.Fixed(level=0.95))
    planned = float((control.n + treatment.n)[-1])
    valid = stats.difference(control, treatment, boundary=stats.AsymptoticSequence(level=0.95, n_opt=planned))
    # the same numbers, read twice
    gap, se = rows[:, 4] - rows[:, 3], np.sqrt(rows[:, 5] / rows[:, 1] + rows[:, 6] / rows[:, 2])
    np.testing.assert_allclose(naive.value, gap, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(naive.se, se, rtol=1e-9)
    known = naive.determined & valid.determined
    assert known.any()
    # what may be read at every checkpoint is wider at every checkpoint, and rejects nothing that peeking does not
    assert ((valid.upper - valid.lower)[known] > (naive.upper - naive.lower)[known]).all()
    peeked, sound = (e.p_value[known] < 0.05 for e in (naive, valid))
    assert not (sound & ~peeked).any()


def test_peeking_finds_more_than_there_is() -> None:
    """Over the experiments' life peeking rejects at some checkpoint more often than the anytime-valid reading."""
    ever: dict[str, int] = {"naive": 0, "anytime": 0}
    for rows in asos().values():
        value, variance = rows[:, 4] - rows[:, 3], rows[:, 5] / rows[:, 1] + rows[:, 6] / rows[:, 2]
        n = rows[:, 1] + rows[:, 2]
        for name, boundary in (
            ("naive", stats.Fixed(level=0.95)),
            ("anytime", stats.AsymptoticSequence(level=0.95, n_opt=float(n[-1]))),
        ):
            read = stats.read(value, boundary, variance=variance, n=n)
            ever[name] += bool((read.p_value < 0.05).any())
    assert ever["naive"] > ever["anytime"]


def test_a_proportion_and_reading_an_estimate_from_elsewhere_agree() -> None:
    read = stats.read(0.0031, stats.Fixed(level=0.95), se=0.001).at()
    assert isinstance(read, Estimate)
    assert (read.lower, read.upper) == pytest.approx((0.0031 - 1.959964 * 0.001, 0.0031 + 1.959964 * 0.001), abs=1e-8)
