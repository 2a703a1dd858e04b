"""The census: counts about the data before any metric, with what they demand of the statements that follow."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from paribus.errors import InputError
from paribus.metrics import exposed, probe, repeats, table
from paribus.metrics.cells import UNKNOWN_FIRST, Counts
from paribus.metrics.compile import Compiler
from paribus.metrics.exposed import RANDOMIZED
from paribus.metrics.level import Care
from paribus.metrics.source import Source

Ask = Callable[[str, str], list[dict[str, Any]]]  # runs a statement by name and text
AskEvents = Callable[[str, probe.EventProbe], Mapping[str, Any]]  # the answer to the probe of an events source


@dataclass(frozen=True, slots=True)
class Census:
    """Counts, the care that the statements after them must take, and the last time seen in any source."""

    counts: Counts
    care: Care
    warnings: tuple[str, ...] = ()
    last_time: datetime | None = None


def of_table(compiler: Compiler, ask: Ask, is_columnar: Callable[[str], bool] | None = None) -> Census:
    """Counts of a table of units: what is missing, what repeats. `is_columnar` as for `repeats.is_read_twice`."""
    source, units = compiler.main, compiler.units
    bounds = repeats.is_read_twice(source, units, is_columnar)
    row = ask("probe", probe.table_probe(source, units, bounds=bounds))[0]
    rows, known, blank = int(row["z_rows"]), int(row["z_known"]), int(row["z_blank"])
    null_variant = 0
    if blank or known < rows or int(row["z_variants"]) < rows:
        gaps = ask("probe:gaps", probe.table_gaps(source, units))[0]
        null_variant, repeated = int(gaps["z_null_variant"]), int(gaps["z_used"]) > int(gaps["z_units"])
    elif bounds:
        low, high = row["z_low"], row["z_high"]
        repeated = repeats.found(source, units, known, low, high, lambda text: ask("probe:distinct", text)[0])
    else:
        repeated = known > int(row["z_distinct"])
    unknown: dict[str, int] = {}
    if compiler.scope.variants is not None:
        clean = known == rows and not blank
        found = ask("probe:variants", probe.table_variants(source, units, every_unit_known=clean))
        unknown = {
            str(r["z_v"]): int(r["z_n"])
            for r in found
            if r["z_v"] is not None and str(r["z_v"]) not in compiler.scope.variants
        }
    counts = Counts(
        rows=rows,
        units={},
        null_unit_rows=rows - known,
        blank_unit_rows=blank,
        null_variant_rows=null_variant,
        unknown_variant_rows=unknown,
        filtered_rows=_filtered(compiler, ask, units.filter),
        first_time=probe.as_time(row.get("z_first")),
        last_time=probe.as_time(row.get("z_last")),
    )
    care = Care(trusted=not any((rows - known, blank, null_variant, *unknown.values())))
    untimed = rows - int(row["z_timed"]) if units.exposed_at else 0
    warnings = (
        (f"{untimed:,} of {rows:,} rows have no time in {units.exposed_at}: they are counted, and belong to no day",)
        if untimed
        else ()
    )
    census = Census(counts, care, (*_counts_of_time(source, units.exposed_at), *warnings))
    return _repeated_units(compiler, ask, census) if repeated else census


def _repeated_units(compiler: Compiler, ask: Ask, census: Census) -> Census:
    """Several rows for one unit: identical ones collapse, mixed units leave, different values are refused."""
    units = compiler.units
    found = ask("probe:repeats", table.repeats(compiler.main, units, compiler.metrics, compiler.scope.variants))
    mixed: dict[str, int] = {}
    duplicates = conflicting = 0
    for row in found:
        n_units, n_rows = int(row["z_units"]), int(row["z_rows"])
        if int(row["z_m"]):
            first = UNKNOWN_FIRST if row["z_v"] is None else str(row["z_v"])
            mixed[first] = mixed.get(first, 0) + n_units
            continue
        duplicates += n_rows - n_units
        conflicting += n_units if int(row["z_c"]) else 0
    counts = replace(census.counts, duplicate_rows=duplicates, conflicting_units=conflicting, mixed_units=mixed)
    if not conflicting:
        return replace(census, counts=counts, care=replace(census.care, repeated=bool(duplicates or mixed)))
    if units.cluster is not None and units.cluster == units.unit:
        warning = f"rows are observations clustered by {units.unit}"
        return Census(counts, replace(census.care, rows=True), (*census.warnings, warning))
    raise InputError(
        f"{conflicting:,} values of {units.unit!r} have several rows with different metric values",
        where=compiler.main.name,
        rule="the unit of analysis is not finer than the unit of randomization: one row per unit",
        fix=f"aggregate to one row per {units.unit}, or analyze rows clustered by it (cluster: {units.unit})",
    )


def of_exposures(compiler: Compiler, ask: Ask, ask_events: AskEvents) -> Census:
    """Counts of exposures and of the events that the metrics read; `ask_events` gives what is known of one source."""
    scope = compiler.scope
    found = ask("probe", probe.exposure_probe(compiler.main, compiler.exposures, scope))
    totals: dict[str, dict[str, int]] = {"reason": {}, "served": {}, "outside": {}, "unknown": {}}
    probabilities: dict[tuple[str | None, str], tuple[float, float]] = {}
    rows = null_unit = blank = null_variant = 0
    times = []
    for row in found:
        n = int(row["z_rows"])
        rows += n
        null_unit += int(row["z_null_unit"])
        blank += int(row["z_blank_unit"])
        n -= int(row["z_null_unit"]) + int(row["z_blank_unit"])
        if row["z_v"] is None:
            null_variant += n
            continue
        variant = str(row["z_v"])
        if scope.variants is not None and variant not in scope.variants:
            add(totals["unknown"], variant, n)
            continue
        if compiler.exposures.reason:
            add(totals["reason"], "" if row["z_r"] is None else str(row["z_r"]), n)
        add(totals["served"], variant, int(row["z_served"]))
        if not compiler.exposures.reason or row["z_r"] == RANDOMIZED:
            add(totals["outside"], variant, int(row["z_outside"]))
            if row.get("z_low") is not None:
                place = (None if row["z_e"] is None else str(row["z_e"]), variant)
                low, high = probabilities.get(place, (math.inf, -math.inf))
                probabilities[place] = (min(low, float(row["z_low"])), max(high, float(row["z_high"])))
        times += [time for time in (probe.as_time(row["z_first"]), probe.as_time(row["z_last"])) if time]
    counts = Counts(
        rows=rows,
        units={},
        null_unit_rows=null_unit,
        blank_unit_rows=blank,
        null_variant_rows=null_variant,
        unknown_variant_rows=totals["unknown"],
        by_reason=totals["reason"],
        served_differs=some(totals["served"]),
        probabilities=dict(sorted(probabilities.items(), key=lambda item: (item[0][0] or "", item[0][1]))),
        outside_window=some(totals["outside"]),
        filtered_rows=_filtered(compiler, ask, compiler.exposures.filter),
        first_time=min(times, default=None),
        last_time=max(times, default=None),
        identity=_identity(compiler, ask),
    )
    return _events(compiler, ask, ask_events, counts)


def _identity(compiler: Compiler, ask: Ask) -> dict[str, int]:
    """Persons who have several ids, and those of them who are mixed though none of their ids is."""
    if compiler.exposures.own_unit is None:
        return {}
    text = exposed.joined_units(compiler.main, compiler.exposures, compiler.exposures.own_unit, compiler.scope)
    row = ask("probe:identity", text)[0]
    return {"joined": int(row["z_joined"]), "mixed": int(row["z_mixed"])}


def _events(compiler: Compiler, ask: Ask, ask_events: AskEvents, counts: Counts) -> Census:
    rows: dict[str, int] = {}
    warnings = _counts_of_time(compiler.main, compiler.exposures.time)
    repeated: dict[str, int] = {}
    missing: dict[str, int] = {}
    odd: dict[str, int] = {}
    firsts, lasts = [], [counts.last_time]
    for name, asked in compiler.event_probes().items():
        row = ask_events(name, asked)
        rows[name] = int(row["z_rows"])
        warnings += _counts_of_time(compiler.event_source(name), compiler.model.events[name].time)
        warnings += _untimed(compiler, ask, name)
        firsts.append(probe.as_time(row["z_first"]))
        lasts.append(probe.as_time(row["z_last"]))
        if "z_ids" in row and int(row["z_ids"]) > int(row["z_distinct"]):
            repeated[name] = int(row["z_ids"]) - int(row["z_distinct"])
        for metric in compiler.metrics:
            for demand in compiler.outcomes(metric):
                if demand.source == name and demand in asked.values:
                    missing_alias, odd_alias = asked.values[demand]
                    add(missing, metric.name, int(row[missing_alias]))
                    if int(row[missing_alias]) > rows[name] / 2:
                        refuse_text(compiler.event_source(name), ask, demand.value, f"{demand.where}.value", rows[name])
                    add(odd, metric.name, int(row[odd_alias]))
    care = Care(
        not_finite=frozenset(name for name, n in odd.items() if n),
        repeated_events=frozenset(repeated),
    )
    last = max((time for time in lasts if time is not None), default=None)
    counted = replace(
        counts,
        events_first_time=min((time for time in firsts if time is not None), default=None),
        null_values=some(missing),
        not_finite=some(odd),
        repeated_event_rows=repeated,
        unmatched_event_rows={name: n - repeated.get(name, 0) for name, n in rows.items()},
    )
    return Census(counted, care, tuple(warnings), last_time=last)


def _counts_of_time(source: Source, column: str | None) -> list[str]:
    if column is None or not source.counts_time(column):
        return []
    return [f"{source.name}: the whole numbers of {column} are read as seconds, or parts of them, since 1970 in UTC"]


def _untimed(compiler: Compiler, ask: Ask, name: str) -> list[str]:
    """Event rows without a time are in no window: how many, where asking costs no scan."""
    if compiler.dialect != "duckdb":
        return []
    text = probe.untimed(compiler.event_source(name), compiler.model.events[name])
    n = int(ask(f"probe:{name}:untimed", text)[0]["z_n"])
    said = "row of {} has no time and is in no window" if n == 1 else "rows of {} have no time and are in no window"
    return [f"{n:,} {said.format(name)}"] if n else []


def refuse_text(source: Source, ask: Ask, value: str | None, where: str, rows: int) -> None:
    """A column of text that holds no numbers would be a metric that is 0, or nothing, for everybody.

    Raises:
        InputError: most of its values are given and are no numbers.
    """
    column = probe.column_of_text(source, value)
    if column is None:
        return
    row = ask(f"probe:text {column}", probe.text_without_number(source, column))[0]
    if int(row["z_n"]) <= rows / 2:
        return
    example = str(row["z_example"])[:40]
    number = f"CAST(REPLACE({column}, '$', '') AS DOUBLE)"
    raise InputError(
        f"the column {column!r} is text: {int(row['z_n']):,} of its values are no numbers, such as {example!r}",
        where=where,
        rule="a metric value is a number, or a text that is one",
        fix=f"write an expression, such as {number if re.search('[0-9]', example) else f'{column} = {example!r}'}",
    )


def _filtered(compiler: Compiler, ask: Ask, fragment: str | None) -> int:
    condition = compiler.main.condition(fragment, "filter")
    if condition is None:
        return 0
    row = ask("probe:filtered", probe.filtered_rows(compiler.main, condition))[0]
    return int(row["z_all"]) - int(row["z_passed"])


def add(counts: dict[str, int], key: str, n: int) -> None:
    counts[key] = counts.get(key, 0) + n


def some(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that are not zero."""
    return {key: n for key, n in counts.items() if n}
