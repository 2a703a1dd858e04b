"""A feature whose data are files: explored, believed and planned from them, before the first event has arrived."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tests.exploration.shopping import FUNNEL, visits
from tests.lake.sending import HandClock, decode, event, request

from paribus.app.feature import workshop
from paribus.lake import Lake
from paribus.settings import Settings


def test_the_plan_is_sized_on_the_files(tmp_path: Path) -> None:
    frame = visits(6000)
    frame.to_csv(tmp_path / "events.csv", index=False)
    with workshop(Settings(data=tmp_path / "data")) as shop:
        source = str(tmp_path / "events.csv")
        shop.new("easier payment for returning mobile users", source=source, key="pay", author="test")
        assert shop.run("pay", until="design", auto=True, author="test").kind == "until"
        design = shop.dossier.artifact("pay", "design")
        assert design.evidence["history"].data.startswith("events.csv (")
        assert design.facts["entry_event"] in FUNNEL
        # whom the certificate counted are those who met the decision from the day on that the evidence names
        since = pd.Timestamp(design.evidence["history"].title.split("since ")[1][:10], tz="UTC")
        met = frame[(frame["event"] == design.facts["entry_event"]) & (frame["time"] >= since)]
        whole = met[(met["device"] == "mobile") & met["returning"]]["user_id"].nunique()
        matured = max(each["units"] for each in design.facts["certificate"]["metrics"])
        assert 0.5 * whole < matured <= whole
        assert shop.operations.lake() is None


def test_the_plan_stays_on_the_files_when_other_events_have_arrived(tmp_path: Path) -> None:
    visits(6000).to_csv(tmp_path / "events.csv", index=False)
    settings, clock = Settings(data=tmp_path / "data"), HandClock()
    with workshop(settings) as shop:
        source = str(tmp_path / "events.csv")
        shop.new("easier payment for returning mobile users", source=source, key="pay", author="test")
    with Lake.open(settings.data, clock=clock, decode=decode) as lake:
        lake.landing.append([request([event("e1", "checkout_started", unit="u1")], received=clock())])
        lake.drain()
    with workshop(settings) as shop:
        assert shop.run("pay", until="design", auto=True, author="test").kind == "until"
        design = shop.dossier.artifact("pay", "design")
        assert shop.operations.lake() is not None
        assert design.evidence["history"].data.startswith("events.csv (")
        assert design.facts["unit_choices"] == []  # of one unit in the lake they would be
