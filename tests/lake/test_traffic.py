"""Traffic of a stretch of days, against counts of what was sent."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.lake import Lake
from paribus.lake.traffic import Traffic, traffic


def test_events_busiest_hour_and_size_of_the_days_asked_for(tmp_path: Path) -> None:
    clock = HandClock(NOON + timedelta(days=1))

    def made(n: int, at: datetime) -> list[dict[str, object]]:
        return [event(f"{at.isoformat()}{i}", at=at, properties={"a": "bcd"}) for i in range(n)]

    busy, quiet, outside = NOON + timedelta(minutes=5), NOON + timedelta(hours=3), NOON - timedelta(days=3)
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        assert traffic(lake.snapshot(), date(2026, 3, 10), date(2026, 3, 11)) == Traffic(0, 0, None)
        sent = [*made(7, busy), *made(2, quiet), *made(5, outside), made(1, busy)[0]]
        received = NOON + timedelta(hours=4)
        lake.landing.append([request([{**each, "sent": received.isoformat()} for each in sent], received=received)])
        lake.drain()
        found = traffic(lake.snapshot(), date(2026, 3, 10), date(2026, 3, 11))
    assert (found.events, found.busiest_hour) == (9, 7)
    assert found.mean_bytes == len('{"a": "bcd"}') + len("{}")
