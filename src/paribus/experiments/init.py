"""A commented experiment.yaml from a table of results: what each column probably is, and what that guess rests on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paribus.errors import InputError
from paribus.experiments.columns import NUMBERS, Facts, control_among, fragment_of_column, key_of, look, quoted
from paribus.experiments.document import Document, load
from paribus.warehouse.engine import Engine

MOST_COLUMNS = 200
MOST_METRICS = 12
MOST_SEGMENTS = 5
MOST_ARMS = 10

_UNIT = re.compile(
    r"(?i)^(user|unit|visitor|customer|account|member|player|client|device|person|subject|household)s?_?(id|key|no)?$"
)
_ANY_ID = re.compile(r"(?i)(^|_)(id|uuid|guid|key|hash)$|[a-z](Id|ID)$")
_VARIANT = re.compile(
    r"(?i)^(ab_?|test_?|exp(eriment)?_?)?(variant|variation|group|arm|treatment|treated|treat|bucket|assignment|condition|branch|version|cell)"
    r"(_?(name|id|group|assignment|version))?$"
)
_ARM_WORDS = {
    "control",
    "ctrl",
    "baseline",
    "treatment",
    "treat",
    "test",
    "variant",
    "a",
    "b",
    "on",
    "off",
    "new",
    "old",
}
_TIME = re.compile(r"(?i)(expos|assign|enroll|first|start|seen)")
_BEFORE = re.compile(
    r"(?i)^(pre|prior|before|past|previous|hist|historical|baseline)_(.+)$|^(.+)_(pre|prior|before|baseline)$"
)
_LESS_IS_BETTER = re.compile(
    r"(?i)(latency|error|bounce|refund|cost|churn|crash|load_?time|wait|return(s|ed)?$|complain|unsub|cancel)"
)
_SEGMENT = re.compile(
    r"(?i)(country|device|platform|browser|os$|region|gender|sex$|language|locale|channel|city|state$|segment|tier|source)"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_NOT_TEXT = {"true", "false", "null"}


@dataclass(frozen=True, slots=True)
class Draft:
    """An experiment file to be, the document it loads as, and what its author should look at."""

    text: str
    document: Document
    unsure: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Profile:
    facts: Facts
    distinct: Mapping[str, int]
    present: Mapping[str, int]


def draft(engine: Engine, relation: str, *, key: str | None = None, url: str | None = None) -> Draft:
    """Infers unit, variant, metrics, time and segments of a table with one row per unit.

    Args:
        engine: reads the table.
        relation: its file or name, as the experiment file will say it.
        key: the experiment's key; the table's name when omitted.
        url: the engine's URL, written into the file without its password.

    Raises:
        InputError: no column looks like the unit, the variant or a metric; the message lists the columns.
    """
    profile = _profile(engine, relation)
    unsure: list[str] = []
    unit = _unit(profile, relation, unsure)
    variant, levels = _variant(engine, relation, profile, unit, unsure)
    time = _time(profile, unsure)
    metrics, covariates = _metrics(profile, {unit, variant, *([time] if time else [])}, relation, unsure)
    segments = _segments(engine, relation, profile, {unit, variant, *metrics}, variant, unsure)
    control = control_among(list(levels))
    if control is None:
        control = next(iter(levels))
        unsure.append(f"control: no level has a control's name; {control!r} is only the first of {', '.join(levels)}")
    even = _is_even(list(levels.values()))
    if even:
        unsure.append("variants: the counts fit an equal split, and an equal split is assumed")
    else:
        unsure.append(
            "variants: the counts do not fit an equal split; without the planned weights the sample ratio is not tested"
        )
    unsure.append("interference: that units do not affect each other is assumed")
    lines = _head(key or key_of(relation), unit, url, unsure)
    lines += _data_lines(relation, unit, variant, time)
    lines += _variant_lines(levels, control, even)
    lines += _metric_lines(metrics, covariates, profile.facts)
    lines += _tail(segments)
    text = "\n".join(lines) + "\n"
    return Draft(text, load(text, name="experiment.yaml"), tuple(unsure))


def write(drafted: Draft, path: str | Path, *, force: bool = False) -> Path:
    """Writes the experiment file.

    Raises:
        InputError: the file exists and `force` is false, or it cannot be written.
    """
    target = Path(path)
    if target.exists() and not force:
        raise InputError("the file exists already", where=str(target), fix="--force, or another name")
    try:
        target.write_text(drafted.text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the file cannot be written: {error.strerror or error}", where=str(target)) from error
    return target


def _profile(engine: Engine, relation: str) -> _Profile:
    """Distinct and present values of each column, and which numeric ones hold only 0 and 1."""
    kinds = engine.columns(relation)
    names = list(kinds)[:MOST_COLUMNS]
    facts = look(engine, relation, metrics=[name for name in names if kinds[name] in NUMBERS])
    if facts.rows == 0:
        raise InputError("the table has no rows", where=relation)
    columns = [quoted(name, engine.dialect) for name in names]
    counted = ", ".join(f"COUNT(DISTINCT {q}) AS d{i}, COUNT({q}) AS p{i}" for i, q in enumerate(columns))
    row = engine.query(f"SELECT {counted} FROM {engine.relation_sql(relation)} AS t").rows[0]
    distinct = dict(zip(names, map(int, row[::2]), strict=True))
    present = dict(zip(names, map(int, row[1::2]), strict=True))
    return _Profile(facts, distinct, present)


def _unit(profile: _Profile, relation: str, unsure: list[str]) -> str:
    def score(name: str) -> tuple[float, float]:
        named = 2.0 if _UNIT.match(name) else (1.0 if _ANY_ID.search(name) else 0.0)
        # Floating numbers are measured, not identities; a column of all different texts or integers may well be one.
        unique = profile.distinct[name] / max(profile.facts.rows, 1)
        return named + (unique if named or unique > 0.99 else 0.0), unique

    possible = [n for n in profile.distinct if profile.facts.kinds[n] in ("text", "integer", "other")]
    best = max(possible, key=score, default=None)
    if best is None or score(best)[0] < 0.99:
        raise InputError(
            "no column looks like the unit's id",
            where=relation,
            rule="one row per unit, with a column like user_id",
            fix=f"write experiment.yaml by hand, with unit: and one of {_listed(profile)}",
        )
    if not _UNIT.match(best):
        unsure.append(f"unit: {best!r} is the most distinct column that could be an id")
    repeated = profile.present[best] - profile.distinct[best]
    if repeated:
        unsure.append(f"unit: {repeated:,} rows repeat a unit; if rows are exposures, describe them as exposures:")
    return best


def _variant(
    engine: Engine, relation: str, profile: _Profile, unit: str, unsure: list[str]
) -> tuple[str, dict[str, int]]:
    kinds = profile.facts.kinds
    possible = [
        name
        for name, count in profile.distinct.items()
        if name != unit and 2 <= count <= MOST_ARMS and kinds[name] in ("text", "integer", "boolean", "number")
    ]
    named = [name for name in possible if _VARIANT.match(name)]
    candidates = named or [name for name in possible if kinds[name] == "text"]
    scored: list[tuple[int, str, dict[str, int]]] = []
    for name in candidates[:8]:
        levels = dict(look(engine, relation, variant=name).levels)
        words = sum(level.lower() in _ARM_WORDS or level.lower().startswith(("variant", "treat")) for level in levels)
        scored.append(((4 if name in named else 0) + words + (2 if control_among(list(levels)) else 0), name, levels))
    scored = [one for one in scored if one[0] > 0 and len(one[2]) >= 2]
    if not scored:
        raise InputError(
            "no column looks like the variant",
            where=relation,
            rule=f"a column like variant or group, with 2 to {MOST_ARMS} values",
            fix=f"write experiment.yaml by hand, with variant: and one of {_listed(profile)}",
        )
    scored.sort(key=lambda one: -one[0])
    if len(scored) > 1 and scored[1][0] >= scored[0][0] - 1:
        unsure.append(f"variant: {scored[0][1]!r} and {scored[1][1]!r} both look like it")
    elif scored[0][1] not in named:
        unsure.append(f"variant: {scored[0][1]!r} is chosen by its values ({', '.join(scored[0][2])})")
    return scored[0][1], scored[0][2]


def _time(profile: _Profile, unsure: list[str]) -> str | None:
    times = [n for n in profile.distinct if profile.facts.kinds[n] in ("timestamp", "timestamp_tz", "date")]
    if not times:
        return None
    best = max(times, key=lambda name: bool(_TIME.search(name)))
    if not _TIME.search(best):
        unsure.append(f"exposed_at: {best!r} is taken for the time of first exposure")
    if len(times) > 1:
        unsure.append(f"exposed_at: other columns with times: {', '.join(n for n in times if n != best)}")
    return best


def _metrics(
    profile: _Profile, taken: set[str], relation: str, unsure: list[str]
) -> tuple[list[str], dict[str, list[str]]]:
    kinds = profile.facts.kinds
    numeric = [
        name
        for name, count in profile.distinct.items()
        if kinds[name] in NUMBERS and name not in taken and count > 1 and not _ANY_ID.search(name)
    ]
    constant = [n for n in profile.distinct if kinds[n] in NUMBERS and n not in taken and profile.distinct[n] <= 1]
    if constant:
        unsure.append(f"metrics: left out, constant or empty: {', '.join(constant)}")
    covariates: dict[str, list[str]] = {}
    before: dict[str, str] = {}
    for name in numeric:
        if match := _BEFORE.match(name):
            before[name] = (match[2] or match[3]).lower()
    metrics = [name for name in numeric if name not in before]
    for column, stem in before.items():
        owner = next((name for name in metrics if name.lower() == stem), None)
        if owner is None:
            unsure.append(f"metrics: left out, looks like history: {column}")
        else:
            covariates.setdefault(owner, []).append(column)
            unsure.append(
                f"covariates: {column!r} is taken for {owner!r} before exposure; it must not be affected by it"
            )
    if not metrics:
        raise InputError(
            "no column looks like a metric",
            where=relation,
            rule="a column of numbers, or of true and false, that varies",
            fix=f"write experiment.yaml by hand; columns: {_listed(profile)}",
        )
    if len(metrics) > MOST_METRICS:
        unsure.append(f"metrics: left out, more than {MOST_METRICS}: {', '.join(metrics[MOST_METRICS:])}")
        metrics = metrics[:MOST_METRICS]
    if len(metrics) > 1:
        unsure.append("metrics: all are success metrics; roles guardrail and secondary are yours to give")
    less = [name for name in metrics if _LESS_IS_BETTER.search(name)]
    if less:
        unsure.append(f"direction: less is taken to be better for {', '.join(less)}")
    return metrics, {name: columns for name, columns in covariates.items() if name in metrics}


def _segments(
    engine: Engine, relation: str, profile: _Profile, taken: set[str], variant: str, unsure: list[str]
) -> list[str]:
    found = [
        name
        for name, count in profile.distinct.items()
        if name not in taken and profile.facts.kinds[name] == "text" and 2 <= count <= 50
    ]
    found.sort(key=lambda name: not _SEGMENT.search(name))
    kept: list[str] = []
    for name in found[: MOST_SEGMENTS + 3]:
        if _follows_variant(engine, relation, name, variant):
            unsure.append(f"segments: left out, {name!r} goes with the variant and is not a property of the unit")
        elif len(kept) < MOST_SEGMENTS:
            kept.append(name)
    if kept:
        unsure.append(f"segments: taken for properties that units had before exposure: {', '.join(kept)}")
    return kept


def _follows_variant(engine: Engine, relation: str, column: str, variant: str) -> bool:
    """True when nearly every value of the column occurs in one arm only: it is an effect, or the treatment itself."""
    a, v = quoted(column, engine.dialect), quoted(variant, engine.dialect)
    source = engine.relation_sql(relation)
    table = engine.query(f"SELECT {a} AS a, {v} AS v, COUNT(*) AS n FROM {source} AS t GROUP BY {a}, {v}")
    by_value: dict[object, list[int]] = {}
    for value, arm, n in table.rows:
        if value is not None and arm is not None:
            by_value.setdefault(value, []).append(int(n))
    rows = sum(sum(counts) for counts in by_value.values())
    return rows > 0 and sum(max(counts) for counts in by_value.values()) > 0.9 * rows


def _is_even(counts: Sequence[int]) -> bool:
    """True when the chi-square test at .001 does not refuse an equal split."""
    from scipy.special import chdtrc

    expected = sum(counts) / len(counts)
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return bool(chdtrc(len(counts) - 1, statistic) >= 0.001)


def _listed(profile: _Profile) -> str:
    names = list(profile.distinct)
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def _scalar(text: str) -> str:
    """The text as YAML reads it back: plain where that is safe, else in double quotes."""
    if _WORD.match(text) and text.lower() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def _head(key: str, unit: str, url: str | None, unsure: Sequence[str]) -> list[str]:
    lines = ["# Written by `paribus init`. Please look at:"]
    lines += [f"#   - {' '.join(sentence.split())}" for sentence in unsure]
    lines += [
        "# Then `paribus seal` registers the plan, and `paribus analyze` reads the data by it.",
        "",
        "paribus: 1",
        f"experiment: {key}",
        "kind: ab                 # ab, cluster, switchback, holdback, global_holdout",
        "# Can one unit's variant change another's outcome? Or: {cluster: COLUMN}, switchback, shared_resource",
        f"interference: {_scalar(f'none because each {unit} meets only its own variant')}",
        "",
    ]
    if url is not None:
        shown = re.sub(r"(?<=://)([^/@\s:]*):[^@\s]*(?=@)", r"\1:${DATABASE_PASSWORD}", url)
        lines += [f"source: {{url: {json.dumps(shown)}}}", ""]
    return lines


def _data_lines(relation: str, unit: str, variant: str, time: str | None) -> list[str]:
    lines = [
        "units:                   # one row per unit",
        f"  table: {_scalar(relation)}",
        f"  unit: {_scalar(unit)}",
        f"  variant: {_scalar(variant)}",
    ]
    if time is not None:
        lines.append(f"  exposed_at: {_scalar(time)}")
    else:
        lines.append("  # exposed_at: COLUMN   # time of first exposure: gives the daily view")
    return [*lines, '  # filter: "is_staff = 0" # SQL condition that a row must pass', ""]


def _variant_lines(levels: Mapping[str, int], control: str, even: bool) -> list[str]:
    ordered = [control, *(level for level in levels if level != control)]
    if even:
        split = ", ".join(f"{_scalar(level)}: 1" for level in ordered)
        line = f"variants: {{{split}}}   # weights of the planned split"
    else:
        line = f"variants: [{', '.join(map(_scalar, ordered))}]   # write {{name: weight}} with the planned split"
    counts = ", ".join(f"{level} {levels[level]:,}" for level in ordered)
    return [f"# rows: {' '.join(counts.split())}", line, f"control: {_scalar(control)}", ""]


def _metric_lines(metrics: Sequence[str], covariates: Mapping[str, Sequence[str]], facts: Facts) -> list[str]:
    lines = ["metrics:                 # type: mean, proportion, ratio, quantile; role: success, guardrail, secondary"]
    for name in metrics:
        kind = "proportion" if name in facts.zero_one else "mean"
        parts = [f"name: {_scalar(name)}", f"type: {kind}", "role: success"]
        if fragment_of_column(name) != name:
            parts.append(f"value: {json.dumps(fragment_of_column(name), ensure_ascii=False)}")
        if _LESS_IS_BETTER.search(name):
            parts.append("direction: decrease")
        if name in covariates:
            columns = [json.dumps(fragment_of_column(column), ensure_ascii=False) for column in covariates[name]]
            parts.append(f"covariates: [{', '.join(columns)}]")
        lines.append(f"  - {{{', '.join(parts)}}}")
    return [*lines, "  # a guardrail also has a margin: {…, role: guardrail, margin: 1%}", ""]


def _tail(segments: Sequence[str]) -> list[str]:
    return [
        f"segments: [{', '.join(map(_scalar, segments))}]",
        "",
        "plan:",
        "  method: fixed          # fixed, group_sequential, anytime, bayesian",
        "  confidence_level: 0.95",
        "  power: 0.8",
        "  # min_sample_size: 1000   # units per arm before any verdict",
        "  # start: 2026-01-31       # with runtime_days: no effect is shown before the planned end",
        "  # runtime_days: 14",
        "  # smallest_worthwhile: {METRIC: 1%}",
    ]
