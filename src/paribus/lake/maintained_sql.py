"""The statements that keep `first_exposures` and `unit_metric`. Times are microseconds since 1970 in UTC.

Sets of files and their columns (x numbers the definition's experiments, n its event names, both from 0):

    exposures  x, unit, epoch, variant, t, probability, a1 …   earliest exposure of each unit, epoch and variant
    ledger     n, unit, t, k, v1 …                             each event once; k is a hash of its source and id
    gone       n, unit, t, k                                   rows of the ledger that an earlier copy replaced
    sums       x, unit, n, generation, early, c1 …             sums; n = -1 says that older generations are void
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from paribus.lake.maintained_definition import MICROSECONDS_PER_DAY, Definition, NewRows, UnitSum
from paribus.lake.maintained_reading import VOID, ledger, most_sums, named, stored, to_microseconds, valid
from paribus.lake.quoting import literal


class Steps:
    """The statements of one update, in the order in which they run on one connection.

    Args:
        definition: what is kept.
        before, horizon: events from the one up to the other become visible.
        generation: the number of this update.
        files: of every set, as they stand.
    """

    def __init__(
        self,
        definition: Definition,
        before: datetime,
        horizon: datetime,
        generation: int,
        files: Mapping[str, Sequence[Path]],
    ) -> None:
        self._definition = definition
        self._before, self._horizon, self._generation = to_microseconds(before), to_microseconds(horizon), generation
        self._is_new = not any(files.values())
        self._exposures = stored(definition, "exposures", files)
        self._ledger = ledger(definition, files)  # as it stood, and without what leaves now
        self._live = f"(SELECT c.* FROM {self._ledger} AS c ANTI JOIN gone USING (n, unit, t, k))"
        self._slots = [f"v{i + 1}" for i in range(definition.most_slots)]
        self._attributes = [f"a{i + 1}" for i in range(definition.most_attributes)]
        self._most_sums = most_sums(definition)

    def read_rows(self, rows: NewRows) -> Iterator[str]:
        """Fills `fx` with new exposures and `fe` with new events."""
        yield from self._read_exposures(rows.exposures)
        slots = "".join(f", {slot} DOUBLE" for slot in self._slots)
        yield f"CREATE TEMP TABLE fe (n SMALLINT, unit VARCHAR, t BIGINT, k BIGINT{slots})"
        yield "CREATE TEMP TABLE gone (n SMALLINT, unit VARCHAR, t BIGINT, k BIGINT)"
        yield "CREATE TEMP TABLE shaken (unit VARCHAR)"
        for n, (name, values) in enumerate(self._definition.values.items()):
            if name in rows.events:
                own = [f"v{i + 1}" for i in range(len(values))]
                padded = [*own, *("NULL" for _ in self._slots[len(own) :])]
                yield (
                    f"INSERT INTO fe SELECT {n}, unit, epoch_us(time), event_key, {', '.join(padded)} "
                    f"FROM ({rows.events[name]}) WHERE unit IS NOT NULL AND time IS NOT NULL"
                )

    def _read_exposures(self, select: str | None) -> Iterator[str]:
        columns = "".join(f", {name} VARCHAR" for name in self._attributes)
        yield (
            "CREATE TEMP TABLE fx (x SMALLINT, unit VARCHAR, epoch VARCHAR, variant VARCHAR, t BIGINT, "
            f"probability DOUBLE{columns})"
        )
        if select is None:
            return
        yield (
            "CREATE TEMP TABLE rules (x SMALLINT, flag VARCHAR, environment VARCHAR, variants VARCHAR[], start BIGINT)"
        )
        for x, key in enumerate(self._definition.experiments):
            rule = self._definition.enrolments[key]
            start = "NULL" if rule.start is None else str(to_microseconds(rule.start))
            environment = "NULL" if rule.environment is None else literal(rule.environment)
            variants = ", ".join(map(literal, rule.variants))
            yield f"INSERT INTO rules VALUES ({x}, {literal(rule.flag)}, {environment}, [{variants}], {start})"
        earliest = "".join(f", min(struct_pack(t := t, a := {name})).a" for name in self._attributes)
        taken = "".join(f", {self._attribute(i)} AS {name}" for i, name in enumerate(self._attributes))
        yield (
            "INSERT INTO fx SELECT x, unit, epoch, variant, min(t), arg_min(probability, t)"
            f"{earliest} FROM (SELECT r.x AS x, e.unit AS unit, e.epoch::VARCHAR AS epoch, e.variant AS variant, "
            f"epoch_us(e.time) AS t, e.probability AS probability{taken} FROM ({select}) AS e "
            "JOIN rules AS r ON r.flag = e.flag WHERE (r.environment IS NULL OR r.environment = e.environment) "
            "AND e.reason = 'SPLIT' AND list_contains(r.variants, e.variant) AND e.unit IS NOT NULL "
            "AND trim(e.unit) <> '' AND e.time IS NOT NULL AND (r.start IS NULL OR epoch_us(e.time) >= r.start)) "
            "GROUP BY x, unit, epoch, variant"
        )

    def _attribute(self, i: int) -> str:
        """Attribute number i of whichever experiment the row enrols in."""
        cases = [
            f"WHEN {x} THEN e.{named(rule.attributes[i])}"
            for x, key in enumerate(self._definition.experiments)
            if i < len((rule := self._definition.enrolments[key]).attributes)
        ]
        return f"CASE r.x {' '.join(cases)} END"

    def repeats(self) -> Iterator[tuple[str, list[str]]]:
        """Twice: a statement that fills `repeated`, and what settles it when it is not empty."""
        key = "n, k"
        yield (
            f"CREATE TEMP TABLE repeated AS SELECT {key} FROM fe WHERE k IS NOT NULL "
            f"GROUP BY {key} HAVING count(*) > 1",
            [
                "CREATE TEMP TABLE chosen AS SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER "
                f"(PARTITION BY {key} ORDER BY t, unit) AS place FROM fe SEMI JOIN repeated USING ({key})) "
                "WHERE place = 1",
                f"CREATE TEMP TABLE other AS SELECT * FROM fe ANTI JOIN repeated USING ({key})",
                "DROP TABLE fe",
                "CREATE TEMP TABLE fe AS SELECT * FROM other UNION ALL SELECT * FROM chosen",
                "DROP TABLE other",
                "DROP TABLE chosen",
            ],
        )
        stands = "(fe.t, fe.unit) >= (l.t, l.unit)"
        yield (
            # Two columns of the whole ledger tell that nothing is repeated, as nearly always.
            f"CREATE TEMP TABLE repeated AS SELECT {key} FROM {self._ledger} AS l SEMI JOIN fe USING ({key})",
            [
                "CREATE TEMP TABLE copied AS SELECT l.n, l.unit, l.t, l.k, fe.unit AS new_unit, "
                f"{stands} AS stands FROM (FROM {self._ledger} SEMI JOIN repeated USING ({key})) AS l "
                "JOIN fe ON fe.n = l.n AND fe.k = l.k",
                f"CREATE TEMP TABLE other AS SELECT * FROM fe ANTI JOIN (FROM copied WHERE stands) USING ({key})",
                "DROP TABLE fe",
                "ALTER TABLE other RENAME TO fe",
                "INSERT INTO gone SELECT n, unit, t, k FROM copied WHERE NOT stands",
                "INSERT INTO shaken SELECT unit FROM copied WHERE NOT stands "
                "UNION SELECT new_unit FROM copied WHERE NOT stands",
                "DROP TABLE copied",
            ],
        )

    def find_units(self) -> Iterator[str]:
        """Fills `dirty` with units to sum from the ledger, and `clean` with those that new events are added to."""
        before, horizon = self._before, self._horizon
        if self._is_new:
            yield (
                "CREATE TEMP TABLE dirty AS SELECT x, unit, min(t) AS t0, false AS again "
                f"FROM fx WHERE t < {horizon} GROUP BY x, unit"
            )
            yield "CREATE TEMP TABLE clean (x SMALLINT, unit VARCHAR, t0 BIGINT)"
            return
        old = self._exposures
        yield (
            "CREATE TEMP TABLE touched AS SELECT DISTINCT x, unit FROM fx "
            f"UNION SELECT x, unit FROM {old} WHERE t >= {before} AND t < {horizon} "
            f"UNION SELECT x, unit FROM {old} SEMI JOIN shaken USING (unit)"
        )
        yield (
            "CREATE TEMP TABLE active AS SELECT unit FROM touched UNION SELECT unit FROM fe "
            f"UNION SELECT unit FROM {self._ledger} WHERE t >= {before} AND t < {horizon}"
        )
        yield (
            "CREATE TEMP TABLE enrolled AS SELECT x, unit, min(t) AS t0 FROM "
            f"(SELECT x, unit, t FROM {old} SEMI JOIN active USING (unit) UNION ALL SELECT x, unit, t FROM fx) "
            f"WHERE t < {horizon} GROUP BY x, unit"
        )
        yield (
            "CREATE TEMP TABLE dirty AS SELECT a.x, a.unit, a.t0, b.t0 IS NOT NULL AS again "
            "FROM (FROM enrolled SEMI JOIN touched USING (x, unit)) AS a LEFT JOIN "
            f"(SELECT x, unit, min(t) AS t0 FROM {old} SEMI JOIN touched USING (x, unit) WHERE t < {before} "
            "GROUP BY x, unit) AS b ON b.x = a.x AND b.unit = a.unit "
            "WHERE b.t0 IS DISTINCT FROM a.t0 OR a.unit IN (SELECT unit FROM shaken)"
        )
        yield "CREATE TEMP TABLE clean AS SELECT x, unit, t0 FROM enrolled ANTI JOIN dirty USING (x, unit)"

    def add_sums(self) -> Iterator[str]:
        """Fills `sums`."""
        sums = "".join(f", c{i + 1} DOUBLE" for i in range(self._most_sums))
        yield (f"CREATE TEMP TABLE sums (x SMALLINT, unit VARCHAR, n SMALLINT, generation INTEGER, early DOUBLE{sums})")
        yield (
            "INSERT INTO sums (x, unit, n, generation) "
            f"SELECT x, unit, {VOID}, {self._generation} FROM dirty WHERE again"
        )
        if self._is_new:
            yield from self._sums("fe", "dirty")
            return
        columns = ", ".join(["n", "unit", "t", *self._slots])
        lookback = self._lookback()
        floor = "" if lookback is None else f" AND t >= (SELECT coalesce(min(t0), 0) FROM dirty) - {lookback}"
        yield (
            f"CREATE TEMP TABLE known AS SELECT {columns} FROM (SELECT {columns} FROM {self._live} "
            f"WHERE t < {self._horizon}{floor} UNION ALL SELECT {columns} FROM fe) "
            "SEMI JOIN (SELECT DISTINCT unit FROM dirty) USING (unit)"
        )
        yield (
            f"CREATE TEMP TABLE arrived AS SELECT {columns} FROM fe UNION ALL SELECT {columns} FROM {self._live} "
            f"WHERE t >= {self._before} AND t < {self._horizon}"
        )
        yield from self._sums("known", "dirty")
        yield from self._sums("arrived", "clean")

    def _sums(self, events: str, of: str) -> Iterator[str]:
        """One statement for all event names that the same experiments ask the same of: each reads all units anew."""
        alike: dict[tuple[tuple[str, ...], tuple[UnitSum, ...], tuple[int, ...], int], list[int]] = {}
        for n, name in enumerate(self._definition.values):
            columns = self._definition.columns(name)
            for asked, experiments in self._definition.groups(name).items():
                place = tuple(f"c{columns.index(each) + 1}" for each in asked)
                by_tolerance: dict[int, list[int]] = {}
                for x in experiments:
                    seconds = self._definition.tolerance_seconds.get(self._definition.experiments[x], 0)
                    by_tolerance.setdefault(seconds, []).append(x)
                for seconds, of_them in by_tolerance.items():
                    alike.setdefault((place, asked, tuple(of_them), seconds), []).append(n)
        for (place, asked, own, seconds), names in alike.items():
            yield self._insert(events, of, names, own, asked, place, seconds * 1_000_000)

    def _insert(
        self,
        events: str,
        of: str,
        names: Sequence[int],
        experiments: Sequence[int],
        asked: Sequence[UnitSum],
        place: Sequence[str],
        tolerance: int,
    ) -> str:
        sums = ", ".join(f"sum({_windowed(each)})" for each in asked)
        reach = [f"e.t < {self._horizon}"]
        if len(names) < len(self._definition.values):
            reach.append(f"e.n IN ({', '.join(map(str, names))})")
        if all(each.first_days is not None for each in asked):
            days = min(each.first_days or 0 for each in asked)
            reach.append(f"e.t >= u.t0 - {max(tolerance, -days * MICROSECONDS_PER_DAY)}")
        if all(each.last_days is not None for each in asked):
            reach.append(f"e.t < u.t0 + {max(each.last_days or 0 for each in asked) * MICROSECONDS_PER_DAY}")
        everyone = len(experiments) == len(self._definition.experiments)
        chosen = "" if everyone else f" AND u.x IN ({', '.join(map(str, experiments))})"
        return (
            f"INSERT INTO sums (x, unit, n, generation, early, {', '.join(place)}) "
            f"SELECT u.x, u.unit, e.n, {self._generation}, "
            f"count(CASE WHEN e.t < u.t0 AND e.t >= u.t0 - {tolerance} THEN 1 END), {sums} "
            f"FROM {events} AS e JOIN {of} AS u ON u.unit = e.unit WHERE {' AND '.join(reach)}{chosen} "
            "GROUP BY u.x, u.unit, e.n"
        )

    def _lookback(self) -> int | None:
        """Microseconds before a first exposure that any sum reads; None when one reads everything."""
        longest = max(self._definition.tolerance_seconds.values(), default=0) * 1_000_000
        for of in self._definition.sums.values():
            for asked in of.values():
                for each in asked:
                    if each.first_days is None:
                        return None
                    longest = max(longest, -each.first_days * MICROSECONDS_PER_DAY)
        return longest

    def results(self) -> dict[str, str]:
        """By set, the SELECT whose rows are written."""
        return {
            "exposures": "SELECT * FROM fx ORDER BY x",
            "ledger": "SELECT * FROM fe",
            "gone": "SELECT * FROM gone",
            "sums": "SELECT * FROM sums ORDER BY x, n",
        }

    def merges(self, most: int, counts: Mapping[str, int]) -> dict[str, str]:
        """By set with more than `most` files, the SELECT that merges them; `{reader}` stands for the files."""
        found = {}
        if counts.get("exposures", 0) > most:
            earliest = "".join(f", min(struct_pack(t := t, a := {a})).a AS {a}" for a in self._attributes)
            found["exposures"] = (
                "SELECT x, unit, epoch, variant, min(t) AS t, arg_min(probability, t) AS probability"
                f"{earliest} FROM {{reader}} GROUP BY x, unit, epoch, variant ORDER BY x"
            )
        if counts.get("ledger", 0) > most:
            found["ledger"] = "SELECT * FROM {reader} ORDER BY n, t"
        if counts.get("gone", 0) > most:
            found["gone"] = "SELECT DISTINCT * FROM {reader}"
        if counts.get("sums", 0) > most:
            sums = "".join(f", sum(c{i + 1}) AS c{i + 1}" for i in range(self._most_sums))
            found["sums"] = (
                f"SELECT x, unit, n, max(generation)::INTEGER AS generation, sum(early) AS early{sums} "
                f"FROM ({valid('{reader}', 'x, unit')}) GROUP BY x, unit, n ORDER BY x, n"
            )
        return found


def _windowed(each: UnitSum) -> str:
    value = f"e.v{each.slot + 1}"
    conditions = []
    if each.first_days is not None:
        conditions.append(f"e.t >= u.t0 + {each.first_days * MICROSECONDS_PER_DAY}")
    if each.last_days is not None:
        conditions.append(f"e.t < u.t0 + {each.last_days * MICROSECONDS_PER_DAY}")
    return f"CASE WHEN {' AND '.join(conditions)} THEN {value} END" if conditions else value
