"""Segments that an exploration found, kept as audiences with their size."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from paribus_sdk.condition import ConditionReader, truth

from paribus.app import definition
from paribus.app.feature import Workshop, workshop
from paribus.errors import Conflict, InputError, NotFound
from paribus.settings import Settings
from paribus.store import Address

USERS, MOBILE, DAYS = 600, 240, 14
KEY = "one-click"


def write_events(path: Path, mobile: int) -> Path:
    """Each user visits once on some day and looks; every third buys. The first users are on mobile."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "event", "time", "device", "revenue"])
        for user in range(USERS):
            device = "mobile" if user < mobile else "desktop"
            at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=user % DAYS, minutes=user)
            for number, event in enumerate(("visited", "product_viewed", "order_completed")[: 3 if user % 3 else 2]):
                paid = "20.5" if event == "order_completed" else ""
                rows.writerow([f"u{user}", event, (at + timedelta(minutes=number)).isoformat(), device, paid])
    return path


def explored(shop: Workshop, source: Path, key: str = KEY) -> None:
    shop.new("one-click checkout for mobile users", source=str(source), key=key, author="test")
    assert shop.run(key, until="explore", auto=True, author="test").kind == "until"


def test_a_segment_is_kept_with_its_size_and_flags_can_name_it(tmp_path: Path) -> None:
    with workshop(Settings(data=tmp_path / "data")) as shop:
        events = write_events(tmp_path / "events.csv", MOBILE)
        explored(shop, events)
        listed = {each["segment"]: each for each in shop.segments(KEY)}
        assert listed["device=mobile"]["audience"] == ""
        made = shop.save_segment(KEY, "device=mobile", author="ann")
        assert made["audience"] == "device-mobile"
        assert made["when"] == {"attribute": "device", "op": "equals", "value": "mobile"}
        # who came on the last day was not seen for the funnel's whole day
        in_time = [user for user in range(USERS) if user % DAYS < DAYS - 1]
        mobile = sum(user < MOBILE for user in in_time)
        assert made["counted"] | {"source": ""} == {
            "units": mobile,
            "of": len(in_time),
            "begin": "2026-03-02",
            "end": "2026-03-16",
            "source": "",
        }
        assert {each["segment"]: each["audience"] for each in shop.segments(KEY)}["device=mobile"] == "device-mobile"
        store = shop.operations.store
        definition.write(store, "flag", "banner", _flag("device-mobile"), expected=0, author="ann", reason="test")
        snapshot = definition.snapshot(store, definition.PROJECT, "production")
        assert snapshot["audiences"] == {"device-mobile": made["when"]}

        with pytest.raises(NotFound) as raised:
            shop.save_segment(KEY, "device=mobil", author="ann")
        assert "device=mobile" in str(raised.value.fix)
        # a new exploration is a new revision, and the old one stays
        first = shop.save_segment(KEY, "device=mobile", name="phones", author="ann")
        assert shop.save_segment(KEY, "device=mobile", name="phones", author="bob")["revision"] == first["revision"]
        write_events(events, 2 * MOBILE)
        shop.redo(KEY, "explore", author="ann")
        shop.run(KEY, until="explore", auto=True, author="ann")
        second = shop.save_segment(KEY, "device=mobile", name="phones", author="ann")
        assert second["revision"] > first["revision"]
        assert second["counted"]["units"] > first["counted"]["units"]
        history = shop.operations.store.history(Address(definition.PROJECT, "audience", "phones"))
        assert [(each.body or {})["counted"]["units"] for each in history] == [
            first["counted"]["units"],
            second["counted"]["units"],
        ]
        with pytest.raises(Conflict):
            shop.save_segment(KEY, "device=desktop", name="phones", author="ann")


def test_groups_by_behavior_are_audiences_over_what_users_did(tmp_path: Path) -> None:
    """Each saved group names, by the evaluator that flags use, as many users as it was saved with."""
    with workshop(Settings(data=tmp_path / "data")) as shop:
        explored(shop, write_events(tmp_path / "events.csv", MOBILE))
        groups = [each for each in shop.segments(KEY) if each["needs"]]
        clusters = [each for each in groups if each["segment"].startswith("behavior-")]
        classes = [each for each in groups if each["segment"].startswith("rfm-")]
        assert clusters
        assert all(0 < each["stability"] <= 1 for each in clusters)
        assert sum(each["units"] for each in classes) == USERS

        file = tmp_path / "did.csv"
        assert shop.behavior(KEY, file) == USERS
        with pytest.raises(InputError, match="is there already"):
            shop.behavior(KEY, file)
        did = pd.read_csv(file).set_index("unit")
        # Every user came on one day; every third bought nothing.
        assert (did["behavior_active_days"] == 1).all()
        assert (did["behavior_conversions"] == 0).sum() == USERS // 3
        assert did.loc["u0", "behavior_last_seen_days"] == DAYS - 1

        for each in (*clusters, *classes):
            made = shop.save_segment(KEY, each["segment"], author="ann")
            named = definition.read(shop.operations.store, "audience", made["audience"]).body or {}
            holds = ConditionReader({}).read(named["when"], "when")
            members = sum(truth(holds, row.get) is True for row in did.to_dict("records"))
            assert made["counted"]["units"] == members, each
            assert made["counted"]["of"] == USERS
            assert "behavior_" in made["description"]


def _flag(audience: str) -> dict[str, Any]:
    rule = {"id": "phones", "when": {"audience": audience}, "variant": "on"}
    return {
        "type": "boolean",
        "variants": [{"name": "off", "value": False}, {"name": "on", "value": True}],
        "default_variant": "off",
        "environments": {"production": {"rules": [rule]}},
    }
