"""Designs against published constants, exact normal probabilities and the designs' own defining equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from paribus.errors import InputError
from paribus.stats.group_sequential import actual_looks, group_sequential_design, peeking_error
from paribus.stats.integration import exit_probabilities
from paribus.stats.spending import OBRIEN_FLEMING, POCOCK, Spending, WangTsiatis


@pytest.mark.parametrize(("looks", "constant"), [(1, 1.960), (2, 2.178), (3, 2.289), (5, 2.413), (10, 2.555)])
def test_pocock_constants_of_jennison_turnbull_table_2_1(looks: int, constant: float) -> None:
    assert group_sequential_design(POCOCK, looks=looks).critical[-1] == pytest.approx(constant, abs=5e-4)


@pytest.mark.parametrize(("looks", "constant"), [(2, 1.977), (4, 2.024), (5, 2.040), (10, 2.087)])
def test_obrien_fleming_constants_of_jennison_turnbull_table_2_3(looks: int, constant: float) -> None:
    design = group_sequential_design(OBRIEN_FLEMING, looks=looks)
    assert design.critical[-1] == pytest.approx(constant, abs=5e-4)
    assert design.critical[0] == pytest.approx(design.critical[-1] * np.sqrt(looks))


@pytest.mark.parametrize(
    ("looks", "error"), [(1, 0.05), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248)]
)
def test_peeking_error_of_armitage_mcpherson_rowe(looks: int, error: float) -> None:
    assert peeking_error(looks, norm.isf(0.025)) == pytest.approx(error, abs=5e-4)


def test_peeking_error_at_unequal_looks_is_that_of_two_correlated_normals() -> None:
    z = norm.isf(0.025)
    cov = [[1, np.sqrt(0.2)], [np.sqrt(0.2), 1]]
    both = multivariate_normal(cov=cov).cdf([z, z], lower_limit=[-z, -z])
    assert peeking_error(2, z, information=[10, 50]) == pytest.approx(1 - both, abs=1e-5)
    with pytest.raises(InputError, match="3 values of information for 2 looks"):
        peeking_error(2, z, information=[1, 2, 3])


def test_exit_probabilities_are_those_of_the_multivariate_normal() -> None:
    upper, lower = np.array([2.2, 1.9]), np.array([-0.5, 0.3])
    information, drift = np.array([0.4, 1.0]), 1.3
    below, above = exit_probabilities(lower, upper, information, drift)
    rho = np.sqrt(0.4)
    joint = multivariate_normal(drift * np.sqrt(information), [[1, rho], [rho, 1]])

    def rectangle(a: tuple[float, float], b: tuple[float, float]) -> float:
        return float(joint.cdf([b[0], b[1]]) - joint.cdf([a[0], b[1]]) - joint.cdf([b[0], a[1]]) + joint.cdf(list(a)))

    far = -12.0
    assert above[0] == pytest.approx(norm.sf(2.2 - drift * np.sqrt(0.4)), rel=1e-12)
    assert below[1] == pytest.approx(rectangle((-0.5, far), (2.2, 0.3)), abs=1e-7)
    assert above[1] == pytest.approx(rectangle((-0.5, 1.9), (2.2, 12.0)), abs=1e-7)


def test_far_critical_value_at_a_later_look_is_exact() -> None:
    """The share that look 2 of 10 adds is 1.0777e-6 - 2.7e-12, nearly all of the marginal tail: z = 4.87689.

    rpact 3.3.4 gives 4.87702, where the marginal tail is .07% short of the share.
    """
    design = group_sequential_design(Spending(), looks=10)
    share = 4 * norm.sf(norm.isf(0.0125) / np.sqrt(0.2)) - 4 * norm.sf(norm.isf(0.0125) / np.sqrt(0.1))
    both = 2.8e-12  # at most what look 1 spends
    assert 2 * norm.sf(design.critical[1]) == pytest.approx(share, abs=both)


@pytest.mark.parametrize(
    "rule",
    [
        Spending(),
        Spending("pocock"),
        Spending("power", 2.0),
        Spending("hwang-shih-decani", -4.0),
        POCOCK,
        OBRIEN_FLEMING,
        WangTsiatis(0.25),
    ],
)
@pytest.mark.parametrize("sides", [1, 2])
def test_a_design_spends_alpha_and_has_its_power(rule: Spending | WangTsiatis, sides: int) -> None:
    design = group_sequential_design(rule, information=[0.2, 0.35, 0.8, 1.0], alpha=0.03, sides=sides, power=0.85)
    below, above = design.exits(0.0)
    assert below.sum() + above.sum() == pytest.approx(0.03, rel=1e-8)
    assert np.cumsum(below + above) == pytest.approx(design.spent, rel=1e-7)
    assert design.power_at(design.drift) == pytest.approx(0.85, rel=1e-9)


@pytest.mark.parametrize("binding", [True, False])
def test_futility_bounds_meet_the_critical_value_and_spend_beta(binding: bool) -> None:
    design = group_sequential_design(
        Spending(), looks=4, alpha=0.025, sides=1, beta=0.1, futility=Spending("pocock"), binding=binding
    )
    assert design.futility[-1] == design.critical[-1]
    below, above = design.exits(design.drift)
    assert np.cumsum(below) == pytest.approx(Spending("pocock")(design.information, 0.1), rel=1e-7)
    assert above.sum() == pytest.approx(0.9, rel=1e-8)
    no_stop = exit_probabilities(np.full(4, -np.inf), np.asarray(design.critical), np.asarray(design.information))[1]
    assert design.exits(0.0)[1].sum() <= 0.025 + 1e-9
    assert (no_stop.sum() > 0.0251) == binding  # overruling a binding bound costs alpha, overruling the other does not
    assert no_stop.sum() == pytest.approx(0.025, rel=1e-8) or binding


@pytest.mark.parametrize("information", [[30.0, 55.0, 140.0], [30.0, 55.0, 90.0], [120.0, 130.0], [100.0]], ids=str)
@pytest.mark.parametrize("sides", [1, 2])
def test_alpha_holds_when_looks_come_at_other_information(information: list[float], sides: int) -> None:
    plan = group_sequential_design(Spending("pocock"), looks=3, alpha=0.05, sides=sides)
    actual = actual_looks(plan, information, planned=100.0, final=True)
    below, above = actual.exits(0.0)
    assert below.sum() + above.sum() == pytest.approx(0.05, rel=1e-8)
    assert len(actual.critical) == len(information)


def test_what_earlier_looks_spent_does_not_change_when_the_trial_overruns() -> None:
    plan = group_sequential_design(Spending(), looks=3, alpha=0.05)
    early = actual_looks(plan, [40.0, 70.0], planned=100.0)
    later = actual_looks(plan, [40.0, 70.0, 250.0], planned=100.0, final=True)
    assert later.critical[:2] == early.critical


def test_looks_beyond_the_plan_have_nothing_left_to_spend() -> None:
    plan = group_sequential_design(Spending(), looks=3, alpha=0.05)
    actual = actual_looks(plan, [50.0, 110.0, 120.0], planned=100.0)
    assert np.isinf(actual.critical[2])
    assert actual.spent[1] == pytest.approx(0.05)


def test_actual_looks_as_planned_are_the_plan_with_futility_too() -> None:
    plan = group_sequential_design(
        Spending(), looks=3, alpha=0.025, sides=1, futility=Spending(), binding=True, power=0.9
    )
    actual = actual_looks(plan, [1.0, 2.0, 3.0], planned=3.0, final=True)
    assert actual.critical == pytest.approx(plan.critical)
    assert actual.futility == pytest.approx(plan.futility)


def test_one_look_is_the_fixed_design() -> None:
    design = group_sequential_design(looks=1, alpha=0.05, power=0.8)
    assert design.critical[0] == pytest.approx(norm.isf(0.025))
    assert design.inflation_factor == pytest.approx(1.0)
    assert design.average_sample_h0 == pytest.approx(1.0)


def test_many_looks_stay_accurate() -> None:
    design = group_sequential_design(Spending("pocock"), looks=60)
    below, above = design.exits(0.0)
    assert below.sum() + above.sum() == pytest.approx(0.05, rel=1e-7)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"looks": 3, "information": [1.0]},
        {"information": [0.5, 0.4, 1.0]},
        {"information": [0.5, 0.9]},
        {"looks": 3, "alpha": 0.0},
        {"looks": 0},
        {"looks": 3, "futility": Spending()},
    ],
)
def test_impossible_designs_are_refused(arguments: dict) -> None:
    with pytest.raises(InputError):
        group_sequential_design(**arguments)


def test_misspelled_family_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="pocock"):
        Spending("pocok")  # type: ignore[arg-type]


def test_a_shape_cannot_take_other_looks() -> None:
    with pytest.raises(InputError, match="as planned"):
        actual_looks(group_sequential_design(POCOCK, looks=3), [10.0], planned=30.0)
