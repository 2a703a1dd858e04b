"""DuckDB: which files a relation names, how they are read, and that nothing else is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from paribus.errors import EngineError, InputError
from paribus.warehouse import Engine, open_engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one table in all forms: (1, 'a'), (2, 'b')."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) t(id, g)")
    for name in ("data.parquet", "data.csv", "data.tsv", "data.jsonl", "data.json", "data.csv.gz", "data.jsonl.gz"):
        options = {"tsv": "(DELIMITER '\t')", "json": "(ARRAY true)"}.get(name.rpartition(".")[2], "")
        connection.execute(f"COPY t TO '{tmp_path / name}' {options}")
    for day in ("2026-01-01", "2026-01-02"):
        part = tmp_path / "parts" / f"day={day}"
        part.mkdir(parents=True)
        connection.execute(f"COPY t TO '{part / 'x.parquet'}'")
        (part / "_SUCCESS").write_text("")
    connection.close()
    return tmp_path


def _count(engine: Engine, relation: str) -> int:
    count: int = engine.query(f"SELECT count(*) FROM {engine.relation_sql(relation)}").rows[0][0]
    return count


@pytest.mark.parametrize(
    "name", ["data.parquet", "data.csv", "data.tsv", "data.jsonl", "data.json", "data.csv.gz", "data.jsonl.gz"]
)
def test_formats(folder: Path, name: str) -> None:
    engine = open_engine(None, base_dir=folder)
    assert engine.columns(name) == {"id": "integer", "g": "text"}
    assert engine.query(f"SELECT * FROM {engine.relation_sql(name)} ORDER BY id").rows == [(1, "a"), (2, "b")]
    assert engine.relation_sql(name) == f'"{name}"'
    engine.close()


def test_globs_folders_and_partitions(folder: Path) -> None:
    engine = open_engine(None, base_dir=folder)
    assert _count(engine, "*.parquet") == 2
    assert _count(engine, "parts") == 4
    assert engine.columns("parts") == {"id": "integer", "g": "text", "day": "date"}
    assert _count(engine, "parts/**/*.parquet") == 4
    assert engine.columns("parts/*/x.parquet")["day"] == "date"
    assert str(folder / "data.csv") not in engine.relation_sql("parts")
    assert _count(engine, str(folder / "data.csv")) == 2
    engine.close()


def test_partitioned_csv_in_a_windows_encoding(tmp_path: Path) -> None:
    for country, word in (("fr", "café"), ("es", "señor")):
        (tmp_path / f"country={country}").mkdir()
        (tmp_path / f"country={country}" / "x.csv").write_bytes(f"id,word\n1,{word}\n".encode("cp1252"))
    engine = open_engine(None, base_dir=tmp_path)
    rows = engine.query(f"SELECT country, word FROM {engine.relation_sql('*/x.csv')} ORDER BY 1").rows
    assert rows == [("es", "señor"), ("fr", "café")]
    engine.close()


def test_parquet_files_with_different_columns_are_joined_by_name_and_say_so(tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 1 AS id, 2 AS v) TO '{tmp_path / 'a.parquet'}'")
    duckdb.execute(f"COPY (SELECT 3 AS v, 4 AS id, 5 AS w) TO '{tmp_path / 'b.parquet'}'")
    engine = open_engine(None, base_dir=tmp_path)
    assert engine.query(f"SELECT id, v, w FROM {engine.relation_sql('*.parquet')} ORDER BY id").rows == [
        (1, 2, None),
        (4, 3, 5),
    ]
    assert engine.notes == ["*.parquet: column 'w' is absent from 1 of 2 files and missing there"]
    engine.close()


def test_json_lines_of_one_type_and_of_several(tmp_path: Path) -> None:
    early = "".join(f'{{"id": {i}, "v": {i}}}\n' for i in range(30_000))
    (tmp_path / "a.jsonl").write_text(early + '{"id": 1, "v": "late text"}\n')
    engine = open_engine(None, base_dir=tmp_path)
    assert engine.columns("a.jsonl")["v"] in {"json", "text"}
    assert _count(engine, "a.jsonl") == 30_001
    engine.close()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("bad.jsonl", b'{"a": 1}\n{"a": \n', "JSON"),
        ("list.jsonl", b"1\n2\n", "not objects"),
        ("cut.parquet", b"PAR1 and then nothing", "cut.parquet"),
        ("book.csv", b"PK\x03\x04\x14\x00\x06\x00", "save it as CSV"),
        ("shop.csv", b"SQLite format 3\x00", "sqlite:///shop.csv"),
        ("zipped.csv", b"\x1f\x8b\x08\x00", "named .gz"),
        ("plain.csv.gz", b"a,b\n1,2\n", "named .gz"),
        ("packed.csv", b"\x28\xb5\x2f\xfd\x00", "use gzip"),
    ],
)
def test_files_that_cannot_be_read_say_what_to_do(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    engine = open_engine(None, base_dir=tmp_path)
    with pytest.raises((InputError, EngineError)) as caught:
        engine.columns(name)
    assert says in str(caught.value)
    engine.close()


@pytest.mark.parametrize(
    ("relation", "says"),
    [
        ("data.cvs", "did you mean"),
        ("dat.csv", "did you mean 'data.csv'?"),
        ("missing/data.csv", "the folder 'missing' does not exist"),
        ("*.xlsx", "no file matches"),
        ("https://example.com/data.csv", "address on a network"),
        ("s3://bucket/data.parquet", "address on a network"),
        ("nothing", "did you mean"),
        ("empty", "holds no data file"),
        (".", "several formats"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(folder: Path, relation: str, says: str) -> None:
    (folder / "empty").mkdir()
    (folder / "nothing1.csv").write_text("a\n1\n")
    engine = open_engine(None, base_dir=folder)
    with pytest.raises(InputError) as caught:
        engine.columns(relation)
    assert says in str(caught.value)
    engine.close()


def test_tables_of_a_database_file(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE Orders AS SELECT 1 AS id")
        connection.execute("CREATE SCHEMA sales")
        connection.execute("CREATE VIEW sales.recent AS SELECT 2 AS id, 3 AS v")
    engine = open_engine("duckdb:///shop.db", base_dir=tmp_path)
    assert engine.relation_sql("orders") == '"Orders"'
    assert _count(engine, "orders") == 1
    assert engine.columns("sales.recent") == {"id": "integer", "v": "integer"}
    with pytest.raises(InputError, match=r"did you mean 'Orders'"):
        engine.columns("order")
    with pytest.raises(EngineError):
        engine.query("INSERT INTO Orders VALUES (2)")
    engine.close()


def test_a_database_file_that_is_missing_or_no_database(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"nothing of the kind" * 500)
    with pytest.raises(InputError, match=r"did you mean 'shop.db'"):
        open_engine("duckdb:///shp.db", base_dir=tmp_path)
    with pytest.raises(EngineError, match="DuckDB"):
        open_engine("duckdb:///shop.db", base_dir=tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "ATTACH '{folder}/new.db'",
        "CREATE TABLE t (x INT)",
        "EXPORT DATABASE '{folder}/x'",
        "PRAGMA database_list",
        "SELECT 1; SELECT 2",
        "SELECT * FROM local_frame",
        "SELECT * FROM 'https://example.com/x.csv'",
        "",
    ],
)
def test_statements_reach_nothing_but_the_named_files(folder: Path, tmp_path: Path, statement: str) -> None:
    import pandas as pd

    local_frame = pd.DataFrame({"a": [1]})  # DuckDB would find it by its name
    assert len(local_frame) == 1
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nx\n")
    engine = open_engine(None, base_dir=folder)
    assert _count(engine, "data.csv") == 2
    with pytest.raises(EngineError):
        engine.query(statement.format(secret=secret, folder=tmp_path))
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "new.db").exists()
    assert _count(engine, "data.csv") == 2
    engine.close()


def test_a_file_named_later_opens_the_engine_anew(folder: Path) -> None:
    engine = open_engine(None, base_dir=folder)
    for name in ("data.csv", "data.parquet", "data.jsonl"):
        assert _count(engine, name) == 2
    assert engine.query('SELECT count(*) FROM "data.csv" a, "data.parquet" b, "data.jsonl" c').rows == [(8,)]
    engine.close()


def test_memory_and_threads_are_limited_and_large_sorts_spill(tmp_path: Path) -> None:
    engine = open_engine(None, base_dir=tmp_path, threads=1, memory_limit="60MB")
    found = engine.query(
        "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('TimeZone'), "
        "(SELECT count(*) FROM (SELECT DISTINCT hash(range)::VARCHAR || repeat('x', 20) FROM range(1000000)))"
    ).rows[0]
    assert found[0] == 1
    assert found[1].endswith("MiB")
    assert found[2:] == ("UTC", 1_000_000)
    engine.close()


def test_the_engines_folder_is_removed_on_close(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("v\né\n".encode("cp1252"))
    engine = open_engine(None, base_dir=tmp_path)
    engine.columns("a.csv")
    temporary = engine._temporary  # type: ignore[attr-defined]
    assert list(temporary.rglob("a.csv"))
    engine.close()
    assert not temporary.exists()


def test_fingerprints(folder: Path) -> None:
    engine = open_engine(None, base_dir=folder)
    [entry] = engine.fingerprint(["data.csv"])["data.csv"]["files"]
    content = (folder / "data.csv").read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert (entry["path"], entry["size"]) == ("data.csv", len(content))
    parts = engine.fingerprint(["parts"])["parts"]["files"]
    assert [part["path"] for part in parts] == [f"parts/day=2026-01-0{i}/x.parquet" for i in (1, 2)]
    engine.close()


def test_large_files_are_hashed_only_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paribus.warehouse.files.HASHED_ALWAYS", 5)
    engine = open_engine(None, base_dir=folder)
    assert engine.fingerprint(["data.csv"])["data.csv"]["files"][0]["sha256"] is None
    assert len(engine.fingerprint(["data.csv"], full=True)["data.csv"]["files"][0]["sha256"]) == 64
    engine.close()


def test_names_with_quotes_and_spaces(tmp_path: Path) -> None:
    name = 'it\'s "my" data.csv'
    (tmp_path / name).write_text('id,"a ""b"""\n1,2\n')
    engine = open_engine(None, base_dir=tmp_path)
    assert engine.columns(name) == {"id": "integer", 'a "b"': "integer"}
    assert _count(engine, name) == 1
    engine.close()


def test_answers_have_lower_case_names_and_python_values(tmp_path: Path) -> None:
    engine = open_engine(None, base_dir=tmp_path)
    table = engine.query("SELECT 1 AS A, 2.5::DOUBLE AS b, 'x' AS \"C d\", NULL AS e")
    assert table.names == ("a", "b", "c d", "e")
    assert table.rows == [(1, 2.5, "x", None)]
    assert table.column("b") == [2.5]
    assert table.records() == [{"a": 1, "b": 2.5, "c d": "x", "e": None}]
    with pytest.raises(EngineError, match=r"^DuckDB: "):
        engine.query("SELECT nothing")
    engine.close()
