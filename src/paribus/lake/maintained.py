"""The maintained tables `first_exposures` and `unit_metric`: what many experiments need of the lake, kept as it grows.

An update reads the files that are new and appends to three sets of Parquet files:

    first_exposures/        per experiment, unit, epoch and variant: the earliest exposure and what it said
    unit_metric/ledger/     the events of every name in use, each once: unit, time, key, values
    unit_metric/sums/       per experiment, unit and event name: sums of values over windows around first exposure

Sums are added up on reading. A unit whose first exposure moved (it is new, or an earlier exposure came late) is summed
again from the ledger; its newer generation replaces what stood before. An event that arrives again counts once, with
the earlier of its times, as in the statement. Rows at or after the horizon wait for the update that passes them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from paribus.errors import InputError, StorageError
from paribus.lake.durability import sync_file, sync_files
from paribus.lake.maintained_definition import Definition, NewRows
from paribus.lake.maintained_reading import counted, reader, units, waiting
from paribus.lake.maintained_sql import Steps

if TYPE_CHECKING:
    import duckdb

FORMAT = 2
MOST_FILES = 16
SETS = ("exposures", "ledger", "gone", "sums")


@dataclass(frozen=True, slots=True)
class State:
    """What the tables hold.

    table, version  the event table and the version up to which its files were read
    horizon         only events before this time are in the sums
    generation      number of updates since the tables were built
    mark            tells the version from another one of the same number
    files           by set, paths relative to the folder of the lake
    """

    table: str
    version: int
    horizon: datetime
    definition: str
    generation: int = 0
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mark: str = ""


def unit_types_kept(folder: str | Path) -> list[str]:
    """The types of unit that have tables, or files of tables, in the lake's folder."""
    paths = [*Path(folder).glob("unit_metric/*.json"), *Path(folder).glob("first_exposures/*@*.parquet")]
    paths += Path(folder).glob("unit_metric/*/*@*.parquet")
    return sorted({path.stem.rpartition("@")[0] if path.suffix == ".parquet" else path.stem for path in paths})


