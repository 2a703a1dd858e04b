"""Served rows against what was trained on: false alarms stay rare, a planted shift is found, nothing stops serving."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paribus.models.drift_window import DriftWindow

ROWS = 500


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def window_of(rng: np.random.Generator) -> DriftWindow:
    trained = rng.normal(size=2000)
    return DriftWindow({"visits": trained, "score": 1 / (1 + np.exp(-trained))}, rows=ROWS)


def served(rng: np.random.Generator, rows: int, shift: float = 0.0) -> tuple[dict[str, list[float]], list[float]]:
    visits = rng.normal(size=rows) + shift
    return {"visits": list(visits), "unused": [0.0] * rows}, list(1 / (1 + np.exp(-visits)))


def test_without_a_shift_alarms_are_as_rare_as_promised(rng: np.random.Generator) -> None:
    window = window_of(rng)
    for _ in range(100):
        window.add(*served(rng, ROWS))
    assert window.windows == 100
    assert sum(window.alarms.values()) <= 6  # of 100 at 1%: more than six have a chance below 1e-4
    assert set(window.psi) == {"visits", "score"}


def test_a_planted_shift_is_found_in_the_first_window(rng: np.random.Generator) -> None:
    window = window_of(rng)
    reports = [each for _ in range(50) for each in window.add(*served(rng, 10, shift=0.5))]
    assert len(reports) == window.windows == 1
    assert set(reports[0].drifted) == set(window.alarms) == {"visits", "score"}


def test_rows_that_cannot_be_compared_are_counted_and_stop_nothing(rng: np.random.Generator) -> None:
    window = window_of(rng)
    window.add({}, [0.5])
    window.add({"visits": ["many"]}, [0.5])  # type: ignore[list-item]
    window.add({"visits": [math.nan]}, [0.5])
    assert (window.unwatched, window.windows) == (3, 0)
