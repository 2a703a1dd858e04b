"""Links from the id that an event names to the person whom it is read as, beside the files of an event table."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus.warehouse.engine import Engine

OWN, PERSON, ID = "zl_own", "zl_person", "zl_id"
APPLIED = "identity:"  # the relation with the number of links that matter to what the engine reads, and their digest


@dataclass(frozen=True, slots=True)
class Links:
    """Which id is read as which other one.

    person_of  by id; ids that are not in it stand for themselves
    origin     where the links are kept, for the proof
    """

    person_of: Mapping[str, str]
    origin: str = ""

    @contextmanager
    def file(self) -> Iterator[Path]:
        """The links as a Parquet file that is gone at the end."""
        import duckdb

        with tempfile.TemporaryDirectory(prefix="paribus-links-") as folder:
            path = Path(folder) / "links.parquet"
            columns = [list(self.person_of), list(self.person_of.values())]
            with duckdb.connect(config={"threads": 1}) as connection:
                connection.execute(
                    f"COPY (SELECT unnest($1::VARCHAR[]) AS {OWN}, unnest($2::VARCHAR[]) AS {PERSON}) "
                    f"TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)",
                    columns,
                )
            yield path

    def fingerprint(self, engine: Engine) -> dict[str, Any]:
        """What a proof says of them: how many the engine applied, and a hash that changes with any of these."""
        row = engine.query(f"SELECT n, digest FROM {engine.relation_sql(APPLIED)}").records()[0]
        text = f"{row['n']}:{row['digest'] or ''}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"kind": "links", "origin": self.origin, "links": int(row["n"]), "sha256": digest}


def applied_sql(links: str, exposures: str, events: list[str]) -> str:
    """One row: n, the links that matter, and their digest, whatever their order.

    A link matters when exposures name its id, or when events do and its person was exposed.

    Args:
        links: the SQL that reads the links.
        exposures, events: SELECTs with the columns own_unit and unit.
    """
    met = f"{OWN} IN (SELECT own_unit FROM ({exposures}))"
    if events:
        named = " UNION ALL ".join(f"SELECT own_unit FROM ({event})" for event in events)
        met += f" OR ({PERSON} IN (SELECT unit FROM ({exposures})) AND {OWN} IN ({named}))"
    return (
        f"SELECT count(*) AS n, bit_xor(md5_number({OWN} || chr(31) || {PERSON}))::VARCHAR AS digest "
        f"FROM {links} WHERE {met}"
    )
