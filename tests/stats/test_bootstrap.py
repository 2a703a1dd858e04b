import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats import Moments, Reason, difference, poisson_bootstrap, poisson_sums, poisson_weights, ratio


def share(sums):
    return sums[..., 1] / sums[..., 2]


def test_weights_are_poisson_and_independent_between_replicates():
    w = poisson_weights([f"u{i}" for i in range(20_000)], 4).astype(float)
    seen = [np.mean(w == k) for k in range(5)]
    want = [np.exp(-1) / f for f in (1, 1, 2, 6, 24)]
    assert seen == pytest.approx(want, abs=0.006)  # four binomial standard errors of 80,000 draws: .007
    assert np.abs(np.corrcoef(w.T) - np.eye(4)).max() < 0.03


def test_weights_depend_on_the_unit_and_not_on_its_place():
    both = poisson_weights(["a", "b"], 50)
    assert (poisson_weights(["b"], 50)[0] == both[1]).all()
    assert (both[0] != both[1]).any()


def test_sums_of_shards_add_up_to_the_whole():
    ids = [f"u{i}" for i in range(100)]
    x = np.arange(100.0)
    parts = poisson_sums(ids[:30], x[:30], 20) + poisson_sums(ids[30:], x[30:], 20)
    assert parts == pytest.approx(poisson_sums(ids, x, 20))


def test_a_ratio_of_sums_has_the_standard_error_of_the_delta_method():
    rng = np.random.default_rng(0)
    d = rng.poisson(5, size=(2, 1500)) + 1.0
    y = d * 0.3 + rng.normal(size=d.shape)
    rows = [np.column_stack([a, b]) for a, b in zip(y, d, strict=True)]
    ids = [[f"{arm}{i}" for i in range(1500)] for arm in "ct"]
    found = poisson_bootstrap((ids[0], rows[0]), (ids[1], rows[1]), share, replicates=1000)
    want = difference(*(ratio(Moments.from_rows(r, ["y", "d"]), "y", "d") for r in rows)).at()
    assert found.at().value == pytest.approx(want.value)
    assert found.at().se == pytest.approx(want.se, rel=0.08)  # 1 / sqrt(2 * 1000) = .022 of error
    again = poisson_bootstrap((ids[0], rows[0]), (ids[1], rows[1]), share, replicates=1000)
    assert found.at() == again.at()


def test_numerator_and_denominator_share_their_weights():
    """A numerator in proportion to its denominator has a ratio without error, in every replicate."""
    ids, d = [f"u{i}" for i in range(60)], np.arange(1.0, 61)
    columns = np.column_stack([2 * d, d])
    found = poisson_bootstrap((ids[:30], columns[:30]), (ids[30:], columns[30:]), share, replicates=50)
    assert found.at().reason is Reason.NO_VARIANCE


def test_a_unit_with_two_rows_is_refused():
    with pytest.raises(InputError, match="more than one row"):
        poisson_sums(["a", "a"], [1.0, 2.0], 5)
