"""Latency, request rates, sample ratio, service levels: against numpy, by hand, and by coverage."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.errors import InputError
from paribus.monitoring import sample_ratio
from paribus.monitoring.finding import Severity
from paribus.monitoring.guardrail import Counts
from paribus.monitoring.latency import Histogram, compare, quantile
from paribus.monitoring.request_rate import Rate, RequestSums, difference, rate, ratio
from paribus.monitoring.service_level import ServiceLevel, Traffic, read


def histogram(values: np.ndarray) -> Histogram:
    made = Histogram()
    for value in values:
        made.add(float(value))
    return made


def test_a_quantile_is_exact_to_a_hundredth() -> None:
    values = np.random.default_rng(1).lognormal(5, 0.6, 20_000)
    found = quantile(histogram(values), 20_000)
    assert found.value == pytest.approx(float(np.quantile(values, 0.95)), rel=0.011)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_the_interval_holds_where_requests_of_a_unit_are_equal() -> None:
    random = np.random.default_rng(2)
    truth = float(np.exp(5 + 0.5 * 1.6448536))
    hit = 0
    for _ in range(100):
        values = np.repeat(random.lognormal(5, 0.5, 300), 8)
        found = quantile(histogram(values), 300)
        hit += bool(found.low and found.high and found.low * 0.98 <= truth <= found.high * 1.02)
    assert hit >= 88  # of 100 at 95%


def test_only_a_clear_difference_pauses() -> None:
    random = np.random.default_rng(3)
    control = quantile(histogram(random.lognormal(5, 0.4, 5000)), 5000)
    same = quantile(histogram(random.lognormal(5, 0.4, 5000)), 5000)
    slow = quantile(histogram(random.lognormal(5.5, 0.4, 5000)), 5000)
    assert compare(control, same, "treatment").severity is Severity.WELL
    assert compare(control, slow, "treatment").severity is Severity.PAUSES
    assert compare(control, quantile(Histogram(), 0), "treatment").is_well


def sums(n: np.ndarray, x: np.ndarray) -> RequestSums:
    return RequestSums(
        len(n), int(n.sum()), int(x.sum()), float((n * n).sum()), float((x * x).sum()), float((n * x).sum())
    )


def test_a_rate_covers_although_requests_of_a_unit_are_alike() -> None:
    random = np.random.default_rng(4)
    hit = 0
    for _ in range(400):
        n = random.poisson(6, 800) + 1
        p = random.beta(0.4, 19.6, 800)  # 2% on average, very uneven between units
        found = rate(sums(n, random.binomial(n, p)))
        assert found.low is not None
        assert found.high is not None
        hit += found.low <= 0.02 <= found.high
    assert 364 <= hit <= 400


def test_no_failure_is_an_upper_limit_by_units() -> None:
    each_once = rate(sums(np.ones(1000, int), np.zeros(1000, int)))
    ten_times = rate(sums(np.full(100, 10), np.zeros(100, int)))
    assert each_once.high == pytest.approx(3.84 / 1003.84, rel=1e-3)  # Wilson at 0 of 1000
    assert ten_times.high is not None
    assert ten_times.high > 5 * each_once.high
    assert rate(sums(np.zeros(0, int), np.zeros(0, int))) == Rate(None, None, None)


def test_differences_and_ratios_join_the_two_intervals() -> None:
    control, treatment = Rate(0.01, 0.008, 0.012), Rate(0.02, 0.016, 0.025)
    found = difference(control, treatment)
    assert found.value == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01 - np.hypot(0.004, 0.002))
    assert found.high == pytest.approx(0.01 + np.hypot(0.005, 0.002))
    assert ratio(control, treatment).value == pytest.approx(2)
    assert ratio(Rate(0.0, 0.0, 0.1), treatment) == Rate(None, None, None)


def test_the_sample_ratio_speaks_up_and_stays_quiet() -> None:
    even = Counts({"a": 50_100, "b": 49_900}, {}, {"a": 0.5, "b": 0.5})
    lost = Counts({"a": 50_000, "b": 48_000}, {}, {"a": 0.5, "b": 0.5})
    assert sample_ratio.read({1: even}).is_well
    found = sample_ratio.read({1: lost})
    assert found.severity is Severity.PAUSES
    assert found.numbers["units"] == {"a": 50_000, "b": 48_000}
    assert sample_ratio.read({}).is_well


def test_a_budget_burns_in_both_windows_or_is_spent() -> None:
    level = ServiceLevel("errors", 0.999)
    calm = [Traffic(5 / 60, 1000, 1), Traffic(0.5, 6000, 6), Traffic(1, 12_000, 12), Traffic(6, 72_000, 40)]
    month = Traffic(672, 8_000_000, 4000)
    assert read(level, [*calm, month]).is_well
    fast = [Traffic(5 / 60, 1000, 30), Traffic(0.5, 6000, 90), Traffic(1, 12_000, 200), Traffic(6, 72_000, 250)]
    found = read(level, [*fast, month], "treatment")
    assert found.severity is Severity.PAUSES
    assert "burns 14.4 times too fast over 1 h" in found.message
    over = [Traffic(5 / 60, 1000, 1), Traffic(0.5, 6000, 6), Traffic(1, 12_000, 200), Traffic(6, 72_000, 250)]
    assert read(level, [*over, month]).is_well  # it burned, and is over
    assert "the budget is spent" in read(level, [*calm, Traffic(672, 1_000_000, 1200)]).message
    with pytest.raises(InputError):
        ServiceLevel("x", 1.0)
