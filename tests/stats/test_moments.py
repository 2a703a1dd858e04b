import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paribus.errors import InputError
from paribus.stats import Moments

rows = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(-100, 100, allow_subnormal=False)
)


def same(a: Moments, b: Moments) -> None:
    for name in ("n", "mean", "m2", "m3"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-7, atol=1e-6)


@given(rows, rows)
def test_merging_two_parts_is_taking_them_together(first, second):
    both = Moments.from_rows(np.vstack([first, second]), ["y", "x"])
    parts = [Moments.from_rows(part, ["y", "x"]) for part in (first, second)]
    same(parts[0].merge(parts[1]), both)
    same(Moments.stack(parts).total(), both)


def test_skewness_of_a_known_sample():
    # 0, 0, 0, 4: mean 1, central second moment 3, third 6; 6 / 3^1.5
    found = Moments.from_rows([0.0, 0, 0, 4], ["y"])
    assert found.skewness[0] == pytest.approx(6 / 3**1.5)
    assert found.sd[0] == pytest.approx(2.0)


@pytest.mark.parametrize(("center", "digits"), [(1e6, 1e-8), (1e7, 1e-7)])
def test_nist_numacc_survives_partitions(center, digits):
    # NIST StRD NumAcc3 and NumAcc4: certified sd 0.1
    y = np.array([center + 0.2, *([center + 0.1, center + 0.3] * 500)])
    cells = Moments.stack([Moments.from_rows(part, ["y"]) for part in np.array_split(y, 7)])
    assert cells.total().sd[0] == pytest.approx(0.1, rel=digits)
    assert Moments.from_rows(y, ["y"]).sd[0] == pytest.approx(0.1, rel=digits)


def test_shifted_sums_give_the_moments_of_the_rows():
    rng = np.random.default_rng(3)
    x = rng.lognormal(size=(50, 2)) + 1e6
    d = x - 1e6
    found = Moments.from_shifted_sums(["y", "x"], 50, [1e6, 1e6], d.sum(0), d.T @ d, (d**3).sum(0))
    same(found, Moments.from_rows(x, ["y", "x"]))


def test_an_empty_cell_adds_nothing():
    full = Moments.from_rows([[1.0, 2.0], [3.0, 5.0]], ["y", "x"])
    none = Moments.from_rows(np.empty((0, 2)), ["y", "x"])
    same(full.merge(none), full)
    same(none.merge(full), full)
    assert np.isnan(none.merge(none).mean).all()


def test_units_are_never_counted_twice():
    monday = Moments.from_rows([[1.0], [2.0]], ["y"], units="monday")
    tuesday = Moments.from_rows([[4.0]], ["y"], units="tuesday")
    week = monday.merge(tuesday)
    assert week.units == (frozenset({"monday", "tuesday"}),)
    with pytest.raises(InputError, match="monday"):
        week.merge(monday)
    with pytest.raises(InputError, match="monday"):
        Moments.stack([monday, tuesday, monday]).total()


def test_moments_of_other_variables_do_not_merge():
    with pytest.raises(InputError, match="different variables"):
        Moments.from_rows([1.0], ["y"]).merge(Moments.from_rows([1.0], ["x"]))


def test_groups_are_totalled_apart():
    cells = Moments.stack([Moments.from_rows([float(i), i + 1.0], ["y"]) for i in range(4)])
    found = cells.total([0, 1, 0, 1])
    np.testing.assert_allclose(found.mean[:, 0], [1.5, 2.5])
    np.testing.assert_allclose(found.n, [4, 4])
