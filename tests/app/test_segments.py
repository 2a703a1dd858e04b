"""Segments that an exploration found, kept as audiences with their size."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

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

        # what no flag can evaluate is refused
        behavior = [each for each in listed.values() if each["when"] is None]
        assert behavior
        assert all(each["stability"] is not None for each in behavior)
        with pytest.raises(InputError):
            shop.save_segment(KEY, behavior[0]["segment"], author="ann")
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


def _flag(audience: str) -> dict[str, Any]:
    rule = {"id": "phones", "when": {"audience": audience}, "variant": "on"}
    return {
        "type": "boolean",
        "variants": [{"name": "off", "value": False}, {"name": "on", "value": True}],
        "default_variant": "off",
        "environments": {"production": {"rules": [rule]}},
    }
