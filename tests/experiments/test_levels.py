"""The values of a variant column on every engine: as the text that an analysis compares, and none of them no arm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.warehouse.loading import load, relation

from paribus.errors import InputError
from paribus.experiments.levels import levels_of, refuse_look_alikes, same_level

ROWS = {
    "user": ["u1", "u2", "u3", "u4", "u5", "u6", "", None],
    "arm": ["A", "B", "a", "A", "NA", None, "Total", "Sum"],
    "number": [0, 1, 0, 1, 1, None, 9, 9],
}


@pytest.mark.parametrize("engine_name", ["duckdb_file", "parquet", "csv", "sqlite", "chdb", "postgres", "mariadb"])
def test_levels_on_every_engine(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{engine_name}_url") if engine_name in {"postgres", "mariadb"} else None
    engine = load(engine_name, {"t": ROWS}, folder=tmp_path, url=url)
    table = relation(engine_name, "t")
    try:
        assert levels_of(engine, table, "arm", None) == {"A": 2, "B": 1, "Sum": 1, "Total": 1, "a": 1}
        assert levels_of(engine, table, "arm", "user") == {"A": 2, "B": 1, "a": 1}, "lines of totals name no unit"
        assert levels_of(engine, table, "number", "user") == {"0": 2, "1": 3}
    finally:
        engine.close()  # type: ignore[attr-defined]  # every engine has it


def test_words_for_none_are_arms_where_nothing_else_is(tmp_path: Path) -> None:
    engine = load("duckdb_file", {"t": {"user": [1, 2, 3], "arm": ["null", "na", "na"]}}, folder=tmp_path)
    assert levels_of(engine, "t", "arm", "user") == {"na": 2, "null": 1}


@pytest.mark.parametrize(
    ("name", "levels", "found"),
    [
        ("A", ["A", "a"], "A"),
        ("control", ["Control", "new"], "Control"),
        ("control", ["Control", "CONTROL"], None),
        ("0", ["0.0", "1.0"], "0.0"),
        ("1.0", ["0", "1"], "1"),
        ("x", ["0", "1"], None),
        ("nan", ["0", "nan "], None),
    ],
)
def test_a_level_as_a_person_names_it(name: str, levels: list[str], found: str | None) -> None:
    assert same_level(name, levels) == found


@pytest.mark.parametrize(
    "pair", [("A", "A "), ("Control", "control"), ("new page", "new  page"), ("STRASSE", "straße")]
)
def test_one_arm_in_two_spellings_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        refuse_look_alikes({pair[0]: 3, pair[1]: 1_200, "other": 5}, "group", "t.csv")
    assert f"{pair[0]!r} (3 rows), {pair[1]!r} (1,200 rows)" in str(caught.value)
    refuse_look_alikes({"A": 1, "B": 1}, "group", "t.csv")
