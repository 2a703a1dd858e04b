"""A relation with its units in random buckets, or randomized anew: a derived table that any engine can read.

The number of a unit's bucket comes from a hash of its id and a salt, by each engine's own function: it need not agree
between engines, only behave as drawn by lot. Engines without one get a multiplicative hash (Knuth 1998, 6.4) of the
id's rank.
"""

from __future__ import annotations

from collections.abc import Mapping

from paribus.warehouse.sql.dialects import hooks

BUCKET, VARIANT = "pb_bucket", "pb_variant"
SHARES = 10_000
_PRIME, _FACTOR = 2_147_483_629, 1_640_531_527  # below 2^31; 2^32 over the golden ratio


def bucketed(relation: str, column: str, dialect: str, *, buckets: int, salt: str) -> str:
    """The text of a table with every row of `relation` and the columns `pb_bucket` (text) and `pb_variant` ('all').

    Args:
        relation: text that stands in FROM.
        column: name of the column whose values (units or clusters) stay together.
        dialect: sqlglot's name.
        buckets: how many.
        salt: letters and digits; another salt gives other buckets.

    >>> print(bucketed("orders", "user", "postgres", buckets=200, salt="a")[:60])
    (SELECT pb_rows.*, CAST(MOD(CAST(HASHTEXT(CAST("user" AS TEX
    """
    bucket = _as_text(_number(_quoted(column, dialect), dialect, buckets, salt), dialect)
    return f"(SELECT pb_rows.*, {bucket} AS {BUCKET}, 'all' AS {VARIANT} FROM {relation} AS pb_rows) AS pb_units"


def randomized(relation: str, column: str, dialect: str, *, weights: Mapping[str, float], salt: str) -> str:
    """The text of a table with every row of `relation` and a new random variant in the column `pb_variant`."""
    number = _number(_quoted(column, dialect), dialect, SHARES, salt)
    total, so_far, cases = sum(weights.values()), 0.0, []
    for name, weight in list(weights.items())[:-1]:
        so_far += weight / total * SHARES
        cases.append(f"WHEN pb_number < {round(so_far)} THEN {_literal(name, dialect)}")
    variant = f"CASE {' '.join(cases)} ELSE {_literal(list(weights)[-1], dialect)} END"
    inner = f"(SELECT pb_rows.*, {number} AS pb_number FROM {relation} AS pb_rows) AS pb_numbered"
    return f"(SELECT pb_numbered.*, {variant} AS {VARIANT} FROM {inner}) AS pb_units"


def _number(column: str, dialect: str, count: int, salt: str) -> str:
    if not salt.isalnum():
        raise ValueError(f"a salt is letters and digits, not {salt!r}")
    match dialect:
        case "duckdb":
            return f"CAST(HASH(CAST({column} AS VARCHAR) || '{salt}') % {count} AS INTEGER)"
        case "clickhouse":
            return f"toInt32(cityHash64(concat(toString({column}), '{salt}')) % {count})"
        case "postgres":
            return f"MOD(CAST(HASHTEXT(CAST({column} AS TEXT) || '{salt}') AS BIGINT) + 2147483648, {count})"
        case "mysql":
            digits = f"SUBSTR(MD5(CONCAT(CAST({column} AS CHAR), '{salt}')), 1, 8)"
            return f"MOD(CAST(CONV({digits}, 16, 10) AS UNSIGNED), {count})"
        case _:
            shift = sum((i + 1) * ord(c) for i, c in enumerate(salt)) * 7919 % _PRIME
            rank = f"DENSE_RANK() OVER (ORDER BY {column})"
            return f"(((({rank}) * {_FACTOR} + {shift}) % {_PRIME}) * {48_271 + 2 * (shift % 1000)} % {_PRIME}) % {count}"


def _quoted(column: str, dialect: str) -> str:
    return str(hooks(dialect).column(column).sql(dialect=dialect))


def _literal(value: str, dialect: str) -> str:
    from paribus.warehouse.sql import build

    return str(build.text(value).sql(dialect=dialect))


def _as_text(number: str, dialect: str) -> str:
    kind = {"clickhouse": "String", "mysql": "CHAR(10)", "duckdb": "VARCHAR"}.get(dialect, "TEXT")
    return f"CAST({number} AS {kind})"
