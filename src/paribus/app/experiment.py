"""Experiments in files and databases: analyze, design, seal, certify, sql, verify."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.clock import Clock, system_clock
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.experiments.certify import Certificate
    from paribus.experiments.document import Document
    from paribus.experiments.plan import Plan, Seal
    from paribus.experiments.proof import Proof
    from paribus.experiments.result import Result
    from paribus.experiments.sizing import Sizing
    from paribus.experiments.verify import Verification
    from paribus.metrics.cells import Measurement, StatementText
    from paribus.warehouse.engine import Engine

Progress = Callable[[float, str], None]
FRAME = "frame"  # the name under which an in-memory table is registered


def analyze(
    source: object,
    *,
    unit: str | None = None,
    variant: str | None = None,
    metrics: str | Sequence[str] = (),
    control: str | None = None,
    lower: str | Sequence[str] = (),
    segments: str | Sequence[str] = (),
    split: Mapping[str, float] | None = None,
    covariates: Mapping[str, str | Sequence[str]] | None = None,
    cluster: str | None = None,
    exposed_at: str | None = None,
    confidence_level: float | None = None,
    as_of: datetime | str | None = None,
    connection: str | None = None,
    full_proof: bool = False,
    since_exposure: bool = False,
    threads: int = 1,
) -> Result:
    """The verdict of an experiment, with its health, its estimates and its proof.

    Args:
        source: an experiment file (.yaml); or a table with one row per unit: a file or glob (CSV, Parquet, JSON
            lines), a table's name when `connection` is given, or a pandas, Polars, Arrow or DuckDB table in memory.
        unit, variant, metrics: columns of the table ("revenue/orders" is a ratio of sums); not for an experiment file,
            which names its own.
        control: the baseline variant; without it the only level named control, ctrl, baseline, a, 0, off or false.
        lower: the metrics of which less is better.
        segments: columns by which effects are also shown.
        split: planned weights by variant, for the sample-ratio check; without it that check does not apply.
        covariates: columns from before exposure, by metric, for CUPED.
        cluster: column of the randomized clusters, when coarser than the unit.
        exposed_at: column of the unit's first exposure time, for the daily view.
        confidence_level: 0.95 when omitted.
        as_of: only what was known before this time; ISO 8601 text without a zone means UTC.
        connection: database URL for a table's name.
        full_proof: fingerprint files of any size by SHA-256.
        since_exposure: also measure effects by days since exposure, to see whether they fade (one more statement).
        threads: DuckDB's. With more than one, the last digits of sums depend on which thread
            ended first, and with them the proof's hash; `verify` says *reproduced* all the same.

    Raises:
        InputError: the source, a column or an argument cannot be used; the message says which and what to do.
        DefinitionError: the experiment file breaks its schema, with line and key.
        EngineError: the database failed.
    """
    from paribus.experiments.analysis import analyze as analyze_experiment
    from paribus.experiments.plan import Plan
    from paribus.experiments.seal import deviations, find, sealed_design

    time = as_time(as_of)
    metrics, lower, segments = names(metrics), names(lower), names(segments)
    if is_document(source):
        from paribus.experiments.on_lake import reads_lake

        named = {"unit": unit, "variant": variant, "metrics": metrics, "control": control, "split": split}
        given = [name for name, value in {**named, "cluster": cluster, "covariates": covariates}.items() if value]
        if given:
            raise InputError(
                f"{', '.join(given)} cannot be given beside an experiment file",
                where=str(source),
                rule="the file names its columns and its plan",
                fix="change the file, or analyze the table itself",
            )
        document = load(source)
        seal = find(document)
        if reads_lake(document.data):
            from paribus.app.lake import analyze_file

            return analyze_file(
                document, seal, as_of=time, segments=segments, since_exposure=since_exposure, threads=threads
            )
        # What was sealed is analyzed; what the file says now is listed as deviations and changes nothing.
        design = sealed_design(seal, title=document.design.title) if seal else document.design
        with engine_of(document, threads=threads) as engine:
            return analyze_experiment(
                design,
                document.data,
                engine,
                as_of=time,
                registered=seal,
                segments=segments or None,
                deviations=deviations(seal, document.design, document.data) if seal else (),
                full_fingerprint=full_proof,
                source_url=document.source_url,
                folder=str(document.folder),
                since_exposure=since_exposure,
            )
    if since_exposure:
        raise InputError(
            "a table with one row per unit does not say when things happened",
            where="since exposure",
            rule="effects by days since exposure need exposures and events with their times",
            fix="describe them in an experiment.yaml",
        )
    if unit is None or variant is None or not metrics:
        with table_engine(source, connection) as (engine, relation):
            engine.columns(relation)  # a name that is mistyped is the first thing to say
        missing = [name for name, value in (("unit", unit), ("variant", variant), ("metrics", metrics)) if not value]
        raise InputError(
            f"a table needs to be told its columns; missing: {', '.join(missing)}",
            where=str(source) if isinstance(source, str | Path) else type(source).__name__,
            rule="a table has one row per unit: its id, its variant, its metrics",
            fix="--unit user_id --variant group --metric revenue; or: paribus init FILE writes an experiment.yaml",
        )
    with table_engine(source, connection, threads=threads) as (engine, relation):
        from paribus.experiments.columns import from_columns, look

        document = from_columns(
            relation,
            look(engine, relation, variant=variant, metrics=metrics, unit=unit),
            unit=unit,
            variant=variant,
            metrics=metrics,
            control=control,
            lower=lower,
            segments=segments,
            weights=split,
            covariates={metric: names(columns) for metric, columns in (covariates or {}).items()},
            cluster=cluster,
            exposed_at=exposed_at,
            plan=Plan(confidence_level=as_level(confidence_level)),
        )
        return analyze_experiment(
            document.design,
            document.data,
            engine,
            as_of=time,
            full_fingerprint=full_proof,
            source_url=connection,
        )


def init(
    source: str | Path, *, to: str | Path | None = None, connection: str | None = None, force: bool = False
) -> tuple[Path, tuple[str, ...]]:
    """Writes a commented experiment.yaml for a table, with the columns it inferred; returns its path and its doubts.

    Raises:
        InputError: the table cannot be read, or the file exists and `force` is not given.
    """
    from paribus.experiments.init import draft, write

    target = Path(to) if to is not None else Path("experiment.yaml")
    folder = target.absolute().parent
    # The file names its table relative to its own folder.
    relation = str(source) if connection else os.path.relpath(Path(str(source)).absolute(), folder)
    folder.mkdir(parents=True, exist_ok=True)
    with engine_at(connection, folder) as engine:
        drafted = draft(engine, relation, url=connection)
    return write(drafted, target, force=force), drafted.unsure


def seal(path: str | Path, *, author: str | None = None, amend: str | None = None, clock: Clock = system_clock) -> Seal:
    """Registers the plan of an experiment file beside it, with its hash, author, time and what data were readable.

    Raises:
        DefinitionError: the file breaks its schema.
        PlanError: it is sealed already and no reason to `amend` is given.
    """
    from paribus.experiments.sealing import seal_document

    document = load(path)
    with engine_of(document) as engine:
        return seal_document(document, engine, clock=clock, author=author, amend=amend)


def design(
    source: str | Path | None = None,
    *,
    baseline: float | None = None,
    sd: float | None = None,
    mde: float | None = None,
    daily_units: float | None = None,
    plan: Plan | None = None,
    arms: int = 2,
    guardrails: int = 0,
    prior: tuple[float, float] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """Sample size, runtime and detectable effect under every method, and what the whole decision rule then promises.

    Args:
        source: an experiment file with history to learn from; without it `baseline` and `mde` say all.
        baseline: the control's value: a proportion in (0, 1), or with `sd` the mean of any metric.
        sd: standard deviation per unit; a baseline without it is a proportion.
        mde: relative effect to detect (0.03 for 3%).
        daily_units: new units per day, all arms together.
        plan: the deciding method and its levels; fixed horizon at 95% and 80% power when omitted.
        arms: number of arms, control included.
        guardrails: number of guardrail metrics, whose power is paid for.
        prior: mean and standard deviation of what is believed of the relative effect, for the chance of a success at
            all; an experiment file's plan has its own. It changes no size.
        seed: of the simulation of the whole rule.
        progress: called with the share done and a word.

    Raises:
        InputError: a number is missing or cannot be what is meant, or is given beside a file that says it itself.
    """
    from paribus.experiments import sizing

    if source is not None:
        own = {"baseline": baseline, "sd": sd, "plan": plan, "arms": arms, "guardrails": guardrails}
        if beside := [name for name, given in own.items() if given != {"arms": 2, "guardrails": 0}.get(name)]:
            raise InputError(
                f"{' and '.join(beside)} beside an experiment file",
                where=str(source),
                rule="the file says method, levels, arms and guardrails, and its history says the rest",
                fix="write them into the file, or give numbers without a file",
            )
        document = load(source)
        with engine_of(document) as engine:
            return sizing.from_history(
                document, engine, mde=mde, daily_units=daily_units, prior=prior, seed=seed, progress=progress
            )
    return sizing.from_numbers(
        baseline=baseline,
        sd=sd,
        mde=mde,
        daily_units=daily_units,
        plan=plan,
        arms=arms,
        guardrails=guardrails,
        prior=prior,
        seed=seed,
        progress=progress,
    )


def certify(
    path: str | Path, *, replications: int = 1000, seed: int = 0, progress: Progress | None = None
) -> Certificate:
    """What the user's own history says about an experiment's design, by replaying it through the real statements.

    Units are re-randomized `replications` times (A/A) and effects injected: type I error, power, detectable effect,
    best covariate window, and the number of units from which the skew no longer matters.
    """
    from paribus.experiments.certify import certify as certify_document

    document = load(path)
    with engine_of(document) as engine:
        return certify_document(document, engine, replications=replications, seed=seed, progress=progress)


def sql(path: str | Path, *, dialect: str | None = None) -> list[StatementText]:
    """The statements of an experiment, in the order in which they would run; nothing is run but a look at the columns.

    `:name` stands where an earlier statement computes the value.
    """
    from paribus.experiments.reading import planned_cutoffs
    from paribus.metrics.compile import statements

    document = load(path)
    design, data = document.design, document.data
    with engine_of(document) as engine:
        relations = [r.relation for r in (data.units, data.exposures, *data.events.values()) if r is not None]
        columns = {relation: engine.columns(relation) for relation in relations}
        return statements(
            data,
            design.metrics,
            dialect or engine.dialect,
            columns=columns,
            fragment_dialect=engine.dialect,
            variants=[v.name for v in design.variants],
            start=design.plan.start,
            end=design.plan.end,
            segments=design.segments,
            tolerance=design.tolerance_seconds,
            cut_at=planned_cutoffs(design),
        )


def verify(result: str | Path | Mapping[str, Any], *, data: bool = True, connection: str | None = None) -> Verification:
    """Recomputes a result from its proof: the verdict from the moments, then, where it can, the moments from the data.

    Args:
        result: a result file (`--json`, or saved from Python), or the same as a dict.
        data: also measure again where the data are in reach; files are looked for beside the result.
        connection: database URL, where it is not the one that the result names.

    Raises:
        ProofError: it is not a result of Paribus.
    """
    from paribus.experiments.measuring import measure_again
    from paribus.experiments.on_lake import reads_lake
    from paribus.experiments.serialize import read_result
    from paribus.experiments.verify import verify as verify_result

    plain = dict(result) if isinstance(result, Mapping) else read_result(result)
    beside = Path() if isinstance(result, Mapping) else Path(result).parent

    def remeasure(proof: Proof) -> Measurement:
        # Files are looked for beside the result, then from here, each also in the folder that the result names.
        named = Path(proof.folder or "")
        folders = dict.fromkeys([beside, Path(), beside / named, named])
        if reads_lake(proof.data):
            from paribus.app.lake import measured_on_lake

            return measured_on_lake(proof, folders)
        *others, last = folders
        for folder in others:
            try:
                return measured_in(folder, proof)
            except InputError:
                continue
        return measured_in(last, proof)

    def measured_in(folder: Path, proof: Proof) -> Measurement:
        with engine_at(connection or engine_url(proof.source_url), folder) as engine:
            return measure_again(proof, engine)

    return verify_result(plain, remeasure=remeasure if data else None)


def load(source: object) -> Document:
    """The experiment file as a document, in its folder."""
    from paribus.experiments.document import load as load_document

    return load_document(Path(str(source)))


def engine_url(url: str | None) -> str | None:
    """A URL as written, with every ${NAME} replaced from the environment."""
    from paribus.experiments.document import filled

    return filled(url) if url else None


@contextmanager
def engine_of(document: Document, *, threads: int = 1) -> Iterator[Engine]:
    """The engine that answers a document's statements, closed at the end."""
    from paribus.experiments.on_lake import reads_lake

    if reads_lake(document.data):
        from paribus.app.lake import lake_engine_of

        with lake_engine_of(document) as engine:
            yield engine
        return
    with engine_at(document.engine_url(), document.folder, threads=threads) as engine:
        yield engine


