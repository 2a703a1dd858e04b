"""Every useful fragment of an engine that is here runs on it, and means there what its text meant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.warehouse.loading import load
from tests.warehouse.test_fragments import COLUMNS, _useful

from paribus.errors import ParibusError
from paribus.warehouse import Engine
from paribus.warehouse.sql.fragments import parse_fragment

ROWS = {
    "id": [1, 2, 3, 4],
    "revenue": [12.5, None, 0.0, 3.0],
    "refund": [1.0, 2.0, None, 0.5],
    "discount": [0.0, 0.5, 0.1, None],
    "qty": [1, 2, None, 9],
    "country": ["US", "ca", None, ""],
    "plan": ["pro", "team", "free", None],
    "name": ["a-b", "7", "00007", "naïve 日本語"],
    "url": ["/checkout/1", "/home", "/Checkout", None],
    "ts": [
        datetime(2026, 3, 1, 10, 30),
        datetime(2026, 3, 7, 23, 59, 59),
        datetime(2026, 2, 28),
        datetime(2026, 3, 31, 12),
    ],
    "signup": [
        datetime(2026, 3, 1),
        datetime(2026, 3, 1, 12),
        datetime(2026, 1, 31, 23, 30),
        datetime(2026, 3, 30, 13),
    ],
    "day": [date(2026, 3, 1), date(2026, 3, 7), date(2026, 2, 28), date(2026, 3, 31)],
    "active": [True, False, None, True],
    "props": [
        '{"sku": "a", "price": 12.5, "item": {"sku": "a", "price": 3.5}, "items": [{"sku": "a", "price": 1}]}',
        '{"sku": "b", "price": 1, "items": []}',
        "{}",
        '{"price": 7}',
    ],
    "order value": [1.0, 2.5, None, 4.0],
    "größe": [1.0, 2.0, 3.0, None],
}

# What each engine needs beside the table: JSON as JSON, and a record and a list where it has them.
VIEWS = {
    "duckdb_file": "SELECT * REPLACE (CAST(props AS JSON) AS props), ['a', country] AS items, "
    "{'price': revenue, 'item': {'price': refund}, 'tags': ['x']} AS payload FROM t",
    "postgres": "SELECT id, revenue, refund, discount, qty, country, plan, name, url, ts, signup, day, active, "
    'CAST(props AS jsonb) AS props, "order value", "größe" FROM t',
    "mariadb": "SELECT * FROM t",
    "sqlite": "SELECT * FROM t",
    "chdb": "SELECT *, array('a', 'b') AS items, CAST(tuple(revenue, tuple(refund)) "
    "AS Tuple(price Nullable(Float64), item Tuple(price Nullable(Float64)))) AS payload FROM t",
}

# What the engine itself refuses as it stands, whoever writes it: words of the vendor's later versions, and values here
# that are no numbers.
NO_NUMBER = {"CAST(name AS DOUBLE)", "NULLIF(name, '')::numeric"}
ONE_CASE = {"REVENUE + Revenue", "größe + 1"}  # ClickHouse tells cases apart and quotes letters beyond ASCII
NOT_NULLABLE = {"revenue::float", "CAST(qty AS VARCHAR(20))", "CAST(qty AS Float64)", "revenue::Float64"}
REFUSED_BY_THE_ENGINE = {
    "duckdb_file": NO_NUMBER | {"revenue > 0 = active"},
    "postgres": NO_NUMBER
    | {"ROUND(revenue, 2)", "ROUND(revenue * 1.19, 2)", "INSTR(name, 'a') > 0", "LOG(10, revenue)"},
    "sqlite": {
        "GREATEST(revenue, refund)",
        "GREATEST(0, revenue - 100)",
        "LEAST(revenue, 500)",
        "LEAST(GREATEST(revenue, 0), 1000)",
        "CONCAT(name, '-', country) = 'a-US'",
        "ts >= TIMESTAMP '2026-03-01 00:00:00'",
        "day >= DATE '2026-03-01'",
    },
    "chdb": ONE_CASE | NOT_NULLABLE | {"LENGTH(name) - LENGTH(REPLACE(name, 'a', ''))"},  # its planner gives up
    "mariadb": {"props->>'$.sku' = 'a'", "props->'$.price'"},
}
# SQLite casts to DATE as to a number; what is written means the date.
BETTER_THAN_THE_TEXT = {"ts >= CAST('2026-03-01' AS DATE)", "CAST(ts AS DATE) = '2026-03-01'"}


@pytest.mark.parametrize("engine_name", list(VIEWS))
def test_useful_fragments_run_and_keep_their_meaning(
    engine_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{engine_name}_url") if engine_name in {"postgres", "mariadb"} else None
    engine = load(engine_name, {"t": ROWS}, folder=tmp_path, url=url)
    table = f"({VIEWS[engine_name]}) AS t"
    failed, refused, compared = [], set(), 0
    for dialect, kind, text, _ in _useful():
        if dialect != engine.dialect:
            continue
        fragment = parse_fragment(text, dialect=dialect, columns=COLUMNS, kind=kind)  # type: ignore[arg-type]
        expected = _values(engine, text, table)
        if isinstance(expected, str):
            refused.add(text)
            continue
        found = _values(engine, fragment.sql(), table)
        compared += 1
        if expected != found and not (engine_name == "sqlite" and text in BETTER_THAN_THE_TEXT):
            failed.append((text, expected, fragment.sql(), found))
    engine.close()
    assert failed == []
    assert refused <= REFUSED_BY_THE_ENGINE[engine_name]
    assert compared > 85


def _values(engine: Engine, sql: str, table: str) -> list[str] | str:
    try:
        rows = engine.query(f"SELECT {sql} AS v, id FROM {table} ORDER BY id").rows
    except ParibusError as error:
        return str(error)[:200]
    return [_shown(value) for value, _ in rows]


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return repr(value.astimezone(UTC) if value.tzinfo else value)
    return f"{value:.12g}" if isinstance(value, float) else repr(value)
