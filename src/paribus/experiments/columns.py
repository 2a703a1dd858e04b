"""An experiment from nothing but a table and column names: what the command line says in one line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paribus.errors import InputError, did_you_mean
from paribus.experiments.document import Document
from paribus.experiments.levels import levels_of, refuse_look_alikes, same_level
from paribus.experiments.plan import Design, Kind, Plan, Variant
from paribus.experiments.written_numbers import WrittenNumbers, read_text
from paribus.metrics.definition import Covariate, DataModel, Direction, Metric, MetricType, UnitTable
from paribus.warehouse.engine import ColumnKind, Engine

CONTROL_NAMES = ("control", "ctrl", "baseline", "a", "0", "off", "false")
NUMBERS = frozenset({"number", "integer", "boolean"})
NOT_ANSWERED = "not answered"
MOST_LEVELS = 50
FIRST_ROWS = 20_000
FEW_OTHERS, MANY_ROWS = 3, 20  # values that are not 0 or 1 in a column of many that are

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Words that SQL keeps for itself: a column of that name is quoted.
# fmt: off
_RESERVED = frozenset({
    "all", "and", "any", "as", "asc", "between", "both", "by", "case", "cast", "check", "collate", "column",
    "constraint", "create", "cross", "current", "default", "desc", "distinct", "do", "else", "end", "except",
    "exists", "false", "fetch", "filter", "for", "foreign", "from", "full", "grant", "group", "having", "in",
    "index", "inner", "interval", "into", "is", "join", "key", "lateral", "leading", "left", "like", "limit",
    "natural", "not", "null", "offset", "on", "only", "or", "order", "outer", "partition", "primary", "range",
    "references", "right", "row", "rows", "select", "set", "some", "table", "then", "to", "trailing", "true",
    "union", "unique", "user", "using", "values", "when", "where", "window", "with",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look at a table says about its columns.

    kinds     the kind of each column, in the table's order
    levels    rows by value of the variant column (as text), missing values left out
    zero_one  the numeric columns whose values are all 0 or 1
    rows      rows in the table
    written   how metrics that are text are read as numbers, by column
    """

    kinds: Mapping[str, ColumnKind]
    levels: Mapping[str, int] = field(default_factory=dict)
    zero_one: frozenset[str] = frozenset()
    rows: int = 0
    written: Mapping[str, WrittenNumbers] = field(default_factory=dict)


