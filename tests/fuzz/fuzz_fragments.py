"""Coverage-guided fuzzing of the fragment check: `python tests/fuzz/fuzz_fragments.py -max_total_time=60`.

The first byte picks the dialect, the rest is the fragment, grown from both corpora. A crash is anything but
FragmentError, and anything that passes without being one scalar expression on the declared columns.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["paribus"]):
    from sqlglot import exp

    from paribus.errors import FragmentError
    from paribus.warehouse.sql.fragments import parse_fragment

CORPORA = Path(__file__).parent.parent / "warehouse"
DIALECTS = ("duckdb", "postgres", "mysql", "sqlite", "clickhouse", "bigquery", "snowflake", "tsql", "spark", "trino")
COLUMNS = {
    "revenue": "number",
    "qty": "integer",
    "country": "text",
    "ts": "timestamp",
    "props": "json",
    "active": "boolean",
}
BANNED = (exp.Query, exp.AggFunc, exp.Window, exp.Command, exp.DDL, exp.DML, exp.Parameter, exp.Placeholder, exp.Star)


def check(data: bytes) -> None:
    """One fragment, as libFuzzer found it."""
    if not data:
        return
    dialect = DIALECTS[data[0] % len(DIALECTS)]
    text = data[1:].decode("utf-8", errors="surrogateescape" if data[0] > 250 else "replace")
    try:
        fragment = parse_fragment(text, dialect=dialect, columns=COLUMNS)
    except FragmentError:
        return
    assert set(fragment.columns) <= set(COLUMNS), (dialect, text, fragment.columns)
    assert not list(fragment.expression.find_all(*BANNED)), (dialect, text)
    again = parse_fragment(fragment.sql(), dialect=dialect, columns=COLUMNS)
    assert again.sql() == fragment.sql(), (dialect, text)


def write_seeds(folder: Path) -> None:
    """All corpora as seed files, each in a dialect by turns."""
    texts = []
    hostile, longer = ((CORPORA / f"fragments_hostile{end}.txt").read_text(encoding="utf-8") for end in ("", "_more"))
    for line in (hostile + longer).split("\n"):
        if line and not line.startswith("# "):
            texts.append(json.loads(line[5:]) if line.startswith("json:") else line)
    for line in (CORPORA / "fragments_useful.txt").read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("# "):
            texts.append(line.split("\t")[3])
    for i, text in enumerate(texts):
        (folder / f"seed{i:04d}").write_bytes(bytes([i % len(DIALECTS)]) + text.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as seeds:
        write_seeds(Path(seeds))
        atheris.Setup([*sys.argv, "-max_len=400", seeds], check)
        atheris.Fuzz()