@contextmanager
def engine_at(url: str | None, folder: Path, *, threads: int = 1) -> Iterator[Engine]:
    """An engine by URL, closed at the end."""
    from paribus.warehouse import open_engine

    engine = open_engine(url, base_dir=folder, threads=threads)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def table_engine(source: object, connection: str | None, *, threads: int = 1) -> Iterator[tuple[Engine, str]]:
    """The engine for one table and the table's name there: a file, a database's table, or a frame in memory."""
    from paribus.warehouse import open_engine

    text = isinstance(source, str | Path)
    engine = open_engine(connection, frames=None if text else {FRAME: source}, threads=threads)
    try:
        yield engine, str(source) if text else FRAME
    finally:
        engine.close()


def is_document(source: object) -> bool:
    """Whether the source is an experiment file, by its ending."""
    return isinstance(source, str | Path) and str(source).lower().endswith((".yaml", ".yml"))


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name, or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def as_time(value: datetime | str | None) -> datetime | None:
    """A time with its zone; text is ISO 8601, and without a zone means UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise InputError(
                f"{value!r} is not a time", where="as of", rule="ISO 8601", fix="2026-03-01 or 2026-03-01T12:00:00Z"
            ) from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def as_level(value: float | None) -> float:
    """A confidence level in (0.5, 1); 95 is refused with a hint."""
    if value is None:
        return 0.95
    if not 0.5 < value < 1:
        hint = f"write {value / 100:g}" if 50 < value < 100 else "write 0.95 for 95%"
        raise InputError(
            f"{value:g} is not a confidence level", where="confidence level", rule="between 0.5 and 1", fix=hint
        )
    return value
