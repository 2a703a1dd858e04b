"""What running summaries have to be: one row for each checkpoint of an arm, of all units so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from paribus.charts.numbers import count
from paribus.errors import InputError
from paribus.experiments.cells import told
from paribus.experiments.columns import Facts, quoted
from paribus.experiments.running.rows import Row, Summaries

if TYPE_CHECKING:
    from paribus.warehouse.engine import Engine

CANDIDATES = 20  # columns that are asked whether they tell rows apart
MOST_VALUES = 1_000
RISES = 4  # counts that never fall from one period to the next, in all arms: running totals look like this


def refuse_repeated(
    engine: Engine, relation: str, rows: Sequence[Row], summaries: Summaries, real: Mapping[str, str], facts: Facts
) -> None:
    """Refuses rows of the same arm and checkpoint, and names the columns that tell them apart.

    Raises:
        InputError: with counts, the first of them and what to do.
    """
    seen = Counter((row.key, row.arm, row.time) for row in rows)
    repeated = [row for row in rows if seen[row.key, row.arm, row.time] > 1]
    if not repeated:
        return
    named = [real[part] for part in summaries.telling]
    arms = 1 if summaries.variant is not None else 2
    apart = _telling_apart(engine, relation, named, [c for c in facts.kinds if c not in real.values()], facts)
    places = {(row.key, row.arm, row.time) for row in repeated}
    raise InputError(
        f"{count(len(places) / arms)} checkpoints occur more than once, first {repeated[0].place}",
        where=relation,
        rule="one row for each checkpoint of an experiment, treatment and metric",
        fix=" ".join(f"--by {name}" for name in (*summaries.by, *apart)) if apart else "keep one row of each",
    )


def _telling_apart(
    engine: Engine, relation: str, named: Sequence[str], others: Sequence[str], facts: Facts
) -> tuple[str, ...]:
    """The columns by which all rows differ, those with the fewest values first; none when they do not."""
    source = engine.relation_sql(relation)

    def distinct(columns: Sequence[str]) -> int:
        spelled = ", ".join(quoted(name, engine.dialect) for name in columns)
        return int(engine.query(f"SELECT COUNT(*) FROM (SELECT DISTINCT {spelled} FROM {source} AS s) AS t").rows[0][0])

    total = int(engine.query(f"SELECT COUNT(*) FROM {source} AS s").rows[0][0])
    words = [name for name in others if facts.kinds[name] in ("text", "integer", "boolean", "number")][:CANDIDATES]
    sizes = {name: distinct([name]) for name in words}
    chosen: list[str] = []
    reached = distinct(named)
    for name in sorted(words, key=lambda name: sizes[name]):
        if not 1 < sizes[name] <= MOST_VALUES or reached == total:
            continue
        further = distinct([*named, *chosen, name])
        if further > reached:
            chosen.append(name)
            reached = further
    return tuple(chosen) if reached == total else ()


def refuse_falls(rows: Sequence[Row], relation: str) -> None:
    """Refuses running counts that fall from one checkpoint to the next.

    Raises:
        InputError: with how many arms they fall in, and the first fall.
    """
    series = list(_by_arm(rows))
    falls = [(before, after) for own in series for before, after in pairwise(own) if after.n < before.n]
    if not falls:
        return
    arms = {(after.key, after.arm) for _, after in falls}
    before, after = falls[0]
    raise InputError(
        f"counts fall {len(falls):,} times, in {len(arms):,} of {len(series):,} arms, first from "
        f"{count(before.n)} to {count(after.n)} units: {after.place}, after {told(before.time)}",
        where=relation,
        rule="rows are running: the count, mean and variance of all units since the start",
        fix="--increments, if each row holds the units of its own period only",
    )


def rising(rows: Sequence[Row]) -> tuple[str, ...]:
    """A warning where what was called increments looks like running totals."""
    series = [own for own in _by_arm(rows) if len(own) > RISES]
    if not series or any(after.n <= before.n for own in series for before, after in pairwise(own)):
        return ()
    return (
        "in every arm each period has more units than the one before: if rows hold all units so far, read them "
        "without --increments",
    )


def _by_arm(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of each arm that have a count, earlier first."""
    found: dict[tuple[tuple[str, ...], str], list[Row]] = {}
    for row in rows:
        if row.n == row.n:
            found.setdefault((row.key, row.arm), []).append(row)
    yield from (sorted(own, key=lambda row: row.time) for own in found.values())
