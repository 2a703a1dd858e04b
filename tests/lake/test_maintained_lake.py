"""From the landing queue to a result: a real lake with flushes, compaction and erasure under the maintained tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from tests.lake.sending import HandClock, decode, event, request
from tests.lake.test_maintained import TEXT, compare

from paribus import app
from paribus.experiments.document import load
from paribus.experiments.maintaining import keep_up, upkeep
from paribus.experiments.on_lake import analyze_on_lake, measure_proof_again, snapshot_of, stale_days
from paribus.experiments.verify import verify
from paribus.lake import Lake
from paribus.lake.maintained import MaintainedTables

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def requests(seed: int, first_unit: int, at: datetime) -> list[dict[str, object]]:
    """Exposures of units and their orders, in random order; one is sent twice."""
    random = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for i in range(first_unit, first_unit + 20):
        variant = ["control", "treatment"][int(random.integers(2))]
        exposure = {
            "flag": "new-checkout",
            "assigned": variant,
            "served": variant,
            "reason": "SPLIT",
            "epoch": 1,
            "probability": 0.5,
            "environment": "prod",
            "attributes": {"country": "de"},
        }
        typed = {name: exposure[name] for name in ("flag", "assigned", "served", "reason", "epoch", "environment")}
        unit = f"person-{i}"
        found.append(event(f"x{i}", "$exposure", at=at, unit=unit, properties=exposure, typed=typed))
        for k in range(int(random.integers(0, 4))):
            when = at + timedelta(minutes=int(random.integers(-30, 300)))
            order = {"revenue": float(random.integers(5, 60)), "items": int(random.integers(1, 4))}
            found.append(event(f"o{i}.{k}", "order_completed", at=when, unit=unit, properties=order))
    random.shuffle(found)  # type: ignore[arg-type]
    return [*found, found[0]]


def test_flush_compact_erase_and_the_tables_still_agree(tmp_path: Path) -> None:
    clock = HandClock(START)
    document = load(TEXT.replace("KEY", "one").replace("FLAG", "new-checkout"), name="one")
    kept = upkeep([document])
    tables = MaintainedTables(tmp_path / "lake", threads=1)
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        lake.erase_also.append(tables.erase)

        def send(seed: int, first_unit: int) -> None:
            at = clock.now
            clock.advance(hours=8)
            for each in requests(seed, first_unit, at):
                moment = datetime.fromisoformat(str(each["at"]))
                lake.landing.append([request([{**each, "sent": moment.isoformat()}], received=moment)])
            lake.drain()

        send(1, 0)
        first = keep_up(tables, kept, lake, threads=1)
        assert first.generation == 1
        send(2, 20)
        lake.compact()
        send(3, 10)  # units of before, exposed again, and new ones
        second = keep_up(tables, kept, lake, threads=1)
        assert second.generation == 2  # from the new files alone, compaction or not
        assert second.horizon == clock.now
        snapshot = snapshot_of(lake)
        assert compare(tables, kept, snapshot) >= 20

        result = analyze_on_lake(document, snapshot, threads=1)
        assert result.lake is not None
        assert (result.lake.watermark, result.lake.version) == (clock.now, snapshot.version)
        assert sum(result.units.values()) + sum(result.proof["measurement"]["counts"]["mixed_units"].values()) == 40
        again = verify(result.to_dict(), remeasure=lambda proof: measure_proof_again(proof, tmp_path))
        assert again.data == "reproduced", again.text()
        assert app.verify(result.to_dict()).data == "reproduced"  # which finds the data folder by the proof

        assert stale_days(result, lake) == ()
        late = event("late", "order_completed", at=START, unit="person-1", properties={"revenue": 9.0, "items": 1})
        lake.landing.append([request([{**late, "sent": START.isoformat()}], received=START)])
        lake.drain()
        assert clock.now.date() > START.date()
        assert stale_days(result, lake) == (START.date(),)

        lake.erase(["person-7"])
        third = keep_up(tables, kept, lake, threads=1)
        assert third.generation == 1  # rows went: built anew
        assert compare(tables, kept, snapshot_of(lake)) >= 20
        for folder in ("first_exposures", "unit_metric"):
            for path in (tmp_path / "lake" / folder).rglob("*.parquet"):
                assert b"person-7\x00" not in path.read_bytes()
        changed = verify(result.to_dict(), remeasure=lambda p: measure_proof_again(p, tmp_path, snapshot_of(lake)))
        assert changed.data == "data changed"
