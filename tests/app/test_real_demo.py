"""Real orders as events: what the steps say of them equals what plain Python counts in the published file."""

from __future__ import annotations

import json
import lzma
from collections import defaultdict
from datetime import date, datetime, timedelta
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pytest

from paribus.app.customers import NAMES, history, orders, tracking_plan
from paribus.app.feature import workshop
from paribus.app.lake import reader_of
from paribus.app.live import Installation
from paribus.app.real_demo import CONFIG, KEY, REQUIREMENT, run_real_demo
from paribus.app.replayed import BEGIN, HISTORY_DAYS, Replayed
from paribus.workflow.config_file import parsed

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def published() -> dict[str, list[tuple[date, int, float]]]:
    """Day, CDs and dollars of every order by customer, read without Paribus."""
    text = lzma.decompress((files("paribus") / "examples" / "cdnow" / "orders.csv.xz").read_bytes()).decode()
    found: dict[str, list[tuple[date, int, float]]] = defaultdict(list)
    for line in islice(text.splitlines(), 1, None):
        customer, day, items, dollars = line.split(",")
        found[customer].append((datetime.strptime(day, "%Y%m%d").date(), int(items), float(dollars)))
    return {customer: sorted(each, key=lambda order: order[0]) for customer, each in found.items()}


def second_within(published: dict[str, Any], first: date, until: date, within: timedelta) -> tuple[int, int]:
    """Customers whose first order falls into the days, and those of them with a second one in time."""
    entered = [each for each in published.values() if first <= each[0][0] < until]
    return len(entered), sum(len(each) > 1 and each[1][0] - each[0][0] <= within for each in entered)


def test_the_orders_are_those_published(published: dict[str, Any]) -> None:
    made = orders()
    assert len(made) == 41_528
    assert len(published) == 23_570  # as Fader and Hardie (2001) say
    assert max(each[0][0] for each in published.values()) == date(1997, 3, 25)
    assert sum(order.name == NAMES[0] for order in made) == 23_570
    assert sum(order.name == NAMES[1] for order in made) == sum(len(each) > 1 for each in published.values())
    assert round(sum(order.revenue for order in made), 2) == round(
        sum(dollars for each in published.values() for *_, dollars in each), 2
    )
    assert list(made) == sorted(made, key=lambda order: order.time)


def test_the_exploration_counts_what_was_published(tmp_path: Path, published: dict[str, Any]) -> None:
    world = Replayed(tmp_path, KEY)
    with Installation(world.settings) as live:
        for _, rows, _ in history(orders(), BEGIN, HISTORY_DAYS, tracking_plan_of(live)):
            live.landing.append(rows)
        live.lake.drain()
    world.clock.set(world.history_end)
    with workshop(world.settings, clock=world.clock) as shop:
        shop.is_demo = False
        shop.new(REQUIREMENT, config=parsed(CONFIG, "test"), key=KEY, author="test")
        stop = shop.run(KEY, until="explore", auto=True, author="test")
        assert stop.kind == "until"
        artifact = shop.dossier.artifact(KEY, "explore")
    assert not artifact.simulated
    begin, end = BEGIN.date(), world.history_end.date()
    before = {customer: each for customer, each in published.items() if each[0][0] < end}
    assert artifact.facts["units"]["value"] == len(before)
    counted = {each["name"]: each["count"] for each in artifact.facts["events"]}
    on_time = [sum(order[0] < end for order in each) for each in before.values()]
    assert counted == {
        "first_order": len(before),
        "second_order": sum(count > 1 for count in on_time),
        "third_order": sum(count > 2 for count in on_time),
        "later_order": sum(max(count - 3, 0) for count in on_time),
    }
    first, second = artifact.facts["funnels"][0]["steps"]
    # who came in the last week of the history was not seen for a whole week
    assert (first["units"], second["units"]) == second_within(published, begin, end - WEEK, WEEK)


def tracking_plan_of(live: Installation) -> Any:
    """The plan in force in the folder."""
    from paribus.app import definition

    assert tracking_plan()["events"].keys() == {"first_order", "second_order", "third_order", "later_order"}
    return definition.tracking_plan(live.store, definition.PROJECT, "production")


@pytest.mark.slow
def test_sixteen_steps_find_nothing_where_nothing_was_changed(tmp_path: Path, published: dict[str, Any]) -> None:
    result = run_real_demo(out=tmp_path / "demo")
    assert [each["status"] for each in result["steps"]] == ["done"] * 16
    assert not result["simulated"]
    assert result["verdict"] not in {"ship", "roll_back"}
    assert all(each["interval_covers_truth"] for each in result["truth"]["metrics"])
    text = (tmp_path / "demo" / "dossier" / "index.html").read_text()
    assert "simulated data" not in text
    assert "nobody is shown it" in text
    # units and second orders of each arm, by the exposures in the lake and the published days
    facts = json.loads((tmp_path / "demo" / "dossier" / "14-analyze.json").read_text())["facts"]
    reader = reader_of(tmp_path / "demo" / "data")
    assert reader is not None
    with duckdb.connect() as connection:
        exposed = connection.execute(
            "SELECT unit, any_value(properties->>'$.assigned') FROM read_parquet($files, union_by_name = true) "
            "WHERE name = '$exposure' AND environment = 'production' AND properties->>'$.reason' = 'SPLIT' GROUP BY 1",
            {"files": [str(file) for file in reader.snapshot().files]},
        ).fetchall()
    met = {arm: [published[unit] for unit, given in exposed if given == arm] for arm in ("control", "treatment")}
    assert facts["units"] == {arm: len(each) for arm, each in met.items()}
    share = {
        arm: sum(len(each) > 1 and each[1][0] - each[0][0] < WEEK for each in found) / len(found)
        for arm, found in met.items()
    }
    effect = next(each for each in facts["effects"] if each["metric"] == "second_order")
    assert effect["absolute"]["value"] == pytest.approx(share["treatment"] - share["control"], abs=1e-12)
