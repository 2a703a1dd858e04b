"""Step 1 on a real lake and on files: every number has its evidence, the same data give the same artifact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from tests.exploration.shopping import FUNNEL, START, visits
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import NotFound
from paribus.experiments.schema import METRIC_TYPES
from paribus.exploration.opening import open_frame
from paribus.lake import Lake, LakeReader
from paribus.workflow import Artifact, Config, Context, Feature, Picture, Table
from paribus.workflow.artifact import numbers, refuse_unsupported
from paribus.workflow.exploring import parts_of
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.operations import Operations
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.steps import explore


@dataclass(frozen=True)
class Installation:
    """A data folder as this step sees it."""

    reader: LakeReader | None = None
    plan: dict[str, Any] | None = None

    def lake(self) -> LakeReader | None:
        return self.reader

    def tracking_plan(self) -> dict[str, Any] | None:
        return self.plan


def context(folder: Path, operations: Installation, source: str = "lake", **given: Any) -> Context:
    return Context(
        feature=Feature(key="checkout", requirement="a faster checkout", source=source, **given),
        config=Config(),
        artifacts={},
        operations=cast("Operations", operations),
        folder=folder,
        clock=HandClock(),
        once=lambda name, effect: effect(),
        agent=Deterministic(),
    )


def of_shop(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows as clients send them: anonymous until the checkout, attributes in the context, some sent twice."""
    sent = []
    for i, row in enumerate(frame.itertuples(index=False)):
        is_known = row.event in FUNNEL[3:]
        fields: dict[str, object] = {"user_id": row.user_id} if is_known else {}
        if row.event == "checkout_started" or not is_known:
            fields["anonymous_id"] = f"a-{row.user_id}"
        one = event(
            f"e{i}",
            row.event,
            at=row.time.to_pydatetime(),
            unit=row.user_id if is_known else f"a-{row.user_id}",
            properties={"revenue": row.revenue} if row.event == "order_completed" else {},
            context={"device": row.device, "returning": bool(row.returning), "country": row.country},
            trusted=True,
            sent=(START + timedelta(days=28)).isoformat(),
            **fields,
        )
        sent += [one, one] if i % 97 == 0 else [one]
    return sent


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    frame = visits(1500, seed=3)
    return frame[frame["time"] < START + pd.Timedelta(days=28)]


@pytest.fixture(scope="module")
def reader(shop: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeReader]:
    folder = tmp_path_factory.mktemp("folder")
    clock = HandClock((START + timedelta(days=28)).to_pydatetime())
    with Lake.open(folder, clock=clock, decode=decode) as lake:
        lake.landing.append([request(of_shop(shop), received=clock())])
        lake.drain()
        yield LakeReader(folder, clock=clock)


