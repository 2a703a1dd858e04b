"""Records made column by column are those of the constructor."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pytest

from paribus.experiments.records import records
from paribus.experiments.result import ArmValue


def test_they_equal_those_of_the_constructor() -> None:
    made = records(ArmValue, 3, [("variant", "abc"), ("units", [1, 2, 3]), ("value", [0.5, 1.5, 2.5])], se=0.1)
    assert made == [ArmValue("a", 1, 0.5, 0.1), ArmValue("b", 2, 1.5, 0.1), ArmValue("c", 3, 2.5, 0.1)]
    assert hash(made[0]) == hash(ArmValue("a", 1, 0.5, 0.1))
    assert pickle.loads(pickle.dumps(made)) == made
    assert records(ArmValue, 0, [("variant", ""), ("units", []), ("value", []), ("se", [])]) == []


def test_a_field_without_a_value_is_refused() -> None:
    with pytest.raises(TypeError, match="needs se"):
        records(ArmValue, 1, [("variant", "a"), ("units", [1]), ("value", [0.5])])


def test_what_is_computed_when_made_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        n: int

        def __post_init__(self) -> None:
            assert self.n > 0

    with pytest.raises(TypeError, match="does more"):
        records(Checked, 1, [("n", [1])])
