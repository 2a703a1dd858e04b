"""The data that a result was computed from, opened again: for readings that need rows of units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.app.experiment import engine_of, load, table_engine
from paribus.errors import NotFound

if TYPE_CHECKING:
    from paribus.experiments.plan import Design
    from paribus.experiments.result import Result
    from paribus.lake import LakeReader
    from paribus.metrics.definition import DataModel
    from paribus.store import Store
    from paribus.warehouse.engine import Engine

Opened = Callable[["Design", "DataModel"], AbstractContextManager["Engine"]]


def on_lake(store: Store, reader: LakeReader, *, project: str) -> Opened:
    """Opens the lake of a data folder for a result that was read from it."""

    @contextmanager
    def opened(design: Design, data: DataModel) -> Iterator[Engine]:
        from paribus.app.lake import links_of
        from paribus.experiments.on_lake import lake_engine, snapshot_of

        links = links_of(store, data, project=project)
        with lake_engine(design, data, snapshot_of(reader), links=links) as engine:
            yield engine

    return opened


def stored(key: str, folder: Path, *, as_of: datetime | str | None = None) -> tuple[Result, Opened]:
    """The result of an experiment on a flag, and what opens the lake it was read from.

    Raises:
        NotFound: there is no such experiment, or no event has arrived.
    """
    from paribus.app import definition
    from paribus.app.folder import definitions
    from paribus.app.lake import analyze_stored, reader_of
    from paribus.settings import from_environment

    settings = from_environment(data=folder)
    result = analyze_stored(key, data=folder, as_of=as_of)

    @contextmanager
    def opened(design: Design, data: DataModel) -> Iterator[Engine]:
        with definitions(settings) as store:
            reader = reader_of(settings.data)
            if reader is None:
                raise NotFound("no event has arrived yet", where=str(settings.data))
            with on_lake(store, reader, project=definition.PROJECT)(design, data) as engine:
                yield engine

    return result, opened


def of_file(source: object) -> Opened:
    """Opens what an experiment file names, for the design and data of a result."""

    @contextmanager
    def opened(design: Design, data: DataModel) -> Iterator[Engine]:
        with engine_of(replace(load(source), design=design, data=data)) as engine:
            yield engine

    return opened


def of_table(source: object, connection: str | None) -> Opened:
    """Opens one table: a file, a database's table, or a frame in memory."""

    @contextmanager
    def opened(design: Design, data: DataModel) -> Iterator[Engine]:
        with table_engine(source, connection) as (engine, _):
            yield engine

    return opened
