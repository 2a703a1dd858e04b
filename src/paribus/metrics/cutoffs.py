"""What was known before each of several times, of metrics whose values go on growing: one statement for all cut-offs.

A unit counts from the first cut-off after its exposure, until the first one after it met a second variant; its value
at a cut-off is what its events before it add up to. Only the cut-offs at which something of a unit changes are worked
out: there the statement sums the change of every power and product, and adding these up from cut-off to cut-off gives
the moments that a measurement as of each of them would give. It costs about as much as the moments statement itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.metrics import exposed, funnel
from paribus.metrics.cells import Cells
from paribus.metrics.definition import Metric, MetricType
from paribus.metrics.demand import Demand, demands, reach
from paribus.metrics.level import Care, Columns, MetricColumns, Scope, Variable
from paribus.metrics.reading import cells_of, key_of, key_order
from paribus.metrics.rows import SourceRows, inside, joins_as_text
from paribus.metrics.sums import Sums, bound, capped, products
from paribus.warehouse.sql import build as sql

if TYPE_CHECKING:
    from paribus.metrics.compile import Compiler

Caps = Mapping[str, tuple[float | str | None, float | str | None]]


@dataclass(slots=True)
class Cutoffs:
    """The statement, the times that it cuts at, in order, and where each number stands in its rows."""

    sums: Sums
    times: tuple[datetime, ...]

    def read(
        self, records: Sequence[Mapping[str, Any]], labels: Sequence[str], shifts: Mapping[str, float]
    ) -> dict[str, dict[str, Cells]]:
        """By metric and label, its cells as they were known; `labels` name the times one by one."""
        plan = self.sums
        scope = Scope()
        number = {alias: i for i, alias in enumerate(dict.fromkeys(plan.aliases.values()))}
        keys = sorted({key_of(plan, row, scope) for row in records}, key=key_order)
        place = {key: i for i, key in enumerate(keys)}
        change = np.zeros((len(self.times), len(keys), len(number)))
        for row in records:
            change[int(row["z_cut"]), place[key_of(plan, row, scope)]] += [float(row[alias] or 0) for alias in number]
        known = np.cumsum(change, axis=0)
        own = {
            f"{name}/{v.name}": 0.0 if v.zero_one else shifts.get(f"{name}/{v.name}", 0.0)
            for name, described in plan.metrics.items()
            for v in described.variables
        }
        found: dict[str, dict[str, Cells]] = {name: {} for name in plan.metrics}
        for k, label in enumerate(labels):
            units = np.rint(known[k, :, number[plan.aliases["rows",]]]).astype(int)
            used = [i for i in range(len(keys)) if units[i]]
            rows = [dict(zip(number, known[k, i].tolist(), strict=True)) for i in used]
            counted = tuple(int(units[i]) for i in used)
            for name, described in plan.metrics.items():
                cells, _ = cells_of(plan, name, described, tuple(keys[i] for i in used), rows, counted, own)
                found[name][label] = cells
        return found


def statement(
    compiler: Compiler,
    care: Care,
    metrics: Sequence[Metric],
    times: Sequence[datetime],
    shifts: Mapping[str, float | str],
    caps: Caps,
) -> Cutoffs:
    """Builds the statement of exposures and events for metrics that are open.

    Args:
        compiler: of the measurement whose earlier states are asked for; its scope bounds enrolment.
        care: what its probes found.
        metrics: those to look back at, each open and none a quantile.
        times: the cut-offs in UTC, in order.
        shifts, caps: those of the measurement.
    """
    scope = replace(compiler.scope, as_of=times[-1], closed=times[-1], by_day=False, segments=())
    return _Builder(compiler, scope, care, tuple(metrics), tuple(times)).build(shifts, caps)


@dataclass(slots=True)
class _Builder:
    """One statement under way; every level has a prefix of its own."""

    compiler: Compiler
    scope: Scope
    care: Care
    metrics: tuple[Metric, ...]
    times: tuple[datetime, ...]
    statement: sql.Statement = field(default_factory=sql.Statement)
    branches: list[tuple[sql.Expr, sql.Expr, sql.Expr, sql.Expr | None, dict[str, sql.Expr]]] = field(
        default_factory=list
    )
    parts: list[str] = field(default_factory=list)  # aliases of what is summed per unit and cut-off

    def build(self, shifts: Mapping[str, float | str], caps: Caps) -> Cutoffs:
        compiler, events = self.compiler, self.compiler.model.events
        asked = {metric.name: demands(metric, events) for metric in self.metrics}
        sources = compiler.event_sources()
        text = joins_as_text(compiler.main, compiler.exposures, sources, events)
        units, keys = exposed.first_exposures(
            self.statement, compiler.main, compiler.exposures, self.scope, compiler.model.time_zone, text
        )
        units = self._units(units, keys)
        self.branches.append((units, sql.own("zu_u"), sql.own("zu_k"), None, {}))
        last = sql.integer(len(self.times))
        self.branches.append((units, sql.own("zu_u"), sql.own("zu_x"), sql.less(sql.own("zu_x"), last), {}))
        reached = reach(self.metrics, events)
        books = {
            name: SourceRows(sources[name], events[name], name, i + 1, self.scope, self.care, text, reached[name])
            for i, name in enumerate(exposed.used_sources(asked))
        }
        part_of = self._sums_of_events(units, books, [(m, d) for m in self.metrics for d in _listed(asked[m.name])])
        described: dict[str, list[tuple[Variable, str, bool]]] = {}
        for i, metric in enumerate(self.metrics):
            listed: list[tuple[Variable, str, bool]] = []
            if metric.type is MetricType.FUNNEL:
                ends = funnel.add_levels(metric, i + 1, self.statement, units, sources, events, self.scope, text)
                for name, (relation, prefix) in zip(("y", "d"), ends, strict=False):
                    part = self._part()
                    at = self._cut(sql.own(f"{prefix}_t"))
                    self.branches.append((relation, sql.own(f"{prefix}_u"), at, None, {part: sql.number(1)}))
                    listed.append((Variable(name, part, zero_one=True), part, False))
            wanted = asked[metric.name]
            named = [*zip(("y", "d"), wanted.outcomes, strict=False), *wanted.covariates]
            named += [(f"h{j + 1}", demand) for j, demand in enumerate(wanted.history)]
            for name, demand in named:
                part = part_of[demand, metric.name in self.care.not_finite]
                same = name.startswith("x") and not name.endswith("d") and demand.value == metric.value
                listed.append((Variable(name, part, demand.zero_one), part, same))
            described[metric.name] = listed
        running = self._running()
        return Cutoffs(self._changes(running, units, keys, described, shifts, caps), self.times)

    # ── units ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _units(self, units: sql.Expr, keys: Mapping[str, str]) -> sql.Expr:
        """Units with the cut-off that first knows them (`zu_k`) and the one that first knows them as mixed (`zu_x`)."""
        epoch = [sql.own(keys["epoch"].replace("zu_", "zx_"))] if "epoch" in keys else []
        unit, variant, time = sql.own("zx_u"), sql.own("zx_v"), sql.own("zx_t")
        level = self.statement.level
        first = {"zb_u": unit, "zb_v": variant, "zb_t": sql.smallest(time)}
        if epoch:
            first["zb_e"] = epoch[0]
        by_variant = level("zb", sql.Select(first, sql.relation("zx"), group=[unit, *epoch, variant]))
        within = [sql.own("zb_u"), *([sql.own("zb_e")] if epoch else [])]
        ranked = {
            "zc_u": sql.own("zb_u"),
            "zc_t": sql.own("zb_t"),
            "zc_rank": sql.rank([sql.own("zb_t"), sql.own("zb_v")], within),
        }
        second = level("zc", sql.Select(ranked, by_variant))
        mixed = level(
            "zy",
            sql.Select(
                {"zy_u": sql.own("zc_u"), "zy_t": sql.smallest(sql.own("zc_t"))},
                second,
                where=sql.equal(sql.own("zc_rank"), sql.integer(2)),
                group=[sql.own("zc_u")],
            ),
        )
        # Counted from the end, because an engine may join 0 where another joins NULL: no cut-off knows it as mixed.
        last = sql.integer(len(self.times))
        left = sql.minus(last, self._cut(sql.own("zy_t")))
        cut = level("zz", sql.Select({"zz_u": sql.own("zy_u"), "zz_n": left}, mixed))
        columns = {alias: sql.own(alias) for alias in ("zu_u", "zu_t", *(a for k, a in keys.items() if k != "mixed"))}
        columns["zu_k"] = self._cut(sql.own("zu_t"))
        columns["zu_x"] = sql.minus(last, sql.or_else(sql.own("zz_n"), sql.integer(0)))
        join = sql.Join(cut, sql.own("zu_u"), sql.own("zz_u"), outer=True)
        return level("zv", sql.Select(columns, units, joins=[join]))

    def _cut(self, time: sql.Expr) -> sql.Expr:
        """The number of the first cut-off after the time; how many there are, for a time after all of them."""
        literal = self.compiler.hooks.literal

        def among(low: int, high: int) -> sql.Expr:
            if low == high:
                return sql.integer(low)
            middle = (low + high) // 2
            before = sql.less(time.copy(), literal(self.times[middle]))
            return sql.case((before, among(low, middle)), otherwise=among(middle + 1, high))

        return among(0, len(self.times))

    # ── what is summed ───────────────────────────────────────────────────────────────────────────────────────────────

    def _part(self) -> str:
        self.parts.append(f"{len(self.parts) + 1}")
        return self.parts[-1]

    def _sums_of_events(
        self, units: sql.Expr, books: Mapping[str, SourceRows], wanted: Sequence[tuple[Metric, Demand]]
    ) -> dict[tuple[Demand, bool], str]:
        """Adds the sums of events by unit and cut-off, and where each stands; numbers of sessions by first session."""
        part_of: dict[tuple[Demand, bool], str] = {}
        summed: dict[str, dict[str, tuple[Demand, bool]]] = {name: {} for name in books}
        sessions: list[tuple[str, str, Demand]] = []
        for metric, demand in wanted:
            key = (demand, metric.name in self.care.not_finite)
            if key in part_of:
                continue
            part_of[key] = self._part()
            if demand.how == "sessions":
                sessions.append((part_of[key], books[demand.source].session(demand), demand))
            else:
                books[demand.source].ask(demand, guarded=key[1])
                summed[demand.source][part_of[key]] = key
        for name, book in books.items():
            n = book.number
            relation = book.add_levels(self.statement, units, cut=self._cut)
            values = {part: sql.own(book.alias(d, guarded=g)) for part, (d, g) in summed[name].items()}
            at = _not_before(sql.own(f"za{n}_k"), sql.own(f"za{n}_k0"))
            self.branches.append((relation, sql.own(f"za{n}_u"), at, None, values))
        for j, (part, alias, demand) in enumerate(sessions, start=1):
            book = books[demand.source]
            n = book.number
            window = inside(sql.own(f"zr{n}_t"), demand.window, book.source.hooks)
            first = {
                f"zt{j}_u": sql.own("zu_u"),
                f"zt{j}_k": sql.smallest(sql.own(f"zr{n}_k")),
                f"zt{j}_k0": sql.smallest(sql.own("zu_k")),
            }
            select = sql.Select(
                first,
                book.relation,
                joins=[sql.Join(units, sql.own(f"zr{n}_u"), sql.own("zu_u"))],
                where=sql.every([window, sql.is_known(sql.own(alias))]),
                group=[sql.own("zu_u"), sql.own(alias)],
            )
            relation = self.statement.level(f"zt{j}", select)
            at = _not_before(sql.own(f"zt{j}_k"), sql.own(f"zt{j}_k0"))
            self.branches.append((relation, sql.own(f"zt{j}_u"), at, None, {part: sql.number(1)}))
        return part_of

    def _running(self) -> sql.Expr:
        """By unit and cut-off at which something of it changes: the sums so far (`zh_…`), and the change (`zh_o…`)."""
        zero = sql.number(0)
        rows = sql.union_all(
            [
                sql.Select(
                    {
                        "zk_u": unit,
                        "zk_k": at,
                        **{f"zk_{p}": sql.or_else(values[p], zero) if p in values else zero for p in self.parts},
                    },
                    relation,
                    where=where,
                )
                for relation, unit, at, where, values in self.branches
            ]
        )
        changes = self.statement.level("zk", rows)
        unit, at = sql.own("zk_u"), sql.own("zk_k")
        summed = {"zg_u": unit, "zg_k": at, **{f"zg_{p}": sql.total(sql.own(f"zk_{p}")) for p in self.parts}}
        grouped = self.statement.level("zg", sql.Select(summed, changes, group=[unit, at]))
        columns = {"zh_u": sql.own("zg_u"), "zh_k": sql.own("zg_k")}
        for p in self.parts:
            columns[f"zh_{p}"] = sql.running_total(sql.own(f"zg_{p}"), sql.own("zg_k"), [sql.own("zg_u")])
            columns[f"zh_o{p}"] = sql.own(f"zg_{p}")
        return self.statement.level("zh", sql.Select(columns, grouped))

    # ── what changes ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _changes(
        self,
        running: sql.Expr,
        units: sql.Expr,
        keys: Mapping[str, str],
        described: Mapping[str, Sequence[tuple[Variable, str, bool]]],
        shifts: Mapping[str, float | str],
        caps: Caps,
    ) -> Sums:
        """Sums, by cell and cut-off, of what each power and product became less what it was."""
        plan = Sums()
        below, top = Columns("zj"), Columns("z")
        at, start, end = sql.own("zh_k"), sql.own("zu_k"), sql.own("zu_x")
        now, then = sql.less(at, end), sql.greater(at, start)
        one, zero = sql.integer(1), sql.integer(0)
        group = []
        for key, alias in keys.items():
            if key != "mixed":
                plan.keys[key] = f"z_{key}"
                group.append(sql.own(below.add(sql.own(alias), f"zj_{key}")))
                top.add(group[-1], plan.keys[key])
        group.append(sql.own(below.add(at, "zj_k")))
        top.add(group[-1], "z_cut")

        def change(*factors: Sequence[sql.Expr]) -> sql.Expr:
            return sql.total(sql.minus(*(sql.times(*(factor[side] for factor in factors)) for side in (0, 1))))

        alive = [
            sql.own(below.add(sql.case((condition, one), otherwise=zero), f"zj_{side}"))
            for condition, side in ((now, "a"), (then, "b"))
        ]
        plan.aliases["rows",] = top.add(change(alive))
        for name, listed in described.items():
            low, high = (bound(end) for end in caps.get(name, (None, None)))
            states: dict[str, list[sql.Expr]] = {}
            for variable, part, same in listed:
                sides = [sql.own(f"zh_{part}"), sql.minus(sql.own(f"zh_{part}"), sql.own(f"zh_o{part}"))]
                for i, side in enumerate(sides):
                    if variable.zero_one:
                        value = sql.case((sql.greater(side, sql.number(0)), sql.number(1)), otherwise=sql.number(0))
                    else:
                        value = capped(side, low, high) if variable.name == "y" or same else side
                        shift = shifts.get(f"{name}/{variable.name}")
                        constant = bound(shift)
                        value = value if constant is None or shift == 0.0 else sql.minus(value, constant)
                    masked = sql.case(((now, then)[i], value), otherwise=sql.number(0))
                    states.setdefault(variable.name, []).append(sql.own(below.add(masked)))
            variables = tuple(variable for variable, _, _ in listed)
            plan.metrics[name] = MetricColumns(_metric(self.metrics, name), variables)

            for variable in variables:
                plan.aliases[name, variable.name] = top.add(change(states[variable.name]))
            for variable, other in products(plan.metrics[name]):
                if variable is not other or not variable.zero_one:
                    plan.aliases[name, variable.name, other.name] = top.add(
                        change(states[variable.name], states[other.name])
                    )
            if not variables[0].zero_one:
                plan.aliases[name, "y", "cube"] = top.add(change(*[states["y"]] * 3))
        select = sql.Select(
            below.by_alias,
            running,
            joins=[sql.Join(units, sql.own("zh_u"), sql.own("zu_u"))],
            where=sql.at_most(at, end),  # what comes after a unit is known as mixed changes nothing
        )
        changes = self.statement.level("zj", select)
        plan.text = self.statement.sql(sql.Select(top.by_alias, changes, group=group), self.compiler.dialect)
        return plan


def _listed(asked: Any) -> list[Demand]:
    return [*asked.outcomes, *(demand for _, demand in asked.covariates), *asked.history]


def _metric(metrics: Sequence[Metric], name: str) -> Metric:
    return next(metric for metric in metrics if metric.name == name)


def _not_before(at: sql.Expr, first: sql.Expr) -> sql.Expr:
    """What happened before exposure is known when the unit is."""
    return sql.case((sql.less(at, first), first), otherwise=at)
