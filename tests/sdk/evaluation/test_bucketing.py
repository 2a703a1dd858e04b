"""Buckets: the SDK's against the reference, their uniformity and independence over a million units, and ramps."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from paribus_sdk import Evaluator, bucket
from paribus_sdk.bucketing import threshold, unit_text
from scipy import stats
from tests.sdk import reference
from tests.sdk.snapshots import flag, rolls, snapshot

UNIT_COUNT = 1_000_000
# A level that a run of this suite passes by mistake once in thousands of years.
ALPHA = 1e-6


@functools.cache
def buckets(salt: str) -> NDArray[np.int64]:
    """Buckets of the units "0000000" to "0999999": MurmurHash3 over arrays, a column for each four bytes."""
    assert (len(salt) + 1) % 4 == 1, "the salt, the colon and seven digits must make whole blocks"
    digits = np.arange(UNIT_COUNT)[:, None] // 10 ** np.arange(6, -1, -1) % 10 + ord("0")
    prefix = np.frombuffer(f"{salt}:".encode(), dtype=np.uint8)
    data = np.concatenate([np.broadcast_to(prefix, (UNIT_COUNT, len(prefix))), digits.astype(np.uint8)], axis=1)
    blocks = np.ascontiguousarray(data).view("<u4").astype(np.uint64)
    mask = np.uint64(0xFFFFFFFF)

    def rotated(numbers: NDArray[np.uint64], by: int) -> NDArray[np.uint64]:
        return ((numbers << np.uint64(by)) | (numbers >> np.uint64(32 - by))) & mask

    state = np.zeros(UNIT_COUNT, dtype=np.uint64)
    for column in range(blocks.shape[1]):
        mixed = rotated(blocks[:, column] * np.uint64(0xCC9E2D51) & mask, 15) * np.uint64(0x1B873593) & mask
        state = (rotated(state ^ mixed, 13) * np.uint64(5) + np.uint64(0xE6546B64)) & mask
    state ^= np.uint64(data.shape[1])
    state = (state ^ (state >> np.uint64(16))) * np.uint64(0x85EBCA6B) & mask
    state = (state ^ (state >> np.uint64(13))) * np.uint64(0xC2B2AE35) & mask
    state ^= state >> np.uint64(16)
    return (state * np.uint64(10000) >> np.uint64(32)).astype(np.int64)


def test_the_sdk_computes_the_buckets_that_are_tested_here() -> None:
    for salt in ("abcd", "traffic1", "split001"):
        assert [bucket(salt, f"{number:07d}") for number in range(0, UNIT_COUNT, 997)] == buckets(salt)[::997].tolist()


@given(st.text(), st.text())
def test_any_text_has_the_bucket_of_the_reference(salt: str, unit: str) -> None:
    assert bucket(salt, unit) == reference.bucket(salt, unit)


@pytest.mark.parametrize("salt", ["abcd", "traffic1", "split001"])
def test_a_million_units_fill_the_buckets_evenly(salt: str) -> None:
    observed = np.bincount(buckets(salt), minlength=10_000)
    assert observed.size == 10_000
    # Both tails: too even would be as wrong as too uneven.
    assert ALPHA < stats.chisquare(observed).pvalue < 1 - ALPHA


@pytest.mark.parametrize("pair", [("traffic1", "split001"), ("abcd", "abce"), ("abcd", "traffic1")])
def test_two_salts_are_independent(pair: tuple[str, str]) -> None:
    first, second = (buckets(salt) // 250 for salt in pair)
    table = np.bincount(first * 40 + second, minlength=1600).reshape(40, 40)
    assert ALPHA < stats.chi2_contingency(table).pvalue < 1 - ALPHA


def test_the_split_of_any_traffic_is_even() -> None:
    for traffic_bp in (100, 1000, 5000):
        inside = buckets("traffic1") < traffic_bp
        treated = int((buckets("split001")[inside] >= 5000).sum())
        assert stats.binomtest(treated, int(inside.sum()), 0.5).pvalue > ALPHA


def test_a_ramp_only_adds_units_and_never_moves_one() -> None:
    units = [f"user-{number}" for number in range(2_000)]
    inside: dict[str, str | None] = {}
    for traffic_bp in (0, 1, 100, 500, 2500, 2501, 5000, 9999, 10000):
        evaluator = Evaluator(snapshot({"f": flag(rolls(traffic_bp=traffic_bp))}))
        decisions = {unit: evaluator.evaluate("f", unit) for unit in units}
        now = {unit: decision.assigned for unit, decision in decisions.items() if decision.reason == "SPLIT"}
        assert inside.items() <= now.items()
        inside = now
    assert inside.keys() == set(units)


@given(st.integers(0, 10_000))
def test_a_threshold_is_the_first_hash_of_its_bucket(bound: int) -> None:
    first = threshold(bound)
    assert first * 10_000 >> 32 >= bound
    assert first == 0 or (first - 1) * 10_000 >> 32 < bound


@pytest.mark.parametrize(
    ("given_unit", "text"),
    [("u1", "u1"), (7, "7"), (-7, "-7"), (0, "0"), (10**30, "1" + "0" * 30)]
    + [(unit, None) for unit in ("", None, True, False, 1.0, b"u1", ["u1"], {})],
)
def test_units_are_text_or_integers(given_unit: object, text: str | None) -> None:
    assert unit_text(given_unit) == text


def test_an_integer_too_long_to_be_written_is_no_unit() -> None:
    assert unit_text(10**5000) is None


def test_halves_of_surrogate_pairs_are_hashed_as_browsers_hash_them() -> None:
    assert unit_text("\ud83d\ude00") == "😀"
    assert unit_text("a\ud83d") == "a\ufffd"
    assert bucket("s", "a\ud83d") == reference.bucket("s", "a\ufffd")
    decision = Evaluator(snapshot({"f": flag(rolls())})).evaluate("f", "a\ud83d")
    assert (decision.reason, decision.unit) == ("SPLIT", "a\ufffd")
