"""The same result from the maintained tables as from the statement over the lake: every number, check and count."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.experiments.lake_files import START
from tests.lake.test_maintained import TEXT, Feed, documents

from paribus.experiments.document import Document, load
from paribus.experiments.maintaining import Upkeep, keep, upkeep
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, measure_proof_again
from paribus.experiments.result import Result
from paribus.experiments.serving import Serving
from paribus.experiments.verify import verify
from paribus.lake.maintained import MaintainedTables

HORIZON = START + timedelta(days=5)
UNLIKE = {"seconds", "hashes", "sha256"}  # hashes are of digits; those agree to 1e-9 and not to the last bit


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two plain results differ by more than 1e-9 of their scale."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        found = [differences(one.get(key), other.get(key), f"{where}.{key}") for key in keys if key not in UNLIKE]
        return [each for some in found for each in some]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            each for i, pair in enumerate(zip(one, other, strict=True)) for each in differences(*pair, f"{where}[{i}]")
        ]
    if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool):
        return [] if math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) else [f"{where}: {one} and {other}"]
    return [] if one == other else [f"{where}: {one!r} and {other!r}"]


def ways(result: Result) -> str:
    assert result.lake is not None
    return result.lake.way


def alike(kept: Result, once: Result) -> None:
    assert (ways(kept), ways(once)) == ("tables", "statement")
    plain = [each.to_dict() for each in (kept, once)]
    for each in plain:
        each["lake"].pop("way")
        each["proof"]["measurement"]["lake"].pop("way")
    assert differences(*plain) == []


def fed(folder: Path, seed: int, days: int = 3) -> Feed:
    """Days of a shop in random pieces, with testers, mixed units and events that come before their exposure."""
    feed = Feed(folder, seed)
    for day in range(days):
        feed.day(day)
        for i in range(6):
            at = START + timedelta(days=day, hours=i + 1)
            unit = f"u{int(feed.random.integers(0, 15 * day + 25))}"
            odd = [{"reason": "OVERRIDE"}, {"reason": "KILLED"}, {"served": "control"}, {}, {"assigned": "gone"}, {}][i]
            feed.waiting.append(feed.shop.expose(unit, ["control", "treatment"][i % 2], at, **odd))
            early = at - timedelta(seconds=float(feed.random.uniform(0, 5)))
            new = f"new{day}.{i}"
            feed.waiting.append(
                feed.shop.expose(new, ["control", "treatment"][i % 2], at, attributes={"country": "de"})
            )
            bought = {"revenue": round(float(feed.random.uniform(5, 60)), 2), "items": int(feed.random.integers(1, 5))}
            feed.waiting.append(feed.shop.add("order_completed", new, early, bought))
            later = at + timedelta(seconds=float(feed.random.uniform(5, 9_000)))
            feed.waiting.append(
                feed.shop.add("order_completed", new, later, {**bought, "revenue": bought["revenue"] / 3})
            )
        feed.piece()
    return feed


def kept_up(feed: Feed, listed: list[Document]) -> tuple[Upkeep, MaintainedTables, Snapshot]:
    """The tables, brought up file by file, and the lake that they stand at."""
    kept, tables = upkeep(listed), MaintainedTables(feed.shop.folder / "lake", threads=1)
    for i, file in enumerate(feed.shop.files):
        snapshot = Snapshot(feed.shop.folder, "t", i, tuple(feed.shop.files[: i + 1]), HORIZON, 900.0)
        keep(tables, kept, snapshot, [file] if i else None, threads=1)
    return kept, tables, snapshot


def serving(kept: Upkeep, tables: MaintainedTables, name: str) -> Serving:
    state = tables.state(kept.definition)
    assert state is not None
    return Serving(tables, kept, state, name, threads=1)


@pytest.mark.parametrize(
    "seed", [11, pytest.param(12, marks=pytest.mark.slow), pytest.param(13, marks=pytest.mark.slow)]
)
def test_the_whole_result_is_the_same_both_ways(tmp_path: Path, seed: int) -> None:
    kept, tables, snapshot = kept_up(fed(tmp_path, seed), documents())
    for key, document in kept.documents.items():
        for killed_at in (None, START + timedelta(days=1, hours=20)):
            once = analyze_on_lake(document, snapshot, killed_at=killed_at, threads=1)
            ours = analyze_on_lake(document, snapshot, killed_at=killed_at, threads=1, kept=serving(kept, tables, key))
            alike(ours, once)
            counts = once.proof["measurement"]["counts"]
            if key == "one" and killed_at is None:
                assert counts["mixed_units"]
                assert counts["inside_tolerance"]
                assert counts["by_reason"]["OVERRIDE"]
                assert counts["unmatched_event_rows"]["order_completed"]
                assert once.checks
                # the proof holds the statements over the lake, and they give the same again
                again = verify(ours.to_dict(), remeasure=lambda proof: measure_proof_again(proof, tmp_path))
                assert again.data == "reproduced", again.text()


def test_fewer_segments_are_served_and_other_questions_are_not(tmp_path: Path) -> None:
    kept, tables, snapshot = kept_up(fed(tmp_path, 14, days=1), documents()[:1])
    document, served = kept.documents["one"], serving(kept, tables, "one")
    alike(
        analyze_on_lake(document, snapshot, segments=(), threads=1, kept=served),
        analyze_on_lake(document, snapshot, segments=(), threads=1),
    )
    early = analyze_on_lake(document, snapshot, as_of=START + timedelta(hours=20), threads=1, kept=served)
    assert ways(early) == "statement"
    other = load(
        TEXT.replace("KEY", "one").replace("FLAG", "new-checkout").replace("window_days: 3", "window_days: 2"),
        name="one",
    )
    assert ways(analyze_on_lake(other, snapshot, threads=1, kept=served)) == "statement"


def test_files_that_an_update_replaced_are_not_needed(tmp_path: Path) -> None:
    kept, tables, snapshot = kept_up(fed(tmp_path, 15, days=1), documents()[:1])
    served = serving(kept, tables, "one")
    for path in (tmp_path / "lake" / "unit_metric" / "sums").iterdir():
        path.unlink()
    found = analyze_on_lake(kept.documents["one"], snapshot, threads=1, kept=served)
    assert ways(found) == "statement"


def test_copies_on_both_sides_of_the_start_are_left_to_the_statement(tmp_path: Path) -> None:
    feed = Feed(tmp_path, 17)
    for day in (0, 1):
        feed.day(day)
    start = START + timedelta(days=1)  # of the second experiment, whose covariate looks back two days
    order = feed.shop.add("order_completed", "u1", start + timedelta(hours=3), {"revenue": 4.0, "items": 1})
    feed.shop.file([*feed.waiting, order, {**order, "corrected_time": start - timedelta(days=4)}])
    kept, tables, snapshot = kept_up(feed, documents())
    found = {
        key: analyze_on_lake(document, snapshot, threads=1, kept=serving(kept, tables, key))
        for key, document in kept.documents.items()
    }
    assert {key: ways(result) for key, result in found.items()} == {"one": "tables", "two": "statement"}


def test_a_later_watermark_is_reached_unless_a_row_waits_for_it(tmp_path: Path) -> None:
    kept, tables, snapshot = kept_up(fed(tmp_path, 16, days=1), documents()[:1])
    state = tables.state(kept.definition)
    assert state is not None
    later = tables.reached(kept.definition, state, HORIZON + timedelta(minutes=3))
    assert later is not None  # orders lie nine days ahead, the next one not within these minutes
    assert later.horizon == HORIZON + timedelta(minutes=3)
    assert tables.reached(kept.definition, state, HORIZON - timedelta(minutes=3)) is None
    assert tables.reached(kept.definition, state, HORIZON + timedelta(days=30)) is None
    far = replace(snapshot, watermark=later.horizon)
    served = replace(serving(kept, tables, "one"), state=later)
    alike(
        analyze_on_lake(kept.documents["one"], far, threads=1, kept=served),
        analyze_on_lake(kept.documents["one"], far, threads=1),
    )
