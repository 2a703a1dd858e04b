"""The map against the tree: files, extras and configuration that nobody told it about."""

from __future__ import annotations

import ast
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from paribus.app.integrations import last_check, systems, systems_named, try_here
from paribus.app.integrations.catalog import _notes, registered
from paribus.app.integrations.record import merged, recorded
from paribus.errors import NotFound

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "paribus"
IDS = {system.id for system in systems()}


def modules(folder: str) -> set[str]:
    return {path.stem for path in (SOURCE / folder).glob("*.py")} - {"__init__"}


def test_every_part_of_the_code_that_is_for_another_system_is_on_the_map() -> None:
    own = {"dialect", "form", "history", "keys", "replay", "protobuf", "otlp_records"}
    assert {f"events/{name}" for name in modules("events/dialects") - own} <= IDS
    assert {f"flags/{name}" for name in modules("flags/providers") - {"source"}} <= IDS
    hooks = re.findall(r'^    Hooks\(\s*"(\w+)"', (SOURCE / "warehouse/sql/dialects.py").read_text(), flags=re.M)
    assert len(hooks) >= 14
    assert {f"warehouse/{name}" for name in hooks} <= IDS
    middleware = {path.stem for path in (ROOT / "sdk/python/src/paribus_sdk/middleware").glob("*.py")}
    assert {f"framework/{name}" for name in middleware - {"__init__", "passage"}} <= IDS
    assert {f"framework/{path.name}" for path in (SOURCE / "workflow/code/templates").iterdir()} & IDS == {
        "framework/django",
        "framework/fastapi",
        "framework/flask",
        "framework/react",
    }


def test_every_extra_belongs_to_a_system() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) <= {system.extra for system in systems()}


def test_what_is_registered_has_a_note_and_notes_are_of_a_known_form() -> None:
    assert registered() <= set(_notes())
    for system in systems():
        assert system.does, system.id
        assert system.what.endswith("."), system.id
        assert set(system.does) <= {"reads", "writes", "runs", "serves"}, system.id
        assert (system.depth == "unverified") == (not system.verified_by), system.id


def test_checks_exist_and_can_be_repeated() -> None:
    for system in systems():
        for check in system.verified_by:
            path, _, name = check.partition("[")[0].partition("::")
            if path.startswith("neighbors/"):
                assert f'"{path.removeprefix("neighbors/")}"' in (ROOT / "tests/neighbors/__main__.py").read_text()
                continue
            assert (ROOT / path).exists(), check
            found = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if hasattr(node, "name")}
            assert not name or name in found, check


def test_the_shipped_record_is_of_checks_that_are_named_and_none_failed() -> None:
    named = {check for system in systems() for check in system.verified_by}
    assert set(recorded()) <= named
    assert [system.id for system in systems() if last_check(system).result == "failed"] == []
    assert sum(last_check(system).result == "passed" for system in systems()) > 20


def test_a_record_keeps_what_did_not_run_and_counts_what_did() -> None:
    before = {
        "tests/a.py::test_old": {"passed": 3, "failed": 0, "skipped": 0, "date": "2026-01-01", "version": "0"},
        "tests/gone.py": {"passed": 3, "failed": 0, "skipped": 0, "date": "2026-01-01", "version": "0"},
    }
    outcomes = {
        "tests/b.py::test_x[postgres-1]": "passed",
        "tests/b.py::test_x[mariadb-1]": "failed",
        "tests/b.py::test_y[postgres]": "skipped",
        "tests/c.py::test_z": "skipped",
        "neighbors/dbt": "passed",
    }
    names = ["tests/a.py::test_old", "tests/b.py[postgres]", "tests/b.py[mariadb]", "tests/c.py", "neighbors/dbt"]
    after = merged(before, outcomes, names, date(2026, 2, 3), "1")
    assert after["tests/a.py::test_old"]["date"] == "2026-01-01"
    assert after["tests/b.py[postgres]"] == {
        "passed": 1,
        "failed": 0,
        "skipped": 1,
        "date": "2026-02-03",
        "version": "1",
    }
    assert after["tests/b.py[mariadb]"]["failed"] == 1
    assert "tests/gone.py" not in after
    assert "tests/c.py" not in after  # skipped alone says nothing
    assert after["neighbors/dbt"]["passed"] == 1


def test_one_failed_check_fails_a_system_and_an_unrecorded_one_is_said() -> None:
    (segment,) = systems_named("events/segment")
    first, second, third = segment.verified_by
    good = {"passed": 2, "failed": 0, "skipped": 0, "date": "2026-02-03"}
    assert last_check(segment, {}).result == "never"
    assert last_check(segment, {first: good}).result == "partly"
    all_good = {first: good, second: {**good, "date": "2026-01-01"}, third: good}
    assert last_check(segment, all_good).plain() == {
        "result": "passed",
        "date": "2026-01-01",
        "passed": 6,
        "failed": 0,
        "skipped": 0,
    }
    assert last_check(segment, {**all_good, first: {**good, "failed": 1}}).result == "failed"


@pytest.mark.parametrize(
    ("name", "url", "result"),
    [
        ("warehouse/duckdb", None, "works"),
        ("warehouse/sqlite", None, "works"),
        ("warehouse/snowflake", None, "needs_url"),
        ("warehouse/snowflake", "sqlite://", "failed"),
        ("warehouse/postgres", "postgresql://nobody:secretword@127.0.0.1:1/none", "failed"),
        ("agent/mcp", None, "works"),
        ("events/segment", None, "nothing"),
    ],
)
def test_what_can_be_tried_here_is(name: str, url: str | None, result: str) -> None:
    (system,) = systems_named(name)
    trial = try_here(system, url)
    assert trial.result == result, trial.said
    assert trial.said
    assert "secretword" not in str(trial.said)


def test_a_misspelled_name_is_corrected() -> None:
    with pytest.raises(NotFound, match="did you mean"):
        systems_named("snowflke")
