"""What a pipeline runs: the star model brought up to the lake, events exported, and what there is to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.clock import Clock
from paribus.errors import NotFound

if TYPE_CHECKING:
    from paribus.lake import LakeReader
    from paribus.lake.star import StarDefinition, StarState
    from paribus.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a pipeline can read: a lake, files, a table of a database."""

    source: str
    kind: str
    name: str
    columns: int


def refresh(
    store: Store, folder: Path, feature: str, *, clock: Clock | None = None, threads: int | None = None
) -> StarState:
    """The star model of a feature's pipeline plan, up to the newest version of the lake.

    Raises:
        NotFound: the feature has no pipeline plan yet, or nothing has arrived.
    """
    from paribus.lake.star import StarModel

    return StarModel(folder, threads=threads).refresh(_lake(folder, clock), _definition(store, feature))


def compare(store: Store, folder: Path, feature: str, *, clock: Clock | None = None) -> dict[str, int]:
    """Rows in which the kept star model, brought up to date, differs from one built anew; zero in each table.

    Raises:
        NotFound: the feature has no pipeline plan yet, or nothing has arrived.
    """
    from paribus.lake.star import StarModel

    lake = _lake(folder, clock)
    definition = _definition(store, feature)
    model = StarModel(folder)
    state = model.refresh(lake, definition)
    return model.differences(lake.snapshot(state.version), definition)


def export(folder: Path, target: Path, *, clock: Clock | None = None) -> Path:
    """Every event of the lake once, as a Parquet file in the target folder.

    Raises:
        NotFound: nothing has arrived yet.
    """
    from paribus.lake.export import export_events

    return export_events(_lake(folder, clock).snapshot(), target)


def discover(folder: Path, urls: tuple[str, ...], *, clock: Clock | None = None) -> list[Found]:
    """What there is to be read: the folder's lake, and the tables of the databases and files that are named.

    Raises:
        InputError, EngineError: a URL cannot be opened.
    """
    from paribus.app.lake import reader_of

    found = []
    lake = reader_of(folder, clock=clock)
    if lake is not None:
        found.append(Found(str(folder), "lake", "events", len(lake.snapshot().columns)))
    for url in urls:
        found += _tables(url)
    return found


def _definition(store: Store, feature: str) -> StarDefinition:
    from paribus.workflow.dossier import Dossier
    from paribus.workflow.facts.pipeline import PipelineFacts
    from paribus.workflow.steps.pipeline import star_of

    made = Dossier(store).artifacts(feature).get("pipeline")
    if made is None:
        raise NotFound(
            "there is no pipeline plan yet", where=feature, fix=f"paribus feature run {feature} --until pipeline"
        )
    return star_of(PipelineFacts.model_validate(made.facts))


def _tables(url: str) -> list[Found]:
    from paribus.warehouse import open_engine

    if "://" not in url and not url.startswith(("duckdb:", "chdb:")):
        engine = open_engine(None, base_dir=Path())
        try:
            return [Found(url, "files", Path(url).name, len(engine.columns(url)))]
        finally:
            engine.close()
    engine = open_engine(url)
    try:
        rows = engine.query(
            "SELECT table_schema, table_name, count(*) AS n FROM information_schema.columns WHERE table_schema NOT IN "
            "('information_schema', 'pg_catalog') GROUP BY table_schema, table_name ORDER BY 1, 2"
        ).rows
        return [Found(url.rpartition("@")[2], "database", f"{schema}.{name}", int(n)) for schema, name, n in rows]
    finally:
        engine.close()


def _lake(folder: Path, clock: Clock | None) -> LakeReader:
    from paribus.app.lake import reader_of

    reader = reader_of(folder, clock=clock)
    if reader is None:
        raise NotFound("nothing has arrived yet", where=str(folder), fix="start `paribus serve`, or import events")
    return reader
