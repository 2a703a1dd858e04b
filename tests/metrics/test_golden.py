"""Golden SQL for engines that no test can run: read by two independent grammars, and by a person in the diff.

`PARIBUS_UPDATE_GOLDEN=1 pytest tests/metrics/test_golden.py` writes the files anew. What a grammar has read without a
complaint is read again when the text or the grammar's version changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import sqlglot

from paribus.metrics.cells import StatementText
from paribus.metrics.compile import statements
from paribus.metrics.definition import (
    Cap,
    Covariate,
    DataModel,
    EventSource,
    Exposures,
    FunnelStep,
    Metric,
    MetricType,
    UnitTable,
)

GOLDEN = Path(__file__).parent / "golden"
PARSED = GOLDEN / "parsed.json"
# sqlglot's name -> sqlfluff's, None where sqlfluff has no grammar.
DIALECTS = {
    "bigquery": "bigquery",
    "snowflake": "snowflake",
    "redshift": "redshift",
    "databricks": "databricks",
    "spark": "sparksql",
    "trino": "trino",
    "athena": "athena",
    "tsql": "tsql",
    "druid": None,
}

UNITS = DataModel(units=UnitTable("results", "user id", "group", exposed_at="exposed_at"), segments=("Country",))
UNIT_METRICS = (
    Metric("order", MetricType.MEAN, value="order", covariates=(Covariate(value="spent_before"),)),
    Metric("converted", MetricType.PROPORTION, filter="plan = 'O''Hara'"),
    Metric("per visit", MetricType.RATIO, value="clicks / 2", denominator="visits", cap=Cap(upper=12.5)),
)
EVENTS = DataModel(
    exposures=Exposures(
        "analytics.exposures", "user_id", "variant", "ts", epoch="epoch", reason="reason", served="served"
    ),
    events={"orders": EventSource("analytics.orders", "user_id", "ts", event_id="order_id", session="session_id")},
    segments=("country",),
)
EVENT_METRICS = (
    Metric(
        "revenue",
        MetricType.MEAN,
        source="orders",
        value="amount - refund",
        window_days=7,
        cap=Cap(upper_percentile=0.999),
        covariates=(Covariate(days=14),),
    ),
    Metric("per session", MetricType.RATIO, source="orders", value="amount", denominator="session_id"),
    Metric("back", MetricType.RETENTION, source="orders", retention_days=(7, 13)),
    Metric(
        "checkout",
        MetricType.FUNNEL,
        steps=(FunnelStep("cart", "orders", "kind = 'cart'"), FunnelStep("pay", "orders", "kind = 'pay'")),
        window_days=1,
        given=1,
    ),
    Metric("slow", MetricType.QUANTILE, source="orders", value="ms", quantile=0.95, level_of_rows="row", window_days=7),
)


@cache
def rendered(dialect: str) -> list[StatementText]:
    table = statements(
        UNITS, UNIT_METRICS, dialect, fragment_dialect="duckdb", by_day=True, segments=("Country",), variants=("a", "b")
    )
    exposed = statements(
        EVENTS,
        EVENT_METRICS,
        dialect,
        fragment_dialect="duckdb",
        variants=("control", "treatment"),
        start=datetime(2026, 3, 2),
        end=datetime(2026, 3, 16),
        as_of=datetime(2026, 3, 20),
        by_day=True,
        segments=("country",),
        cut_at=[datetime(2026, 3, 9), datetime(2026, 3, 16)],
    )
    return [*table, *exposed]


def document(dialect: str) -> str:
    header = (
        f"-- {dialect}: rendered and parsed, not run against a live service.\n"
        "-- `:name` is a number that an earlier statement computes. Written by tests/metrics/test_golden.py.\n"
    )
    return header + "".join(f"\n-- {s.name}\n{s.sql};\n" for s in rendered(dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_golden_sql_is_as_reviewed(dialect: str) -> None:
    path = GOLDEN / f"{dialect}.sql"
    text = document(dialect)
    if os.environ.get("PARIBUS_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), "the SQL changed: review it with PARIBUS_UPDATE_GOLDEN=1 and git diff"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_golden_sql_reads_back_unchanged(dialect: str) -> None:
    for statement in rendered(dialect):
        text = filled(statement.sql)
        tree = sqlglot.parse_one(text, dialect=dialect)
        assert compact(tree.sql(dialect=dialect, pretty=True)) == compact(text), statement.name


@pytest.mark.parametrize("dialect", [name for name, grammar in DIALECTS.items() if grammar])
def test_golden_sql_parses_in_an_independent_grammar(dialect: str) -> None:
    sqlfluff = pytest.importorskip("sqlfluff.core", reason="sqlfluff is in the dependency group `grammars`")
    text = ";\n".join(filled(statement.sql) for statement in rendered(dialect)) + ";\n"
    if dialect == "redshift":  # which reads \\' as a quote, and sqlfluff does not know
        text = text.replace("\\'", "''")
    read = {"sqlfluff": version("sqlfluff"), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    if known_to_parse().get(dialect) == read:
        return
    parsed = sqlfluff.Linter(dialect=DIALECTS[dialect]).parse_string(text)
    assert not parsed.violations, [(v.line_no, v.desc()) for v in parsed.violations[:5]]
    if os.environ.get("PARIBUS_UPDATE_GOLDEN"):
        PARSED.write_text(json.dumps(dict(sorted({**known_to_parse(), dialect: read}.items())), indent=1) + "\n")


def known_to_parse() -> dict[str, dict[str, str]]:
    """The texts that the grammars have read without a complaint, by dialect: to read one takes half a minute."""
    found: dict[str, dict[str, str]] = json.loads(PARSED.read_text()) if PARSED.is_file() else {}
    return found


def compact(sql: str) -> str:
    """Without white space, and with sqlglot's spellings of two things that vendors document otherwise."""
    return re.sub(r"INTERVAL'(\d+)'", r"INTERVAL\1", re.sub(r"\s+", "", sql)).replace("TIMESTAMP_NTZ", "TIMESTAMPNTZ")


def filled(sql: str) -> str:
    """The statement with a number for each `:name`."""
    return re.sub(r"(?<![:\w']):(?=[a-z])\w+", "42", sql)
