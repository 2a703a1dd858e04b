"""What units did after exposure, counted on files of a lake, against pandas on the plain rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.experiments.lake_files import FLAG, START, Shop

from paribus.experiments.on_lake import Snapshot
from paribus.impact.after_exposure import Asked, after_exposure


def test_units_are_counted_once_after_exposure_in_the_arm_they_were_assigned(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for i in range(60):
        arm = "treatment" if i % 2 else "control"
        shop.expose(f"u{i}", arm, START + timedelta(minutes=i))
        if i % 3 == 0:
            theme = {"theme": "slow" if i % 2 else "nice"}
            shop.repeat(shop.add("survey_answered", f"u{i}", START + timedelta(hours=2), theme))
        shop.add("survey_answered", f"u{i}", START - timedelta(hours=1), {"theme": "before"})
    shop.expose("mixed", "control", START)
    shop.expose("mixed", "treatment", START + timedelta(hours=1))
    shop.add("survey_answered", "mixed", START + timedelta(hours=2), {"theme": "slow"})
    shop.add("survey_answered", "stranger", START + timedelta(hours=2), {"theme": "slow"})
    shop.write()
    snapshot = Snapshot(tmp_path, "table", 1, tuple(shop.files))
    found = after_exposure(
        snapshot, FLAG, [Asked("survey_answered"), Asked("survey_answered", "theme")], environment="prod"
    )
    assert found.exposed == {"control": 30, "treatment": 30}
    whole, *themes = found.counted
    assert whole.units == {"control": 10, "treatment": 10}
    assert whole.events == {"control": 10, "treatment": 10}
    assert {c.theme: dict(c.units) for c in themes} == {"nice": {"control": 10}, "slow": {"treatment": 10}}
    # Units 0, 6, … 54 of control were exposed at their minute and answered at two hours: the median waits 93 minutes.
    assert whole.seconds["control"] == pytest.approx(60 * (120 - 27))
    assert set(found.statements) == {"exposed units", "events after"}


def test_nothing_after_the_decision_is_counted(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.expose("a", "control", START)
    shop.expose("b", "treatment", START + timedelta(days=3))
    shop.add("order_completed", "a", START + timedelta(days=2), {"revenue": 3.0})
    shop.write()
    snapshot = Snapshot(tmp_path, "table", 1, tuple(shop.files))
    found = after_exposure(snapshot, FLAG, [Asked("order_completed")], until=START + timedelta(days=1))
    assert found.exposed == {"control": 1}
    assert found.counted == ()
