"""What the pipeline has to carry, measured; and two ways to run it, with what they cost and how late they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from paribus.workflow.artifact import Evidence, Measured
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.pipeline import OptionPlan

if TYPE_CHECKING:
    from paribus.lake import LakeReader

FLUSH_SECONDS = 2.0  # of the embedded lake: events move on at the latest after this
REFRESH_SECONDS = 60.0  # how often the kept tables are brought up
BATCH_SECONDS = 300.0  # a warehouse's loader, by micro-batch
TYPICAL_BYTES = 400.0  # of an event's JSON, where it was not measured
STORAGE_PER_GB = 0.023  # USD a month: object storage, list price
SMALL_MACHINE = 30.0  # USD a month: two shared cores, 4 GB, list price
BROKER = 150.0  # USD a month: the smallest managed Kafka of three brokers, list price
WAREHOUSE_HOUR = 2.0  # USD: the smallest warehouse of a cloud vendor, list price
PARQUET_SHARE = 0.25  # of JSON text, compressed with the typed columns beside it
EMBEDDED_EVENTS_PER_SECOND = 20_000  # one process, durable before it answers; see benchmarks/results
DAYS_PER_MONTH = 30.4


@dataclass(frozen=True, slots=True)
class Load:
    """What arrives: events a second on average and in the busiest hour, bytes of an event, each with its evidence."""

    per_second: Measured
    peak: Measured | None
    bytes_per_event: float
    evidence: dict[str, Evidence]


def load(explore: ExploreFacts, lake: LakeReader | None) -> Load:
    """The traffic of the explored window: measured on the lake, else from the exploration's counts."""
    start, end = date.fromisoformat(explore.window.start[:10]), date.fromisoformat(explore.window.end[:10])
    seconds = max(explore.window.days, 1) * 86_400
    count = sum(event.count for event in explore.events)
    if lake is not None:
        from paribus.lake.traffic import traffic

        found = traffic(lake.snapshot(), start, end)
        if found.events:
            evidence = Evidence(
                kind="sql",
                title="Traffic of the explored window",
                statement="SELECT sum(n), max(n), sum(characters) FROM (SELECT date_trunc('hour', corrected_time) "
                "AS hour, count(*) AS n, sum(length(properties) + length(context)) AS characters FROM events "
                "GROUP BY hour)",
                data=f"{found.events:,} events from {start} up to {end}",
            )
            return Load(
                Measured(value=round(found.events / seconds, 6), unit="events/s", evidence="traffic"),
                Measured(value=round(found.busiest_hour / 3600, 6), unit="events/s", evidence="traffic"),
                found.mean_bytes or TYPICAL_BYTES,
                {"traffic": evidence},
            )
    evidence = Evidence(
        kind="result",
        title="Traffic of the explored window",
        statement="events counted by the exploration / seconds of its window",
        data=f"{count:,} events in {explore.window.days} days",
    )
    average = Measured(value=round(count / seconds, 6), unit="events/s", evidence="traffic")
    return Load(average, None, TYPICAL_BYTES, {"traffic": evidence})


def options(found: Load, retention_days: int, *, real_time: bool) -> tuple[tuple[OptionPlan, ...], dict[str, Evidence]]:
    """The embedded and the distributed way; the cheaper that is fast enough is chosen.

    Args:
        found: the load.
        retention_days: of the events.
        real_time: whether live metrics are asked for.
    """
    rate = found.per_second.value or 0.0
    peak = found.peak.value if found.peak is not None and found.peak.value is not None else 4 * rate
    kept_gb = rate * 86_400 * retention_days * found.bytes_per_event * PARQUET_SHARE / 1e9
    embedded = SMALL_MACHINE + kept_gb * STORAGE_PER_GB
    distributed = BROKER + 2 * SMALL_MACHINE + DAYS_PER_MONTH * 2 * WAREHOUSE_HOUR + kept_gb * STORAGE_PER_GB
    fits = peak <= EMBEDDED_EVENTS_PER_SECOND
    statement = (
        f"storage: {rate:.6g} events/s x {retention_days} days x {found.bytes_per_event:.0f} bytes x {PARQUET_SHARE:g} "
        f"= {kept_gb:.3g} GB at {STORAGE_PER_GB:g} USD; machine {SMALL_MACHINE:g} USD; brokers {BROKER:g} USD; "
        f"warehouse {WAREHOUSE_HOUR:g} USD an hour, two hours a day"
    )
    evidence = {
        "prices": Evidence(kind="config", title="List prices, rounded, USD a month", statement=statement),
        "latency": Evidence(
            kind="config",
            title="Intervals of the two ways",
            statement=f"embedded: flush after {FLUSH_SECONDS:g} s at most, kept tables every {REFRESH_SECONDS:g} s"
            f"; distributed: micro-batches every {BATCH_SECONDS:g} s; 0.95 of an interval is the 95th percentile",
        ),
    }
    why = "the busiest hour fits into one process" if fits else "the busiest hour does not fit into one process"
    fast = " and live metrics are fresher" if real_time and fits else ""
    return (
        OptionPlan(
            name="embedded",
            components=("one process", "local queue", "Delta table on disk", "DuckDB"),
            cost_per_month=Measured(value=round(embedded, 2), unit="USD/month", evidence="prices"),
            p95_freshness_seconds=Measured(
                value=round(0.95 * (FLUSH_SECONDS + REFRESH_SECONDS), 1), unit="seconds", evidence="latency"
            ),
            moving_parts=1,
            chosen=fits,
            why=f"{why}{fast}; nothing else has to run" if fits else why,
            evidence="prices",
        ),
        OptionPlan(
            name="distributed",
            components=("two servers", "Kafka", "Delta table on object storage", "a cloud warehouse"),
            cost_per_month=Measured(value=round(distributed, 2), unit="USD/month", evidence="prices"),
            p95_freshness_seconds=Measured(value=round(0.95 * BATCH_SECONDS, 1), unit="seconds", evidence="latency"),
            moving_parts=5,
            chosen=not fits,
            why="more than one process is needed" if not fits else "dearer and later, until one process is not enough",
            evidence="prices",
        ),
    ), evidence