class MaintainedTables:
    """The two tables of one type of unit, in the lake's folder. Whoever updates holds the folder's writer lock.

    Args:
        folder: the lake's folder, for instance `paribus-data/lake`.
        unit_type: of the units.
        threads, memory_limit: DuckDB's; None for its own choice.
        most_files: of one set; beyond, they are merged into one.
    """

    def __init__(
        self,
        folder: str | Path,
        unit_type: str = "user",
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        most_files: int = MOST_FILES,
    ) -> None:
        self.folder = Path(folder)
        self.unit_type = unit_type
        self._options = {"threads": threads, "memory_limit": memory_limit}
        self._most_files = most_files
        self._synced: set[str] = set()
        self._manifest = self.folder / "unit_metric" / f"{unit_type}.json"

    def state(self, definition: Definition | None = None, table: str | None = None) -> State | None:
        """What the tables hold; None when they must be built, for instance for another definition.

        Raises:
            StorageError: the manifest cannot be read.
        """
        try:
            plain = json.loads(self._manifest.read_text(encoding="utf-8"))
            if plain.pop("format") != FORMAT:
                return None
            files = {name: tuple(paths) for name, paths in plain["files"].items()}
            state = State(**{**plain, "horizon": datetime.fromisoformat(plain["horizon"]), "files": files})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"the maintained tables cannot be read: {error}",
                where=str(self._manifest),
                fix="delete the file: the tables are built again from the lake",
            ) from error
        if definition is not None and state.definition != definition.digest():
            return None
        if table is not None and state.table != table:
            return None
        there = all((self.folder / path).is_file() for paths in state.files.values() for path in paths)
        return state if there else None

    def build(
        self,
        definition: Definition,
        rows: NewRows,
        *,
        table: str,
        version: int,
        horizon: datetime,
        mark: str = "",
    ) -> State:
        """The tables made anew from all rows of a version; what stood before is deleted."""
        empty = State(table, version, datetime(1, 1, 1, tzinfo=UTC), definition.digest())
        return self._write(empty, definition, rows, version, horizon, mark)

    def update(
        self, definition: Definition, rows: NewRows, *, version: int, horizon: datetime, mark: str = ""
    ) -> State:
        """The tables with the rows of the files that are new since `state().version`.

        Args:
            definition: the one they were built for.
            rows: of the new files only.
            version: the version of the event table that these files complete.
            horizon: the watermark; never earlier than the last one.
            mark: tells the version from another one of the same number.

        Raises:
            InputError: there is nothing to update, or version or horizon lie before those of the tables.
        """
        before = self.state(definition)
        if before is None:
            raise InputError("the maintained tables do not exist for this definition", fix="build them first")
        if version < before.version or horizon < before.horizon:
            raise InputError(
                f"version {version} at {horizon:%Y-%m-%d %H:%M} lies before what the tables hold",
                rule=f"they hold version {before.version} up to {before.horizon:%Y-%m-%d %H:%M}",
            )
        return self._write(before, definition, rows, version, horizon, mark)

    def erase(self, units: Iterable[str]) -> int:
        """Rewrites every file that names one of the units; returns the number of rows removed."""
        state = self.state()
        if state is None:
            self._sweep()
            return 0
        wanted = list(dict.fromkeys(units))
        removed = 0
        kept: dict[str, tuple[str, ...]] = {}
        with self._connection() as connection:
            connection.execute("CREATE TEMP TABLE erased AS SELECT unnest($1::VARCHAR[]) AS unit", [wanted])
            for name, paths in state.files.items():
                listed = []
                for path in paths:
                    read = reader([self.folder / path])
                    n = connection.execute(f"SELECT count(*) FROM {read} SEMI JOIN erased USING (unit)").fetchall()
                    if not n[0][0]:
                        listed.append(path)
                        continue
                    removed += int(n[0][0])
                    rest = f"SELECT * FROM {read} ANTI JOIN erased USING (unit)"
                    listed.append(self._copy(connection, name, rest))
                kept[name] = tuple(listed)
        self._save(replace(state, files=kept))
        return removed

    def clear(self) -> None:
        """Deletes the tables: nothing is to be kept of this type of unit any more."""
        self._manifest.unlink(missing_ok=True)
        self._sweep()

    def units_sql(
        self, definition: Definition, ends: Mapping[str, datetime | None], *, state: State | None = None
    ) -> str:
        """A SELECT for DuckDB with one row per enrolled unit of each experiment.

        Columns: x, the place of the experiment in `definition.experiments` (from 0), unit, t0, variant, epoch,
        probability, is_mixed, a1 …, and per event name n of the definition (counted from 1) sums n<n>_c1 … and
        n<n>_early, its events within the tolerance before exposure.

        Args:
            definition: the one they were built for.
            ends: by experiment, before when enrolment ends; None for no end.
            state: the tables as they were; now when omitted.
        """
        held = state or self.state(definition)
        if held is None:
            raise InputError("the maintained tables do not exist for this definition", fix="build them first")
        return units(definition, ends, self._paths(held), held.horizon)

    def counted_sql(
        self,
        definition: Definition,
        experiment: str,
        bounds: Mapping[str, tuple[datetime | None, datetime | None]],
        *,
        end: datetime | None = None,
        state: State,
    ) -> str:
        """A SELECT for DuckDB of how many distinct events there are, one row per event name that has any.

        Columns: n, the place of the name in the definition's values (from 0), events, and matched, those of units
        that are enrolled.

        Args:
            definition, state: as for `units_sql`.
            experiment: whose units.
            end: enrolment ends before this time.
            bounds: by event name, from when and before when its events count.
        """
        return counted(definition, experiment, self._paths(state), state.horizon, end, bounds)

    def reached(self, definition: Definition, state: State, horizon: datetime) -> State | None:
        """The tables as they are up to a later horizon; None when a row waits between that an update must add."""
        if horizon < state.horizon:
            return None
        if horizon > state.horizon:
            statement = waiting(definition, self._paths(state), state.horizon, horizon)
            with self._connection() as connection:
                if connection.execute(f"SELECT 1 FROM ({statement}) LIMIT 1").fetchall():
                    return None
        return replace(state, horizon=horizon)

    def _paths(self, state: State) -> dict[str, list[Path]]:
        return {name: [self.folder / path for path in state.files.get(name, ())] for name in SETS}

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _write(
        self, before: State, definition: Definition, rows: NewRows, version: int, horizon: datetime, mark: str
    ) -> State:
        generation = before.generation + 1
        files = {name: list(before.files.get(name, ())) for name in SETS}
        steps = Steps(definition, before.horizon, horizon, generation, self._paths(before))
        with self._connection() as connection:
            for statement in steps.read_rows(rows):
                connection.execute(statement)
            self._settle_repeats(connection, steps)
            for statement in steps.find_units():
                connection.execute(statement)
            for statement in steps.add_sums():
                connection.execute(statement)
            for name, statement in steps.results().items():
                if connection.execute(f"SELECT 1 FROM ({statement}) LIMIT 1").fetchall():
                    files[name].append(self._copy(connection, name, statement))
            for name, statement in steps.merges(self._most_files, {n: len(f) for n, f in files.items()}).items():
                if name in files:
                    merged = reader([self.folder / path for path in files[name]])
                    files[name] = [self._copy(connection, name, statement.format(reader=merged))]
        after = State(
            before.table,
            version,
            horizon,
            before.definition,
            generation,
            {name: tuple(listed) for name, listed in files.items()},
            mark,
        )
        self._save(after, before.files)
        return after

    def _settle_repeats(self, connection: duckdb.DuckDBPyConnection, steps: Steps) -> None:
        """Leaves one row of each new event, and of one that stood already the earlier."""
        for find, settle in steps.repeats():
            connection.execute(find)
            if connection.execute("SELECT 1 FROM repeated LIMIT 1").fetchall():
                for statement in settle:
                    connection.execute(statement)
            connection.execute("DROP TABLE repeated")

    def _copy(self, connection: duckdb.DuckDBPyConnection, name: str, statement: str) -> str:
        folder = Path("first_exposures") if name == "exposures" else Path("unit_metric") / name
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.unit_type}@{uuid4().hex}.parquet"
        target = str(self.folder / path).replace("'", "''")
        connection.execute(
            f"COPY ({statement}) TO '{target}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880)"
        )
        return path.as_posix()

    def _save(self, state: State, replaced: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """The manifest replaced in one step, then what it does not name is deleted; `replaced` stays for readers."""
        sync_files(self.folder / path for paths in state.files.values() for path in paths if path not in self._synced)
        plain = {"format": FORMAT, **asdict(state), "horizon": state.horizon.isoformat()}
        self._manifest.parent.mkdir(parents=True, exist_ok=True)
        draft = self._manifest.with_suffix(".draft")
        draft.write_text(json.dumps(plain, indent=1), encoding="utf-8")
        sync_file(draft)
        draft.replace(self._manifest)
        sync_files([self._manifest])
        self._synced = {path for paths in state.files.values() for path in paths}
        self._sweep(state.files, replaced or {})

    def _sweep(self, *named: Mapping[str, tuple[str, ...]]) -> None:
        kept = {self.folder / path for files in named for paths in files.values() for path in paths}
        for folder in (self.folder / "first_exposures", *(self.folder / "unit_metric" / name for name in SETS)):
            for path in folder.glob(f"{self.unit_type}@*.parquet"):
                if path not in kept:
                    path.unlink(missing_ok=True)

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        spill = self.folder / "spill" / uuid4().hex  # the lake empties the folder when it opens
        config = {name: value for name, value in self._options.items() if value is not None}
        connection = duckdb.connect(config={**config, "temp_directory": str(spill)})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET preserve_insertion_order = false")
            yield connection
        except duckdb.Error as error:
            raise StorageError(
                f"the maintained tables could not be read or written: {str(error).partition(chr(10))[0][:300]}",
                where=str(self.folder),
                fix="free some disk space; what is missing is built again from the lake",
            ) from error
        finally:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)