def from_columns(
    relation: str,
    facts: Facts,
    *,
    unit: str,
    variant: str,
    metrics: Sequence[str],
    control: str | None = None,
    lower: Collection[str] = (),
    segments: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    covariates: Mapping[str, Sequence[str]] | None = None,
    cluster: str | None = None,
    exposed_at: str | None = None,
    key: str | None = None,
    plan: Plan | None = None,
) -> Document:
    """The document of a table with one row per unit.

    Values in {0, 1} make a proportion, other numbers a mean. Without `control` it is the only level named control,
    ctrl, baseline, a, 0, off or false. Without `weights` the split counts as not declared.

    Args:
        relation: file, table, or the name a frame is registered under.
        facts: what `look` found in it.
        unit: the column with the unit's id.
        variant: the column with the variant.
        metrics: column names, or "a/b" for a ratio of sums; each is one success metric.
        control: the level that is the baseline.
        lower: the metrics of which less is better.
        segments: columns to break results down by.
        weights: the planned split by level; rows of other levels are left out and counted.
        covariates: columns from before exposure, by metric.
        cluster: the column with the randomized cluster.
        exposed_at: the column with the time of first exposure.
        key: the experiment's key; the relation's name when omitted.
        plan: the default plan when omitted.

    Raises:
        InputError: a column is not there or not numeric, a name is used twice, the control is not clear.
    """
    parts = {name: parts_of(name, facts) for name in metrics}
    measured = [column for columns in parts.values() for column in columns]
    used = [unit, variant, *measured, *segments, *(c for c in (cluster, exposed_at) if c)]
    used += [column for columns in (covariates or {}).values() for column in columns]
    real = {column: column_of(column, facts, relation) for column in used}
    if not metrics:
        raise InputError(
            "no metric is named",
            where=relation,
            fix=f"--metric and one of: {', '.join(_candidates(facts, {unit, variant})) or 'no column is numeric'}",
        )
    twice = {name for name in metrics if list(metrics).count(name) > 1}
    if twice:
        raise InputError(f"the metric {min(twice)!r} is named twice", where=relation)
    for column in (*measured, *segments):
        if real[column] in (real[unit], real[variant]):
            role = "unit" if real[column] == real[unit] else "variant"
            raise InputError(f"{column!r} is the {role} column", where=relation, rule="each column has one part")
    for name in (*lower, *(covariates or {})):
        if name not in metrics:
            raise InputError(f"{name!r} is not one of the metrics", where=relation, fix=did_you_mean(name, metrics))
    found = _levels(facts, variant, relation)
    if weights is not None:
        weights = {_by_number(name, found): weight for name, weight in weights.items()}
    levels = _planned(found, weights, relation)
    chosen = chosen_control(levels, control, variant, relation)
    design = Design(
        key=key or key_of(relation),
        kind=Kind.CLUSTER if cluster else Kind.AB,
        interference=f"cluster: {real[cluster]}" if cluster else NOT_ANSWERED,
        variants=_variants(levels, chosen, weights),
        control=chosen,
        metrics=tuple(
            _metric(
                name,
                [real[column] for column in parts[name]],
                facts,
                lower,
                [real[c] for c in (covariates or {}).get(name, ())],
                relation,
            )
            for name in metrics
        ),
        plan=plan or Plan(),
        segments=tuple(real[s] for s in segments),
        split_declared=weights is not None,
    )
    units = UnitTable(
        relation,
        real[unit],
        real[variant],
        exposed_at=real[exposed_at] if exposed_at else None,
        cluster=real[cluster] if cluster else None,
    )
    return Document(design, DataModel(units=units, segments=design.segments))


def look(
    engine: Engine, relation: str, *, variant: str | None = None, metrics: Sequence[str] = (), unit: str | None = None
) -> Facts:
    """Asks the engine for the columns, the variant's levels and which metrics hold only 0 and 1.

    With `unit`, metrics that are text are read too, and rows without a unit or a variant do not say what a metric is.

    Raises:
        InputError: the relation or a column is not there, or a metric is text that is no number.
    """
    kinds = engine.columns(relation)
    facts = Facts(kinds)
    source = engine.relation_sql(relation)
    known = [column_of(name, facts, relation) for name in (unit, variant) if name is not None]
    levels = levels_of(engine, relation, known[-1], known[0] if unit else None) if variant is not None else {}
    # A ratio has no type to be found out.
    alone = [name for name in metrics if len(parts_of(name, facts)) == 1]
    numeric = list(dict.fromkeys(column_of(name, facts, relation) for name in alone))
    numeric = [name for name in numeric if kinds[name] in ("number", "integer")]
    # Most columns show in the first rows that they are no proportion; only the others are read whole.
    few = f"(SELECT * FROM {source} AS s LIMIT {FIRST_ROWS})"
    _, first = _zero_one(engine, few, numeric)
    rows, whole = _zero_one(engine, source, [name for name, (_, other) in first.items() if other <= FEW_OTHERS])
    binary = {name for name, (zero_one, other) in whole.items() if zero_one and not other}
    doubtful = [name for name, (zero_one, other) in whole.items() if zero_one and 0 < other <= FEW_OTHERS]
    if doubtful and len(known) == 2 and rows > MANY_ROWS:  # a line of totals names no unit or no variant
        told = " AND ".join(_is_told(name, engine, kinds) for name in known)
        _, inside = _zero_one(engine, f"(SELECT * FROM {source} AS s WHERE {told})", doubtful)
        binary |= {name for name, (_, other) in inside.items() if not other}
    booleans = {name for name, kind in kinds.items() if kind == "boolean"}
    written: dict[str, WrittenNumbers] = {}
    if unit is not None:
        parts = {column_of(part, facts, relation) for name in metrics for part in parts_of(name, facts)}
        texts = sorted(name for name in parts.difference(known) if kinds[name] == "text")
        for name in texts:
            spelled = quoted(name, engine.dialect)
            written[name] = read_text(engine, relation, name, spelled, fragment_of_column(name))
            engine.notes.append(f"{relation}: {written[name].said}")
        binary |= {name for name, reading in written.items() if reading.is_binary}
    return Facts(kinds, levels, frozenset(booleans.union(binary)), rows, written)


