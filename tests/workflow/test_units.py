"""What could be randomized, on a history of users, devices and accounts; clusters sized by their design effect."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import DefinitionError
from paribus.experiments.on_lake import as_history, lake_engine, snapshot_of
from paribus.experiments.registry import document_of_body
from paribus.experiments.sizes import size
from paribus.experiments.sizing import setting_of
from paribus.lake import Lake, LakeReader
from paribus.workflow import config
from paribus.workflow.designing.units import choices, unit_type_of

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SHOPS, DAYS = 40, 21
BODY: dict[str, Any] = {
    "paribus": 1,
    "experiment": "x",
    "flag": "x",
    "interference": "none because each user meets only their own variant",
    "variants": {"control": 50, "treatment": 50},
    "control": "control",
    "metrics": [{"name": "bought", "type": "proportion", "event": "order", "role": "success"}],
    "segments": ["shop", "device"],
    "plan": {"method": "fixed", "runtime_days": 14, "min_sample_size": 100},
}


@dataclass(frozen=True)
class History:
    """Users of shops that sell well or badly, and which user bought."""

    reader: LakeReader
    shop_of: dict[str, int]
    bought: dict[str, bool]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    chance = random.Random(3)
    rates = [0.1 + 0.5 * chance.random() for _ in range(SHOPS)]
    shop_of, bought, rows = {}, {}, []
    for number in range(4000):
        unit, shop = f"u{number}", chance.randrange(SHOPS)
        at = BEGIN + timedelta(minutes=chance.randrange(DAYS * 1440))
        shop_of[unit], bought[unit] = shop, chance.random() < rates[shop]
        about = {"shop": f"s{shop}", "device": "mobile"}
        names = ["opened", *(["order"] if bought[unit] else [])]
        for place, name in enumerate(names):
            rows.append(
                event(f"{unit}-{name}", name, at=at + timedelta(minutes=place), unit=unit, user_id=unit, context=about,
                      anonymous_id=f"a{number % 3000}" if number % 2 else None)
            )  # fmt: skip
    clock = HandClock(BEGIN + timedelta(days=DAYS))
    folder = tmp_path_factory.mktemp("units") / "data"
    with Lake.open(folder, clock=clock, decode=decode) as lake:
        for start in range(0, len(rows), 500):
            lake.landing.append([request(rows[start : start + 500], received=clock())])
        lake.flush()
    return History(LakeReader(folder, clock=clock), shop_of, bought)


def sized(history: History, body: dict[str, Any]) -> Any:
    document = as_history(document_of_body(body, "x"), "opened", since=BEGIN)
    with lake_engine(document.design, document.data, snapshot_of(history.reader)) as engine:
        return size(setting_of(document, engine, mde=0.1), seed=1, replications=0)


def test_each_kind_of_unit_is_offered_or_says_why_not(history: History) -> None:
    own = sized(history, BODY)
    found = choices(history.reader, BODY, "opened", BEGIN, own, lambda body: sized(history, body))
    by_name = {each.name: each for each in found}
    assert list(by_name) == ["user", "device", "cluster: shop", "cluster: device", "switchback"]
    assert by_name["user"].chosen
    assert by_name["user"].units == 4000
    assert by_name["user"].per_arm == next(each.per_arm for each in own.sizes if each.method.value == "fixed")
    assert by_name["device"].units == len({number % 3000 for number in range(4000) if number % 2})
    assert by_name["device"].per_arm is not None
    assert by_name["cluster: shop"].units == SHOPS
    assert by_name["cluster: device"].why_not == "1 of the 10 clusters that tell arms apart"
    assert "no analysis" in by_name["switchback"].why_not
    assert json.dumps([each.plain() for each in found])


def test_a_cluster_needs_more_by_the_design_effect_of_its_sums(history: History) -> None:
    """Variance of residual sums by shop over that of single users: Liang and Zeger (1986), from plain lists."""
    y = np.array([history.bought[unit] for unit in history.shop_of], dtype=float)
    shop = np.array(list(history.shop_of.values()))
    residual = y - y.mean()
    sums = np.array([residual[shop == each].sum() for each in range(SHOPS)])
    effect = float((sums**2).sum() * SHOPS / (SHOPS - 1) / (residual**2).sum())
    assert effect > 3
    clustered = {**BODY, "kind": "cluster", "interference": {"cluster": "shop"}}
    plain, whole = (
        next(each.per_arm for each in sized(history, body).sizes if each.method.value == "fixed")
        for body in (BODY, clustered)
    )
    assert whole / plain == pytest.approx(effect, rel=0.03)


def test_units_that_cannot_be_drawn_are_refused_with_their_reason() -> None:
    for unit, why in (("switchback", "no analysis yet"), ("cluster", "none is drawn whole"), ("a b", "lower-case")):
        with pytest.raises(DefinitionError, match=why):
            config.parse(f"experiment_config: {{unit: {unit}}}\n")
    assert unit_type_of(config.parse("experiment_config: {unit: device}\n").experiment_config.unit) == "anonymous"
    assert unit_type_of("account") == "account"
