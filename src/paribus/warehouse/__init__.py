"""Engines that answer SELECT statements, chosen by URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.warehouse.engine import ColumnKind, Engine, Table

if TYPE_CHECKING:
    from paribus.warehouse.event_views import Relations

__all__ = ["ColumnKind", "Engine", "Table", "open_engine"]


def open_engine(
    url: str | None = None,
    *,
    base_dir: str | Path | None = None,
    frames: Mapping[str, object] | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
    timeout_seconds: float | None = None,
    events: Relations | None = None,
) -> Engine:
    """The engine that a URL names.

    Args:
        url: None or `duckdb:` reads files and frames with DuckDB in memory; `duckdb:///file.db` also reads the tables
            of that database file, read-only; `chdb:` and `chdb:///folder` run ClickHouse in this process; anything
            else is a SQLAlchemy URL such as `postgresql://`, `mysql://`, `sqlite:///file.db`.
        base_dir: the folder that relative paths start from; default the current one.
        frames: in-memory tables by the name that statements use: pandas, Polars, DuckDB relations, anything with
            `__arrow_c_stream__`. DuckDB only.
        threads: DuckDB's number of threads; default all processors.
        memory_limit: the memory DuckDB may use, for instance "8GB"; default 80% of the machine's.
        events: relations of an event table that statements may name. DuckDB only.
        timeout_seconds: the longest a statement may run, on SQLAlchemy engines that can be told.

    Raises:
        InputError: the URL cannot be read, or its file does not exist.
        MissingExtra: the engine's driver is not installed.
        EngineError: the engine refused the connection. The password is never part of the message.
    """
    base = Path(base_dir) if base_dir is not None else Path()
    scheme, separator, rest = (url or "duckdb:").partition(":")
    if not separator:
        raise InputError(
            "the connection has no scheme",
            where="connection",
            rule="a connection is a URL, for instance postgresql://user@host/database",
            fix="for a DuckDB or SQLite file write duckdb:///file.db or sqlite:///file.db",
        )
    if scheme == "duckdb":
        from paribus.warehouse.duckdb_engine import DuckDBEngine

        return DuckDBEngine(
            _local_path(rest, base),
            base_dir=base,
            frames=frames,
            threads=threads,
            memory_limit=memory_limit,
            events=events,
        )
    if frames:
        raise InputError(
            f"in-memory frames cannot be read by {scheme!r}",
            where="connection",
            rule="frames are read by DuckDB",
            fix="leave the connection out, or load the frames into the database",
        )
    if scheme == "chdb":
        from paribus.warehouse.clickhouse import ClickHouseEngine

        return ClickHouseEngine(_local_path(rest, base))
    from paribus.warehouse.sqlalchemy_engine import SQLAlchemyEngine

    return SQLAlchemyEngine(url or "", base_dir=base, timeout_seconds=timeout_seconds)


def _local_path(rest: str, base: Path) -> Path | None:
    """The path of `///relative` or `////absolute` (also `//relative`); None for nothing or `:memory:`."""
    path = re.sub(r"^//?/?", "", rest, count=1).partition("?")[0]
    return None if path in {"", ":memory:"} else base / Path(path).expanduser()