def _is_told(name: str, engine: Engine, kinds: Mapping[str, ColumnKind]) -> str:
    column = quoted(name, engine.dialect)
    return f"{column} IS NOT NULL" + (f" AND TRIM({column}) <> ''" if kinds[name] == "text" else "")


def _zero_one(engine: Engine, source: str, columns: Sequence[str]) -> tuple[int, dict[str, tuple[int, int]]]:
    """Rows, and by column how many values are 0 or 1 and how many another number (NaN and infinities are none)."""
    counted = "".join(
        f", SUM(CASE WHEN {q} IN (0, 1) OR {q} IS NULL OR ABS({q}) > 1e308 THEN 0 ELSE 1 END) AS c{i}"
        f", SUM(CASE WHEN {q} IN (0, 1) THEN 1 ELSE 0 END) AS k{i}"
        for i, q in enumerate(quoted(name, engine.dialect) for name in columns)
    )
    row = engine.query(f"SELECT COUNT(*) AS n{counted} FROM {source} AS t").rows[0]
    return int(row[0]), {
        name: (int(n or 0), int(other or 0)) for name, other, n in zip(columns, row[1::2], row[2::2], strict=True)
    }


def control_among(levels: Sequence[str]) -> str | None:
    """The only level with a control's name, or None.

    >>> control_among(["Treatment", "Control"])
    'Control'
    """
    named = [level for level in levels if re.sub(r"^0\.0+$", "0", level.strip().lower()) in CONTROL_NAMES]
    return named[0] if len(named) == 1 else None


