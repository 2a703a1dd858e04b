from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.errors import InputError
from paribus.lake import Lake

SECRET = "user-7f3a9c"
SHORT = "u7"


@pytest.fixture
def lake(tmp_path: Path):
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as opened:
        yield opened


def _files_naming(folder: Path, text: str) -> list[str]:
    """Files with the text in their bytes, or in what a Parquet reader finds in them."""
    named = [str(file) for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]
    for file in folder.rglob("*.parquet"):
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{file}', hive_partitioning = false)").fetchall()
        if any(text in str(value) for row in rows for value in row):
            named.append(f"{file} (rows)")
    return named


def _everywhere(lake: Lake, unit: str) -> None:
    """The unit in each place where an id can stand: several days, quarantine, the queue, texts of others."""
    for day in range(3):
        lake.landing.append([request([
            event(f"own-{day}", unit=unit, at=NOON - timedelta(days=day), typed={"who": unit}),
            event(f"known-{day}", user_id=unit), event(f"anonymous-{day}", anonymous_id=unit),
            event(f"other-{day}", unit="somebody", at=NOON - timedelta(days=day), properties={"by": unit, "n": day},
                  context={"page": {"url": f"https://shop/?u={unit}&x=1"}}, typed={"by": unit}),
            event(f"plain-{day}", unit="somebody", properties={"by": "nobody"}),
            event(f"old-{day}", unit=unit, at=NOON - timedelta(days=50)),
            event(f"bad-{day}", unit="somebody", properties={"by": unit}, verdict=2),
            event(f"bad-other-{day}", unit="somebody", verdict=2),
        ])])  # fmt: skip
        if day < 2:
            lake.flush()
        if day == 0:
            lake.compact()


def test_no_byte_names_the_unit_afterwards_and_others_keep_their_events(lake: Lake) -> None:
    _everywhere(lake, SECRET)
    lake.landing.append([type(request([]))(0, 0, "test", "k", 1, b"\x00", b"torn " + SECRET.encode())])
    assert _files_naming(lake.folder, SECRET)
    proof = lake.erase([SECRET], request="case 12")
    assert _files_naming(lake.folder, SECRET) == []
    found = duckdb.sql(f"SELECT event_id, properties, context, p_by FROM ({lake.events_sql()}) ORDER BY 1").fetchall()
    assert [row[0] for row in found] == [f"{kind}-{n}" for kind in ("other", "plain") for n in range(3)]
    assert json.loads(found[0][1]) == {"by": "[erased]", "n": 0}
    assert json.loads(found[0][2]) == {"page": {"url": "https://shop/?u=[erased]&x=1"}}
    assert found[0][3] == "[erased]"
    assert json.loads(found[3][1]) == {"by": "nobody"}
    held = duckdb.sql(f"SELECT event_id FROM ({lake.quarantine_sql()}) ORDER BY 1").fetchall()
    assert held == [(f"bad-other-{n}",) for n in range(3)]
    assert (proof.request, proof.ids, proof.events, proof.quarantined, proof.mentions) == ("case 12", 1, 9, 7, 3)
    assert proof.version == lake.files()[0]
    assert proof.files_deleted >= proof.files_rewritten > 0
    assert SECRET not in repr(proof)
    [counted] = lake.reconcile()
    assert (counted.erased, counted.unexplained_rows, counted.missing) == (9, 0, 0)


def test_a_short_id_takes_only_what_is_exactly_it(lake: Lake) -> None:
    lake.landing.append([request([
        event("mine", unit=SHORT), event("u77's", unit="u77", properties={"by": "u7", "text": "u7 u77", "n": 7}),
    ])])  # fmt: skip
    lake.erase([SHORT])
    found = duckdb.sql(f"SELECT unit, properties FROM ({lake.events_sql()})").fetchall()
    assert [(unit, json.loads(text)) for unit, text in found] == [("u77", {"by": "[erased]", "text": "u7 u77", "n": 7})]


@pytest.mark.parametrize("unit", ["o'brien@example.com", 'quo"ted\\id', "ünïcode-id", "a/b.c*d+[e]"])
def test_ids_of_any_letters(lake: Lake, unit: str) -> None:
    lake.landing.append([request([
        event("own", unit=unit), event("other", unit="x", properties={"to": unit, "k": [unit]}), event("plain"),
    ])])  # fmt: skip
    proof = lake.erase([unit])
    assert (proof.events, proof.mentions) == (1, 1)
    assert _files_naming(lake.folder, unit) == []
    assert _files_naming(lake.folder, json.dumps(unit)[1:-1]) == []
    found = duckdb.sql(f"SELECT event_id, properties FROM ({lake.events_sql()}) ORDER BY 1").fetchall()
    assert [(each, json.loads(text)) for each, text in found] == [
        ("other", {"to": "[erased]", "k": ["[erased]"]}), ("plain", {}),
    ]  # fmt: skip


def test_many_ids_at_once_and_again(lake: Lake) -> None:
    lake.landing.append([request([event(str(n), unit=f"unit-number-{n}") for n in range(1_000)])])
    proof = lake.erase([f"unit-number-{n}" for n in range(0, 1_000, 2)])
    assert proof.events == 500
    assert len(duckdb.sql(lake.events_sql()).fetchall()) == 500
    again = lake.erase([f"unit-number-{n}" for n in range(0, 1_000, 2)])
    assert (again.events, again.files_rewritten) == (0, 0)
    lake.erase([f"unit-number-{n}" for n in range(1, 1_000, 2)])
    assert lake.files()[1] == []
    assert duckdb.sql(lake.events_sql()).fetchall() == []


def test_derived_tables_are_told_and_an_empty_id_is_refused(lake: Lake) -> None:
    told: list[list[str]] = []
    lake.erase_also.append(lambda ids: told.append(list(ids)))
    lake.erase(["b", "a", "b"])
    assert told == [["a", "b"]]
    with pytest.raises(InputError):
        lake.erase(["a", ""])
