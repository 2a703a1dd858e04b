"""The contract of the landing queue over Kafka, against librdkafka's own mock broker."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.errors import InputError, MissingExtra
from paribus.lake import Lake, open_landing
from paribus.lake.notes import counts

try:
    import confluent_kafka
except ImportError:
    confluent_kafka = None

needs_kafka = pytest.mark.skipif(confluent_kafka is None, reason="the extra kafka is not installed")


@pytest.fixture(scope="module")
def broker():
    """The address of a broker inside this process."""
    owner = confluent_kafka.Producer({"bootstrap.servers": "unused:1", "test.mock.num.brokers": 1, "log_level": 0})
    [only] = owner.list_topics(timeout=10).brokers.values()
    yield f"{only.host}:{only.port}"
    del owner


def _url(broker: str) -> str:
    return f"kafka://{broker}/landing-{random.randrange(1 << 40)}?log_level=0"


@pytest.mark.skipif(confluent_kafka is not None, reason="the extra kafka is installed")
def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra) as missing:
        open_landing("kafka://localhost:9/topic", clock=HandClock(), notes=tmp_path / "notes.sqlite")
    assert "paribus[kafka]" in str(missing.value)


@needs_kafka
@pytest.mark.parametrize("url", ["kafka://host:1", "kafka://host:1/", "kafka:///topic", "kafka://host:1/a/b"])
def test_a_url_without_a_topic_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError):
        open_landing(url, clock=HandClock(), notes=tmp_path / "notes.sqlite")


@needs_kafka
def test_rows_come_back_as_they_were_and_stay_until_removed(broker: str, tmp_path: Path) -> None:
    url, notes = _url(broker), tmp_path / "notes.sqlite"
    landing = open_landing(url, clock=HandClock(), notes=notes)
    sent = request([event("a", unit="ü"), event("b", verdict=2)], dialect="segment")
    assert landing.append([sent, request([event("c")])]) == 2

    async def more() -> list[int]:
        return await asyncio.gather(*(landing.append_async([request([event(str(n))])]) for n in range(20)))

    assert sorted(asyncio.run(more())) == list(range(3, 23))
    first, second = landing.read(after=0, max_events=3)
    assert (first.id, first.body, first.verdicts, first.dialect) == (1, sent.body, sent.verdicts, "segment")
    assert landing.last_id == 22
    landing.remove([first], lambda connection, oldest: None)
    assert landing.read(after=0, max_events=1) == [second]
    landing.close()
    again = open_landing(url, clock=HandClock(), notes=notes)
    assert [row.id for row in again.read(after=0, max_events=100)] == list(range(2, 23))
    assert again.run(counts) == {("segment", "accepted"): 1, ("segment", "quarantined"): 1, ("test", "accepted"): 21}
    again.close()


@needs_kafka
def test_a_lake_over_kafka_holds_each_event_once_also_after_dying_before_removal(broker: str, tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    url, clock = _url(broker), HandClock()
    lake = Lake.open(tmp_path, clock=clock, decode=decode, landing_url=url)
    lake.landing.append([request([event("a"), event("q", verdict=2)])])
    assert lake.watermark() <= NOON
    lake.landing.remove, removing = die, lake.landing.remove  # type: ignore[method-assign]
    with pytest.raises(Died):
        lake.flush()
    lake.landing.remove = removing  # type: ignore[method-assign]
    lake.close(drain=False)
    with Lake.open(tmp_path, clock=clock, decode=decode, landing_url=url) as lake:
        lake.landing.append([request([event("b")])])
        clock.advance(minutes=5)
        lake.drain()
        assert duckdb.sql(f"SELECT event_id FROM read_parquet({lake.files()[1]}) ORDER BY 1").fetchall() == [
            ("a",), ("b",),
        ]  # fmt: skip
        clock.advance(minutes=5)
        lake.flush()
        assert lake.watermark() == clock.now
        assert [each.missing for each in lake.reconcile()] == [0]