def fragment_of_column(name: str) -> str:
    """The SQL fragment that reads a column: its name, quoted where it is not a plain word.

    >>> fragment_of_column("got results")
    '"got results"'
    """
    if _SIMPLE.match(name) and name.lower() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def column_of(name: str, facts: Facts, relation: str) -> str:
    """The column as the table spells it; case may differ when only one column is meant.

    Raises:
        InputError: there is none, with the nearest name.
    """
    if name in facts.kinds:
        return name
    same = [known for known in facts.kinds if known.lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    fix = did_you_mean(name, facts.kinds)
    if list(facts.kinds) == [f"col{i}" for i in range(len(facts.kinds))]:
        fix += " The first row reads like data, so the columns have no names but these: is the header missing?"
    raise InputError(f"there is no column {name!r}", where=relation, fix=fix)


def quoted(name: str, dialect: str) -> str:
    """The column's name between the quotes of the dialect."""
    pairs = {"mysql": "``", "bigquery": "``", "databricks": "``", "spark": "``", "tsql": "[]"}
    quotes = pairs.get(dialect, '""')
    return quotes[0] + name.replace(quotes[1], quotes[1] * 2) + quotes[1]


def key_of(relation: str) -> str:
    """An experiment key from a file or table name.

    >>> key_of("data/My results 2.csv")
    'My-results-2'
    """
    stem = Path(relation.replace("\\", "/")).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._*")[:100] or "experiment"


def _candidates(facts: Facts, taken: Collection[str]) -> list[str]:
    return [name for name, kind in facts.kinds.items() if kind in NUMBERS and name not in taken][:12]


def _levels(facts: Facts, variant: str, relation: str) -> list[str]:
    levels = list(facts.levels)
    if len(levels) > MOST_LEVELS:
        raise InputError(
            f"the variant column {variant!r} has {len(levels):,} values",
            where=relation,
            rule=f"an experiment has at most {MOST_LEVELS} variants",
            fix="name the column that holds the variant",
        )
    refuse_look_alikes(facts.levels, variant, relation)
    if len(levels) < 2:
        only = f"only the value {levels[0]!r}" if levels else "no value"
        raise InputError(
            f"the variant column {variant!r} holds {only}",
            where=relation,
            rule="an experiment compares at least two variants",
            fix="give a table with both arms",
        )
    return levels


def chosen_control(levels: list[str], control: str | None, variant: str, relation: str) -> str:
    """The level that is the control: the one named, else the only one with a control's name.

    Raises:
        InputError: it is no level, or which it is is not clear.
    """
    listed = ", ".join(levels)
    if control is not None:
        same = same_level(control, levels)
        if same is None:
            raise InputError(
                f"{control!r} is not a value of {variant!r}",
                where=relation,
                fix=f"{did_you_mean(control, levels)} (values: {listed})",
            )
        return same
    found = control_among(levels)
    if found is None:
        raise InputError(
            f"which value of {variant!r} is the control is not clear: {listed}",
            where=relation,
            rule="without --control, the only one named control, ctrl, baseline, a, 0, off or false",
            fix=f"--control and one of: {listed}",
        )
    return found


def _by_number(name: str, levels: Sequence[str]) -> str:
    """The level of that number: 0 is 0.0 in a column that was read as numbers."""
    same = same_level(name, levels)
    return same if same is not None and same.lower() != name.lower() else name


def _planned(levels: list[str], weights: Mapping[str, float] | None, relation: str) -> list[str]:
    """The levels that a declared split names, all without one. Rows of others are left out and counted."""
    if weights is None:
        return levels
    for name, weight in weights.items():
        if name not in levels:
            raise InputError(f"a weight is given for {name!r}", where=relation, fix=did_you_mean(name, levels))
        if not weight > 0:
            raise InputError(f"{name} has no weight above zero", where=relation, fix="give every variant one")
    planned = [level for level in levels if level in weights]
    if len(planned) < 2:
        raise InputError(
            f"the split names {', '.join(planned) or 'nobody'} alone",
            where=relation,
            rule="an experiment compares at least two variants",
            fix=f"name the variants of the experiment among: {', '.join(levels)}",
        )
    return planned


def _variants(levels: list[str], control: str, weights: Mapping[str, float] | None) -> tuple[Variant, ...]:
    """The arms, control first, with the declared shares or equal placeholders."""
    ordered = [control, *(level for level in levels if level != control)]
    if weights is None:
        return tuple(Variant(level, 1 / len(ordered)) for level in ordered)
    total = sum(weights.values())
    return tuple(Variant(level, weights[level] / total) for level in ordered)


def parts_of(metric: str, facts: Facts) -> tuple[str, ...]:
    """The columns of a metric as named: its own, or for "a/b" numerator and denominator of a ratio of sums.

    >>> parts_of("revenue/orders", Facts({"revenue": "number", "orders": "integer"}))
    ('revenue', 'orders')
    """
    if "/" not in metric or metric in facts.kinds:
        return (metric,)
    numerator, _, denominator = metric.partition("/")
    return (numerator.strip(), denominator.strip())


def _fragment(column: str, facts: Facts) -> str:
    return facts.written[column].fragment if column in facts.written else fragment_of_column(column)


def _metric(
    name: str, columns: Sequence[str], facts: Facts, lower: Collection[str], covariates: Sequence[str], relation: str
) -> Metric:
    for column in columns:
        if facts.kinds[column] not in NUMBERS and column not in facts.written:
            raise InputError(
                f"the metric {name!r} is a column of kind {facts.kinds[column]}",
                where=relation,
                rule="a metric's column holds numbers or true and false",
                fix="convert it, or write experiment.yaml with value: and an expression",
            )
    column, *denominator = columns
    kind = MetricType.PROPORTION if column in facts.zero_one else MetricType.MEAN
    direction: Direction = "decrease" if name in lower else "increase"
    return Metric(
        name=name,
        type=MetricType.RATIO if denominator else kind,
        direction=direction,
        value=_fragment(column, facts),
        denominator=_fragment(denominator[0], facts) if denominator else None,
        covariates=tuple(Covariate(value=fragment_of_column(c)) for c in covariates),
    )
