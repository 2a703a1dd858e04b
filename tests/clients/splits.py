"""Who gets what, computed a second time from the stored definition, and what exposures must say."""

from __future__ import annotations

import mmh3
from tests.clients.arrival import Arrived, Json

UNITS = [f"u{number}" for number in range(40)]


def variant_of(flag: Json, unit: str) -> str:
    """The variant by the formula of the bucket, from the stored salt."""
    salt = flag["environments"]["dev"]["rules"][0]["rollout"]["split_salt"]
    return "control" if mmh3.hash(f"{salt}:{unit}", 0, signed=False) * 10_000 >> 32 < 5000 else "treatment"


def check_exposures(flag: Json, exposures: list[Arrived], units: list[str]) -> None:
    """One exposure for each unit, with everything that an analysis needs."""
    assert [event.name for event in exposures] == ["$exposure"] * len(units)
    assert [event.unit for event in exposures] == units
    for event in exposures:
        variant = variant_of(flag, event.unit)
        known = event.properties
        assert (known["flag"], known["assigned"], known["served"]) == ("checkout", variant, variant)
        assert (known["reason"], known["revision"], known["epoch"]) == ("SPLIT", 1, 1)
        assert (known["traffic_bp"], known["split_bp"], known["probability"]) == (10_000, 5000, 0.5)
        assert (known["environment"], known["unit_type"]) == ("dev", "user")
        assert known["unit"] == event.unit
    sequence = [event.sequence for event in exposures]
    assert sequence == sorted(sequence)
    assert len(set(sequence)) == len(units)
