"""Certification: its re-randomization agrees with one unit by unit, and its numbers with closed forms."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import paribus as pb
from paribus.errors import InputError, PlanError
from paribus.experiments.rerandomization import Replays, arms_of, assignments, bucket_error, multiplied
from paribus.stats.boundary import Fixed
from paribus.stats.moments import Moments
from paribus.warehouse import open_engine
from paribus.warehouse.one_arm import SALT, OneArm

HISTORY = """\
paribus: 1
experiment: history
kind: ab
interference: none because carts are personal
units: {table: history.csv, unit: user, variant: group}
variants: {control: 50, treatment: 50}
control: control
metrics:
  - {name: converted, type: proportion, value: converted}
  - {name: revenue, type: mean, value: revenue, covariates: [before]}
  - {name: per_session, type: ratio, value: revenue, denominator: sessions}
plan: {method: fixed, runtime_days: 14, smallest_worthwhile: {revenue: 2%}}
"""
EVENTS = """\
paribus: 1
experiment: events
kind: ab
interference: none because carts are personal
exposures: {table: exposures.csv, unit: user, variant: group, time: at}
events:
  orders: {table: orders.csv, unit: user, time: at}
variants: {control: 50, treatment: 50}
control: control
metrics:
  - {name: revenue, type: mean, source: orders, value: amount, window_days: 7}
