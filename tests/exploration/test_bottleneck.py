"""The planted weak point ranks first; where nothing is planted, nothing is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.exploration.shopping import FUNNEL, visits

from paribus.exploration.bottleneck import find_losses
from paribus.exploration.funnel import Cell, FunnelResult, measure_funnel
from paribus.exploration.opening import open_frame
from paribus.exploration.shape import Attribute

DEVICE = Attribute("device", "attribute_0", ("mobile", "desktop"), True)
RETURNING = Attribute("returning", "attribute_1", ("true", "false"), True, "boolean")
COUNTRY = Attribute("country", "attribute_2", ("NO", "DE", "US", "GB"), True)
PLANTED = (("device", "mobile"), ("returning", "true"))


def simulated(seed: int, *, weak: float, units: int = 40_000) -> FunnelResult:
    """Cells drawn from known rates: `weak` lowers the third step of returning mobile users."""
    chance = np.random.default_rng(seed)
    rates = (0.6, 0.7, 0.8)
    cells = []
    for device in DEVICE.values:
        for returning in RETURNING.values:
            for country in COUNTRY.values:
                reached = [int(chance.poisson(units / 16))]
                for k, rate in enumerate(rates):
                    own = rate - (weak if k == 1 and (device, returning) == ("mobile", "true") else 0)
                    reached.append(int(chance.binomial(reached[-1], min(max(own, 0.0), 1.0))))
                cells.append(Cell((device, returning, country), tuple(reached)))
    whole = tuple(sum(cell.reached[k] for cell in cells) for k in range(4))
    return FunnelResult(
        ("a", "b", "c", "d"), 24.0, (), whole, (None,) * 4, (DEVICE, RETURNING, COUNTRY), tuple(cells), ""
    )


def test_the_planted_weak_point_ranks_first_and_alone() -> None:
    first, alone = 0, 0
    for seed in range(25):
        found = find_losses(simulated(seed, weak=0.12))
        first += bool(found) and (found[0].step, found[0].segment) == (2, PLANTED)
        alone += len(found) == 1
    assert first >= 24
    assert alone >= 20


def test_the_loss_is_sized_as_planted() -> None:
    found = find_losses(simulated(1, weak=0.12, units=400_000))[0]
    entered = 0.25 * 400_000 * 0.6
    assert found.units == pytest.approx(entered, rel=0.02)
    assert found.rate == pytest.approx(0.58, abs=0.01)
    assert found.best == pytest.approx(0.70, abs=0.01)
    assert found.lost == pytest.approx(0.12 * entered, rel=0.1)
    assert found.lost_low < 0.12 * entered < found.lost_high
    assert found.converted == pytest.approx(0.8 * found.lost, rel=0.02)
    assert found.low < found.rate < found.high


def test_where_nothing_is_planted_nothing_is_found() -> None:
    assert sum(bool(find_losses(simulated(seed, weak=0.0))) for seed in range(50)) <= 7


def test_in_rows_of_events() -> None:
    with open_frame(visits(5000, seed=8)) as log:
        losses = find_losses(measure_funnel(log, FUNNEL, attributes=log.attributes))
    assert (FUNNEL[losses[0].step], dict(losses[0].segment)) == ("payment_submitted", dict(PLANTED))
    with open_frame(visits(5000, seed=8, weak=0.8)) as log:
        assert not find_losses(measure_funnel(log, FUNNEL, attributes=log.attributes))


def test_small_segments_are_no_candidates() -> None:
    events = visits(300, seed=9)
    odd = pd.DataFrame({"user_id": [f"x{i}" for i in range(20)], "event": "session_started"})
    odd["time"], odd["device"] = events["time"].iloc[0], "watch"
    with open_frame(pd.concat([events, odd], ignore_index=True)) as log:
        losses = find_losses(measure_funnel(log, FUNNEL, attributes=log.attributes))
    assert all(("device", "watch") not in loss.segment for loss in losses)


def test_a_funnel_without_attributes_has_no_losses() -> None:
    whole = FunnelResult(("a", "b"), 24.0, (), (100, 50), (None, 1.0), (), (Cell((), (100, 50)),), "")
    assert find_losses(whole) == ()