@pytest.fixture(scope="module")
def artifact(reader: LakeReader, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return explore.run(context(tmp_path_factory.mktemp("work"), Installation(reader), simulated=True))


def test_every_number_resolves_and_the_facts_are_whole(artifact: Artifact, shop: pd.DataFrame) -> None:
    refuse_unsupported(artifact, {})
    assert len(list(numbers(artifact.facts))) > 300
    facts = ExploreFacts.model_validate(artifact.facts)
    assert (facts.window.start, facts.window.end, facts.window.days) == ("2026-10-05", "2026-11-02", 28)
    assert facts.units.value == shop["user_id"].nunique()  # the anonymous ids of users who log in are these users
    assert tuple(step.event for step in facts.funnels[0].steps) == FUNNEL
    orders = next(each for each in facts.events if each.name == "order_completed")
    assert (orders.count, orders.properties["revenue"]) == ((shop["event"] == "order_completed").sum(), "number")
    assert facts.quality["copies_of_an_event_id"] == -(-len(shop) // 97)


def test_the_weak_point_is_named_and_can_be_targeted(artifact: Artifact) -> None:
    facts = ExploreFacts.model_validate(artifact.facts)
    first = facts.bottlenecks[0]
    assert (first.from_event, first.to_event) == ("checkout_started", "payment_submitted")
    assert first.segment == "device=mobile&returning=true"
    segment = next(each for each in facts.segments if each.key == first.segment)
    assert segment.rule == {
        "all": [
            {"attribute": "device", "op": "equals", "value": "mobile"},
            {"attribute": "returning", "op": "equals", "value": True},
        ]
    }
    assert "checkout_started and payment_submitted" in artifact.summary
    assert first.lost_conversions is not None
    assert first.lost_conversions.value is not None
    assert first.lost_units.value is not None
    assert 0 < first.lost_conversions.value <= first.lost_units.value


def test_baselines_are_metrics_of_an_experiment(artifact: Artifact) -> None:
    facts = ExploreFacts.model_validate(artifact.facts)
    assert [b.definition["role"] for b in facts.baselines][:2] == ["success", "secondary"]
    for baseline in facts.baselines:
        METRIC_TYPES[baseline.definition["type"]].model_validate(baseline.definition)
    entry = next(each for each in facts.entries if each.event == "checkout_started")
    assert entry.baselines[0].mean.value is not None
    assert facts.baselines[0].mean.value is not None
    assert entry.baselines[0].mean.value > facts.baselines[0].mean.value
    assert sum(entry.arrivals) < sum(facts.arrivals)


def test_the_same_data_give_the_same_artifact(artifact: Artifact, reader: LakeReader, tmp_path: Path) -> None:
    again = explore.run(context(tmp_path, Installation(reader), simulated=True))
    assert again.hash == artifact.hash
    text = json.dumps(again.body())
    assert str(reader.folder) not in text
    assert "u100" not in text  # no unit's id leaves the data


def test_other_data_give_other_facts(shop: pd.DataFrame, artifact: Artifact, tmp_path: Path) -> None:
    renamed = shop.assign(
        event=shop["event"].replace({"order_completed": "purchase_made", "cart_item_added": "basket"})
    )
    path = tmp_path / "events.parquet"
    renamed.to_parquet(path)
    other = explore.run(context(tmp_path, Installation(), str(path)))
    facts = ExploreFacts.model_validate(other.facts)
    assert facts.funnels[0].steps[-1].event == "purchase_made"
    assert facts.baselines[0].definition["event"] == "purchase_made"
    assert "purchase_made" in other.summary
    assert other.hash != artifact.hash
    dead = shop[shop["event"] != "payment_submitted"]
    dead.to_parquet(path)
    without = ExploreFacts.model_validate(explore.run(context(tmp_path, Installation(), str(path))).facts)
    assert "payment_submitted" not in [step.event for step in without.funnels[0].steps]


def test_the_plan_of_the_folder_is_used(reader: LakeReader, tmp_path: Path) -> None:
    steps = {"session_started": 1, "order_completed": 2}
    plan = {"events": {name: {"funnel": {"funnel": "short", "step": step}} for name, step in steps.items()}}
    facts = ExploreFacts.model_validate(explore.run(context(tmp_path, Installation(reader, plan))).facts)
    assert facts.funnels[0].name == "short"
    assert [step.event for step in facts.funnels[0].steps] == list(steps)


def test_readers_see_pictures_first(artifact: Artifact) -> None:
    blocks = explore.present(artifact)
    names = [block.name for block in blocks if isinstance(block, Picture)]
    assert names == ["funnel", "converted", "users", "journeys", "retention"]
    tables = [block for block in blocks if isinstance(block, Table)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert explore.present(artifact)[1] == blocks[1]


def test_without_events_the_way_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        explore.run(context(tmp_path, Installation()))
    assert "paribus events import" in (caught.value.fix or "")


def test_those_whom_the_requirement_is_for_are_a_segment(shop: pd.DataFrame) -> None:
    with open_frame(shop) as log:
        asked = {
            said: parts_of(log, requirement=said)[1].segments
            for said in ("faster search for new desktop users", "faster search for everyone")
        }
    new = {"all": [{"attribute": "device", "op": "equals", "value": "desktop"},
                   {"attribute": "returning", "op": "equals", "value": False}]}  # fmt: skip
    (meant,) = (each for each in asked["faster search for new desktop users"] if each.rule == new)
    first = shop.sort_values("time").groupby("user_id").first()
    counted = ((first["device"] == "desktop") & (first["returning"].astype(str).str.lower() == "false")).sum()
    assert meant.units.value == pytest.approx(counted, rel=0.05)
    assert not any(each.rule == new for each in asked["faster search for everyone"])
