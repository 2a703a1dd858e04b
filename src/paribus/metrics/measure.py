"""Measures metrics on an engine: probe, moments, and when asked ranks and clusters. Only aggregates come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from paribus.errors import EngineError, InputError
from paribus.metrics import clusters, cutoffs, limits, probe, ranks, sums, table
from paribus.metrics.cells import Cells, Counts, Measurement, StatementText
from paribus.metrics.census import add, of_exposures, of_table, refuse_text, some
from paribus.metrics.columns_read import columns_read
from paribus.metrics.compile import Compiler, make_scope
from paribus.metrics.definition import DataModel, Metric, MetricType
from paribus.metrics.kept import KeptUnits
from paribus.metrics.level import Care
from paribus.metrics.reading import Reading, read
from paribus.warehouse.engine import Engine

CutAt: TypeAlias = Callable[[Measurement], Mapping[str, datetime]]  # times in UTC by name

MOST_LEVELS = 1_000  # of a segment, stratum or epoch: more than this is an identifier, not an attribute
CANCELLATION = 1e6  # (mean - shift)^2 / variance from which shifted sums lose half of their digits: shift again


def measure(
    engine: Engine,
    model: DataModel,
    metrics: Sequence[Metric],
    variants: Sequence[str] | None,
    *,
    as_of: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    by_day: bool = False,
    segments: Sequence[str] = (),
    tolerance: float = 5.0,
    caps: Mapping[str, tuple[float | None, float | None]] | None = None,
    shifts: Mapping[str, float] | None = None,
    confidence_level: float = 0.95,
    fragment_dialect: str | None = None,
    full_fingerprint: bool = False,
    kept: KeptUnits | None = None,
    cut_at: CutAt | None = None,
) -> Measurement:
    """Cells of every metric, counts about the data, and the statements as they ran.

    Args:
        engine: where the data are.
        model: the table of units, or exposures and event sources.
        metrics: what to measure.
        variants: the known variants; None takes all that the data hold.
        as_of: only rows before this time; windows must have closed by it. None: all rows, and the last time in the
            data closes windows.
        start: enrolment from this time on.
        end: enrolment before this time.
        by_day: cells by cohort day (the first-exposure date in `model.time_zone`).
        segments: attributes whose margins are measured (never their cross product).
        tolerance: seconds before exposure within which event rows are counted by variant.
        caps: winsorizing limits by metric that replace the definitions' percentiles (a sealed plan's numbers).
        shifts: constants by "metric/variable" that replace the probe's (a proof's, so that every digit agrees).
        confidence_level: of the order-statistic interval of quantile metrics.
        fragment_dialect: dialect of the fragments (default: the engine's).
        full_fingerprint: SHA-256 of files of any size.
        kept: a table that holds each unit's sums already; the moments are read from it, and what was counted about
            the data is counted on the engine all the same.
        cut_at: from what was measured, the times by name at which metrics without a window are asked for once more, as
            they were known then (one more statement for all of them).

    Raises:
        InputError: what the data or definitions cannot answer, with the place.
        FragmentError: a fragment that is not a scalar expression.
        EngineError: the engine failed.
    """
    scope = make_scope(
        variants=variants, as_of=as_of, start=start, end=end, by_day=by_day, segments=segments, tolerance=tolerance
    )
    compiler = Compiler(
        model,
        tuple(metrics),
        scope,
        engine.dialect,
        engine.relation_sql,
        engine.columns,
        fragment_dialect or engine.dialect,
    )
    compiler.dialect = compiler.hooks.name
    run = _Run(engine, compiler, dict(caps or {}), dict(shifts or {}), confidence_level, full_fingerprint, kept, cut_at)
    hold = getattr(engine, "holding", None) if kept is None else None  # kept units leave little to read of the events
    columns = columns_read(model, compiler.metrics, scope.segments, compiler.fragment_dialect)
    with nullcontext() if hold is None else hold(columns):
        return run.measurement()


@dataclass(slots=True)
class _Run:
    """One measurement under way."""

    engine: Engine
    compiler: Compiler
    given_caps: dict[str, tuple[float | None, float | None]]
    given_shifts: dict[str, float]
    confidence_level: float
    full_fingerprint: bool
    kept: KeptUnits | None = None
    cut_at: CutAt | None = None
    care: Care = field(default_factory=Care)
    ran: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rows: int = 0

    def ask(self, name: str, text: str) -> list[dict[str, Any]]:
        self.ran.append((name, text))
        return self.engine.query(text).records()

    def _ask_events(self, name: str, asked: probe.EventProbe) -> dict[str, Any]:
        """The answer to the probe of a source. Kept units hold each event once, which spares the distinct ids.

        Raises:
            EngineError: an event has copies on both sides of the first time that counts; it is kept by its earliest,
                which lies before, and only the statement over the events tells what the other one adds.
        """
        if self.kept is None:
            return self.ask(f"probe:{name}", asked.text)[0]
        bounds = self.compiler.event_bounds()
        row = self.engine.query(asked.light()).records()[0]
        rows, distinct = int(row["z_rows"]), self.kept.counted(bounds)[name].events
        if rows == distinct:
            self.ran.append((f"probe:{name}", asked.text))
            return {**row, "z_ids": rows, "z_distinct": distinct}
        units = int(self.engine.query(asked.units()).records()[0]["z_units"])  # rows without a unit are not kept
        since = bounds[name][0]
        if since is None and rows == units:
            self.ran.append((f"probe:{name}", asked.text))
            return {**row, "z_ids": rows, "z_distinct": distinct}
        row = self.ask(f"probe:{name}", asked.text)[0]
        if since is not None and int(row["z_distinct"]) != distinct + rows - units:
            raise EngineError(f"copies of an event of {name} lie before and after {since:%Y-%m-%d %H:%M:%S}")
        return row

    def measurement(self) -> Measurement:
        compiler = self.compiler
        if compiler.is_table:
            census = of_table(compiler, self.ask, getattr(self.engine, "is_columnar", None))
        else:
            census = of_exposures(compiler, self.ask, self._ask_events)
        self.care, self.warnings, self.rows = census.care, list(census.warnings), census.counts.rows
        if compiler.scope.closed is None:
            compiler.scope = replace(compiler.scope, closed=census.last_time)
        caps = self._caps()
        shifts = self.given_shifts or self._shifts()
        reading, shifts, missing = self._moments(shifts, caps)
        counts = self._counted(census.counts, reading, missing)
        found_clusters = self._clusters(caps) if compiler.has_cluster else {}
        found_ranks = {}
        for metric in compiler.metrics:
            if metric.type == MetricType.QUANTILE:
                found_ranks[metric.name] = ranks.measure(
                    compiler, self.engine, metric, self.care, self.confidence_level, self.ran
                )
        relations = [compiler.main.name, *(source.name for source in compiler.event_sources().values())]
        measured = Measurement(
            counts,
            reading.cells,
            found_clusters,
            found_ranks,
            tuple(StatementText(name, compiler.dialect, text) for name, text in self.ran),
            shifts,
            caps,
            compiler.scope.closed,
            self.engine.fingerprint(list(dict.fromkeys(relations)), full=self.full_fingerprint),
            (*dict.fromkeys([*self.engine.notes, *self._join_notes()]), *self.warnings),
        )
        known = self._known(measured)
        if not known:
            return measured
        statements = tuple(StatementText(name, compiler.dialect, text) for name, text in self.ran)
        return replace(measured, cutoffs=known, statements=statements)

    def _known(self, measured: Measurement) -> dict[str, dict[str, Cells]]:
        """Metrics without a window as they were known at the times that are asked for."""
        compiler = self.compiler
        growing = [m for m in compiler.metrics if m.is_open and m.type is not MetricType.QUANTILE]
        if self.cut_at is None or compiler.is_table or compiler.has_cluster or not growing:
            return {}
        times = dict(sorted(self.cut_at(measured).items(), key=lambda pair: pair[1]))
        if not times:
            return {}
        asked = cutoffs.statement(compiler, self.care, growing, list(times.values()), measured.shifts, measured.caps)
        return asked.read(self.ask("cutoffs", asked.sums.text), list(times), measured.shifts)

    def _join_notes(self) -> list[str]:
        """What an engine that is slow without indexes says about the joins of events to exposures."""
        note = getattr(self.engine, "join_note", None)
        if note is None or self.compiler.is_table:
            return []
        events = [self.compiler.model.events[name] for name in self.compiler.used_events()]
        return [said for said in (note(event.relation, event.unit) for event in events) if said]

    # ── caps and shifts ──────────────────────────────────────────────────────────────────────────────────────────────

    def _caps(self) -> dict[str, tuple[float | None, float | None]]:
        found: dict[str, tuple[float | None, float | None]] = {}
        for metric in self.compiler.metrics:
            if metric.cap is None:
                continue
            if metric.name in self.given_caps:
                found[metric.name] = limits.checked(metric, *self.given_caps[metric.name])
                continue
            ends = {"lower": metric.cap.lower, "upper": metric.cap.upper}
            asked = limits.wanted(metric)
            if asked:
                level, alias = self.compiler.cap_level(metric, self.care)
                text = limits.percentile(level, alias, asked, self.compiler.dialect)
                row = self.ask(f"cap:{metric.name}", text)[0]
                ends |= {label: limits.interpolate(row, label, q, int(row["z_n"])) for label, q in asked.items()}
            found[metric.name] = limits.checked(metric, ends["lower"], ends["upper"])
        return found

    def _shifts(self) -> dict[str, float]:
        """Means of a sample; zero for sums of events, until the moments show that they cancel."""
        if not self.compiler.is_table:
            return {}
        level = self.compiler.level(self.care)
        text, wanted = probe.shift_sample(level, self.compiler.dialect)
        if not text:
            return {}
        row = self.ask("probe:shifts", text)[0]
        found = {key: row[alias] for key, alias in wanted.items()}
        return {key: float(value) for key, value in found.items() if value is not None and np.isfinite(float(value))}

    # ── moments ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _moments(
        self, shifts: dict[str, float], caps: dict[str, tuple[float | None, float | None]]
    ) -> tuple[Reading, dict[str, float], dict[str, dict[str, int]]]:
        """The moments; again where values are missing or not finite, and again where sums cancel."""
        missing: dict[str, dict[str, int]] = {"null": {}, "odd": {}}
        reading = self._run_moments("moments", shifts, caps)
        if self.compiler.is_table and (not reading.is_complete or reading.not_finite):
            missing = self._missing()
            reading = self._run_moments("moments:with_gaps", shifts, caps)
        if not self.given_shifts:
            better = _better_shifts(reading, shifts)
            if better:
                shifts = {**shifts, **better}
                reading = self._run_moments("moments:shifted", shifts, caps)
        for name in reading.not_finite:
            self.warnings.append(f"{name}: the sums are not finite; its values are too large to square")
        return reading, shifts, missing

    def _run_moments(
        self, name: str, shifts: Mapping[str, float], caps: Mapping[str, tuple[float | None, float | None]]
    ) -> Reading:
        compiler = self.compiler
        level = compiler.level(self.care)
        look = compiler.is_table and not (self.care.nullable or self.care.gaps or self.care.not_finite)
        plan = sums.moments(level, compiler.scope, compiler.dialect, shifts, caps, look_for_missing=look)
        if self.kept is not None:
            self.ran.append((name, plan.text))  # what the kept units equal, and what verifies them
            found = self.kept.read(compiler.metrics, compiler.model, compiler.scope, caps=caps, shifts=shifts)
            counted = self.kept.counted(compiler.event_bounds())
            return replace(found, matched={source: of.matched for source, of in counted.items()})
        return read(plan, self.ask(name, plan.text), compiler.scope, shifts)

    def _missing(self) -> dict[str, dict[str, int]]:
        compiler = self.compiler
        text = table.missing(compiler.main, compiler.units, compiler.metrics, compiler.scope.variants)
        row = self.ask("probe:missing", text)[0]
        null, odd, gaps = {}, {}, set()
        for i, metric in enumerate(compiler.metrics):
            null[metric.name], odd[metric.name] = int(row[f"z_m{i + 1}n"]), int(row[f"z_m{i + 1}f"])
            if null[metric.name] > self.rows / 2:
                refuse_text(compiler.main, self.ask, metric.value, f"metrics.{metric.name}.value", self.rows)
            gaps |= {(metric.name, j) for j in range(len(metric.covariates)) if int(row[f"z_m{i + 1}x{j + 1}"])}
        self.care = replace(
            self.care,
            nullable=frozenset(name for name, n in null.items() if n),
            not_finite=frozenset(name for name, n in odd.items() if n),
            gaps=frozenset(gaps),
        )
        return {"null": some(null), "odd": some(odd)}

    def _counted(self, counts: Counts, reading: Reading, missing: Mapping[str, Mapping[str, int]]) -> Counts:
        """Counts with what the cells say: units by variant, day and segment."""
        units: dict[str, int] = dict.fromkeys(self.compiler.scope.variants or (), 0)
        by_day: dict[tuple[str | None, str, str], int] = {}
        by_segment: dict[tuple[str, str | None, str], int] = {}
        levels: dict[str, set[str | None]] = {}
        for key, n in zip(reading.keys, reading.units, strict=True):
            if key.attribute is not None:
                place = (key.attribute, key.level, key.variant)
                by_segment[place] = by_segment.get(place, 0) + n
                levels.setdefault(f"segment {key.attribute}", set()).add(key.level)
                continue
            add(units, key.variant, n)
            levels.setdefault("stratum", set()).add(key.stratum)
            levels.setdefault("epoch", set()).add(key.epoch)
            levels.setdefault("variant", set()).add(key.variant)
            if key.day is None and self.compiler.scope.by_day and not self.compiler.is_table:
                raise InputError(
                    f"the engine gave no date in the time zone {self.compiler.model.time_zone!r}",
                    where="time_zone",
                    rule="the cohort day is the first-exposure date in the experiment's time zone",
                    fix="load the server's time zone tables (MySQL: mysql_tzinfo_to_sql), or use time_zone: UTC",
                )
            if key.day is not None:
                day = (key.epoch, key.day.isoformat(), key.variant)
                by_day[day] = by_day.get(day, 0) + n
        for what, found in levels.items():
            if len(found) > MOST_LEVELS:
                raise InputError(
                    f"the {what} has {len(found):,} levels",
                    rule=f"at most {MOST_LEVELS:,} levels: a column of identifiers is no attribute",
                    fix="name a column with few values",
                )
        mixed = counts.mixed_units
        if reading.mixed and not self.compiler.is_table:
            level = self.compiler.level(self.care, [])
            text = probe.mixed_units(level.statement, "zu", self.compiler.main)
            if self.kept is not None:
                self.ran.append(("probe:mixed", text))
                mixed = self.kept.mixed()
            else:
                mixed = {str(row["z_v"]): int(row["z_n"]) for row in self.ask("probe:mixed", text)}
        early: dict[str, int] = {}
        for by_variant in reading.early.values():
            for variant, n in by_variant.items():
                add(early, variant, n)
        matched = reading.matched
        for name, n in counts.unmatched_event_rows.items():
            if n and name in matched and not matched[name] and sum(units.values()):
                self.warnings.append(
                    f"none of the {n:,} rows of {name} is of an exposed unit: "
                    "do ids differ by case, blanks or leading zeros?"
                )
            # Rows that only the steps of funnels read are not matched one by one.
            steps = [m.name for m in self.compiler.metrics if any(step.source == name for step in m.steps)]
            done = any(reading.totals.get(metric) for metric in steps)
            if n and steps and name not in matched and not done and sum(units.values()):
                self.warnings.append(
                    f"no unit went through {' or '.join(steps)}, and {name} has {n:,} rows: "
                    "do ids differ by case, blanks or leading zeros?"
                )
        return replace(
            counts,
            units=units,
            mixed_units=mixed,
            by_day=by_day,
            by_segment=by_segment,
            null_values=counts.null_values or dict(missing["null"]),
            not_finite=counts.not_finite or dict(missing["odd"]),
            unmatched_event_rows={name: n - matched.get(name, n) for name, n in counts.unmatched_event_rows.items()},
            inside_tolerance=some(early),
            negative_units=some(reading.negative),
            maxima=reading.maxima,
            totals=reading.totals,
        )

    def _clusters(self, caps: Mapping[str, tuple[float | None, float | None]]) -> dict[str, Any]:
        level = self.compiler.level(self.care)
        plan = clusters.statement(level, caps, self.compiler.dialect)
        return clusters.read(plan, self.ask("clusters", plan.text))


def _better_shifts(reading: Reading, shifts: Mapping[str, float]) -> dict[str, float]:
    """Means of the variables whose shift is so far from the mean that their sums of squares cancel."""
    better = {}
    for name, cells in reading.cells.items():
        whole = [i for i, key in enumerate(cells.keys) if key.attribute is None]
        pooled = cells.moments.take(whole).total()
        for i, variable in enumerate(pooled.names):
            mean, n, square = pooled.mean[i], float(pooled.n), pooled.m2[i, i]
            if n < 2 or not np.isfinite(mean) or not np.isfinite(square) or variable.startswith("h"):
                continue
            off = (mean - shifts.get(f"{name}/{variable}", 0.0)) ** 2
            if off > CANCELLATION * square / n and off > np.finfo(float).eps * mean**2:
                better[f"{name}/{variable}"] = float(mean)
    return better