plan: {method: fixed, runtime_days: 14}
"""
N = 4000


def history(folder: Path, n: int = N, text: str = HISTORY) -> Path:
    """Conversions at 20%, revenue = before + noise with equal variances (so CUPED removes half), and sessions."""
    draw = np.random.default_rng(5)
    before, noise = 10 + draw.normal(size=n), draw.normal(size=n)
    converted, sessions = draw.random(n) < 0.2, 1 + draw.poisson(3, n)
    rows = [
        f"u{i},{int(converted[i])},{before[i] + noise[i]!r},{before[i]!r},{sessions[i]}".replace("np.float64", "")
        for i in range(n)
    ]
    (folder / "history.csv").write_text(
        "user,converted,revenue,before,sessions\n" + "\n".join(rows).replace("(", "").replace(")", "") + "\n"
    )
    path = folder / "experiment.yaml"
    path.write_text(text)
    return path


def test_numbers_agree_with_closed_forms(tmp_path: Path) -> None:
    found = pb.certify(history(tmp_path), replications=1000, seed=1)
    assert found.units == N
    by_name = {m.metric: m for m in found.metrics}
    for metric in found.metrics:
        assert metric.type_i_error is not None
        assert metric.error is not None
        assert abs(metric.type_i_error - 0.05) < 3 * metric.error
        assert metric.holds
    revenue = by_name["revenue"]
    assert revenue.variance_reduction == pytest.approx(0.5, abs=0.03)
    # the residual sd is 1, the baseline 10: (1.96 + 0.84) * 2 / sqrt(n) / 10
    assert revenue.detectable == pytest.approx(2.8016 * 2 / np.sqrt(N) / 10, rel=0.08)
    ncp = 0.02 * 10 / (2 / np.sqrt(N))
    assert revenue.power[0].power == pytest.approx(stats.norm.sf(1.96 - ncp), abs=0.04)
    assert [each.effect for each in by_name["converted"].power] == [0.01, 0.02, 0.05]
    assert by_name["converted"].skewness == pytest.approx((1 - 2 * 0.2) / np.sqrt(0.2 * 0.8), abs=0.15)
    assert by_name["converted"].safe_units is None
    text = found.text()
    assert max(map(len, text.splitlines())) <= 80
    assert "it holds" in text
    assert found.to_dict()["metrics"][1]["holds"] is True  # type: ignore[index]


def test_buckets_agree_with_units_drawn_singly() -> None:
    """On lognormal data: the same rate of rejection, and the same spread of the difference, as unit by unit."""
    draw = np.random.default_rng(2)
    y, r, b = draw.lognormal(size=6000), 1500, 4096
    bucket = draw.integers(b, size=len(y))
    n = np.bincount(bucket, minlength=b).astype(float)
    mean = np.divide(np.bincount(bucket, y, b), n, out=np.zeros(b), where=n > 0)
    d = y - mean[bucket]
    cells = Moments(
        ("y",), n, mean[:, None], np.bincount(bucket, d**2, b)[:, None, None], np.bincount(bucket, d**3, b)[:, None]
    )
    by_bucket = Replays(*arms_of(cells, assignments([1, 1], r, 3)), "y", (), Fixed())
    arm = assignments([1, 1], r, 4, len(y))
    p = np.array([stats.ttest_ind(y[a == 1], y[a == 0], equal_var=False).pvalue for a in arm])
    singly = float(np.mean(p < 0.05))
    error = np.hypot(np.sqrt(2 * 0.05 * 0.95 / r), bucket_error(0.05, b))
    assert abs(float(by_bucket.rejected()[0].mean()) - singly) < 3 * error
    differences = by_bucket.treatment.mean[:, 0] - by_bucket.control.mean[:, 0]
    assert differences.std() == pytest.approx(2 * y.std() / np.sqrt(len(y)), rel=0.08)


def test_arms_and_effects_are_exact() -> None:
    draw = np.random.default_rng(0)
    rows = [draw.normal(1e6, 1, (5, 2)) for _ in range(8)]
    cells = Moments.stack([Moments.from_rows(x, ["y", "x"]) for x in rows])
    assigned = assignments([1, 1], 20, 0, 8)
    _, treatment = arms_of(cells, assigned)
    for i in range(20):
        if (assigned[i] == 1).any():
            x = np.concatenate([x for x, a in zip(rows, assigned[i], strict=True) if a == 1])
            x[:, 0] *= 1.1
            got = multiplied(treatment.take(i), 0.1)
            np.testing.assert_allclose(got.mean, x.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(got.cov, np.cov(x.T), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shift", [0, 20])
def test_the_best_window_is_that_of_the_history(tmp_path: Path, shift: int) -> None:
    """Orders before exposure repeat those after: in the last 7 days, or 20 days earlier (27 days before)."""
    draw = np.random.default_rng(6)
    amount = draw.exponential(10, 1000)
    exposed = "\n".join(f"u{i},old,2026-03-01T00:00:00" for i in range(1000))
    (tmp_path / "exposures.csv").write_text(f"user,group,at\n{exposed}\n")
    before = "2026-02-23" if shift == 0 else "2026-02-03"
    orders = [f"u{i},{at}T00:00:00,{a:.6f}" for i, a in enumerate(amount) for at in (before, "2026-03-02")]
    (tmp_path / "orders.csv").write_text("user,at,amount\n" + "\n".join([*orders, "u0,2026-04-01T00:00:00,1"]) + "\n")
    path = tmp_path / "experiment.yaml"
    path.write_text(EVENTS)
    (revenue,) = pb.certify(path, replications=100).metrics
    assert revenue.by_window is not None
    assert revenue.by_window[28] == pytest.approx(1.0, abs=1e-6)
    assert revenue.by_window[7] == pytest.approx(1.0 if shift == 0 else 0.0, abs=0.02)


def test_a_ratio_without_a_denominator_before_exposure_has_no_window(tmp_path: Path) -> None:
    """Orders 27 days before exposure: windows of 7 and 14 days are empty, and a ratio is 0 / 0 there."""
    draw = np.random.default_rng(7)
    exposed = "\n".join(f"u{i},old,2026-03-01T00:00:00" for i in range(600))
    (tmp_path / "exposures.csv").write_text(f"user,group,at\n{exposed}\n")
    rows = []
    for i in range(600):
        amount, items = draw.exponential(10), 1 + draw.poisson(2)
        rows += [f"u{i},{at}T00:00:00,{amount:.4f},{items}" for at in ("2026-02-03", "2026-03-02")]
    text = "user,at,amount,items\n" + "\n".join([*rows, "u0,2026-04-01T00:00:00,1,1"]) + "\n"
    (tmp_path / "orders.csv").write_text(text)
    ratio = "{name: per_item, type: ratio, source: orders, value: amount, denominator: items, window_days: 7}"
    document = EVENTS.replace("{name: revenue, type: mean, source: orders, value: amount, window_days: 7}", ratio)
    path = tmp_path / "experiment.yaml"
    path.write_text(document)
    found = pb.certify(path, replications=100)
    (metric,) = found.metrics
    assert metric.by_window is not None
    assert (metric.by_window[7], metric.by_window[14]) == (None, None)
    assert metric.by_window[28] == pytest.approx(1.0, abs=1e-6)
    assert metric.best_window == 28
    assert "nan" not in found.text()
    assert found.to_dict()["metrics"][0]["by_window"]["7"] is None  # type: ignore[index]
    # the plan's own covariate of seven days has nothing to say either, and is left out with a word
    path.write_text(document.replace("window_days: 7}", "window_days: 7, covariates: [{days: 7}]}"))
    (own,) = pb.certify(path, replications=200).metrics
    assert own.without_covariates in own.sentences()
    assert own.without_covariates
    assert own.type_i_error is not None
    assert 0 < own.type_i_error < 0.1
    assert own.variance_reduction == 0


def test_what_is_set_aside_is_said(tmp_path: Path) -> None:
    """Strata, epochs and the looks of a sequential plan: a note each, and futility is not promised to add power."""
    plain = " ".join(pb.certify(history(tmp_path, 400), replications=100).notes)
    assert "Strata" not in plain
    assert "Earlier looks" not in plain
    plan = "plan: {method: group_sequential, start: 2026-06-01, looks: [7, 14], futility: FUTILITY}\n"
    text = HISTORY.replace("variant: group}", "variant: group, stratum: sessions}")
    text = text[: text.index("plan:")] + plan
    for futility in ("none", "non_binding"):
        path = history(tmp_path, 400, text.replace("FUTILITY", futility))
        notes = " ".join(pb.certify(path, replications=100).notes)
        assert "Strata and epochs of the history are set aside" in notes
        assert "Earlier looks spend" in notes
        assert ("takes some of it away" in notes) == (futility != "none")


def test_variants_of_the_history_do_not_matter(tmp_path: Path) -> None:
    """A unit that was in two arms of an old experiment is one unit here, as it is for a sizing."""
    (tmp_path / "exposures.csv").write_text(
        "user,group,at\n"
        + "\n".join(f"u{i},{arm},2026-03-01T00:00:00" for i in range(300) for arm in ("red", "blue"))
        + "\n"
    )
    rows = [f"u{i},2026-03-02T00:00:00,{1 + i % 7}" for i in range(300)]
    (tmp_path / "orders.csv").write_text("user,at,amount\n" + "\n".join([*rows, "u0,2026-04-01T00:00:00,1"]) + "\n")
    path = tmp_path / "experiment.yaml"
    path.write_text(EVENTS)
    assert pb.certify(path, replications=100).units == 300


def test_a_bucket_is_the_md5_of_the_unit(tmp_path: Path) -> None:
    history(tmp_path, 20)
    engine = OneArm(open_engine(base_dir=tmp_path), "history.csv", "user", 64)
    rows = engine.query(
        f"SELECT user, paribus_bucket_coarse AS a, paribus_bucket_fine AS b FROM {engine.relation_sql('history.csv')}"
    ).rows
    engine.close()
    for user, coarse, fine in rows:
        digits = hashlib.md5(f"{SALT}{user}".encode(), usedforsecurity=False).hexdigest()
        assert (int(coarse), int(fine)) == (int(digits[:7], 16) % 64, int(digits[8:15], 16) % 64)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="150 units"):
        pb.certify(history(tmp_path, 150), replications=100)
    clusters = HISTORY.replace("kind: ab", "kind: cluster").replace("variant: group}", "variant: group, cluster: user}")
    with pytest.raises(PlanError, match="clusters"):
        pb.certify(history(tmp_path, 300, clusters), replications=100)
    with pytest.raises(InputError, match="50 replications"):
        pb.certify(history(tmp_path, 300), replications=50)
