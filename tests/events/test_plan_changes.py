"""Revisions of the tracking plan, and the typed clients generated from it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.events.test_plan import PLAN

from paribus.errors import DefinitionError
from paribus.events import compatibility
from paribus.events.codegen import python_client, typescript_client
from paribus.events.compatibility import check_compatibility, compare_plans
from paribus.events.plan import parse_plan

ROOT = Path(__file__).parents[2]
BASE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 9, "enum": [1, 2], "personal": "personal"}
TEXT: dict[str, Any] = {"type": "string", "pattern": "a"}


def plan(properties: dict[str, Any], **event: Any) -> Any:
    return parse_plan({"events": {"a": {"properties": properties, **event}}})


CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("nothing", {"x": BASE}, {"x": BASE}, "nothing"),
    ("words", {"x": BASE}, {"x": {**BASE, "description": "new"}}, "nothing"),
    ("optional added", {"x": BASE}, {"x": BASE, "y": TEXT}, "nothing"),
    ("required added", {"x": BASE}, {"x": BASE, "y": {**TEXT, "required": True}}, "new_version"),
    ("removed", {"x": BASE, "y": TEXT}, {"x": BASE}, "new_version"),
    ("made required", {"x": BASE}, {"x": {**BASE, "required": True}}, "new_version"),
    ("made optional", {"x": {**BASE, "required": True}}, {"x": BASE}, "nothing"),
    ("type", {"x": {"type": "integer"}}, {"x": {"type": "number"}}, "refused"),
    ("enum wider", {"x": BASE}, {"x": {**BASE, "enum": [1, 2, 3]}}, "nothing"),
    ("enum reordered", {"x": BASE}, {"x": {**BASE, "enum": [2, 1]}}, "nothing"),
    ("enum narrower", {"x": BASE}, {"x": {**BASE, "enum": [1]}}, "new_version"),
    ("enum other", {"x": BASE}, {"x": {**BASE, "enum": [1, 3]}}, "new_version"),
    ("enum introduced", {"x": {"type": "integer"}}, {"x": {"type": "integer", "enum": [1]}}, "new_version"),
    ("enum dropped", {"x": BASE}, {"x": {**BASE, "enum": None}}, "nothing"),
    ("minimum raised", {"x": BASE}, {"x": {**BASE, "minimum": 2}}, "new_version"),
    ("minimum lowered", {"x": BASE}, {"x": {**BASE, "minimum": 0}}, "nothing"),
    ("minimum dropped", {"x": BASE}, {"x": {**BASE, "minimum": None}}, "nothing"),
    ("maximum introduced", {"x": {"type": "integer"}}, {"x": {"type": "integer", "maximum": 1}}, "new_version"),
    ("maximum lowered", {"x": BASE}, {"x": {**BASE, "maximum": 8}}, "new_version"),
    ("maximum raised", {"x": BASE}, {"x": {**BASE, "maximum": 10}}, "nothing"),
    ("pattern changed", {"x": TEXT}, {"x": {**TEXT, "pattern": "b"}}, "new_version"),
    ("pattern dropped", {"x": TEXT}, {"x": {"type": "string"}}, "nothing"),
    ("personal lowered", {"x": BASE}, {"x": {**BASE, "personal": "none"}}, "new_version"),
    ("personal raised", {"x": BASE}, {"x": {**BASE, "personal": "sensitive"}}, "nothing"),
]


@pytest.mark.parametrize(("name", "old", "new", "need"), CASES, ids=[case[0] for case in CASES])
def test_each_rule(name: str, old: dict[str, Any], new: dict[str, Any], need: str) -> None:
    before = plan(old)
    if need == "nothing":
        check_compatibility(before, plan(new))
        return
    with pytest.raises(DefinitionError) as caught:
        check_compatibility(before, plan(new))
    assert "breaking: a" in caught.value.what
    if need == "new_version":
        assert caught.value.fix == "raise the version of a"
        assert check_compatibility(before, plan(new, version=2))
    else:
        with pytest.raises(DefinitionError):
            check_compatibility(before, plan(new, version=2))


def test_events_are_deprecated_before_they_go() -> None:
    empty = parse_plan({})
    with pytest.raises(DefinitionError, match="removed without having been deprecated"):
        check_compatibility(plan({}), empty)
    assert str(check_compatibility(plan({}, deprecated=True), empty)[0]) == "a: removed"


def test_versions_do_not_go_back_and_meanings_need_one() -> None:
    with pytest.raises(DefinitionError, match="version lowered from 3 to 2"):
        check_compatibility(plan({}, version=3), plan({}, version=2))
    with pytest.raises(DefinitionError, match="semantics changed from action to conversion"):
        check_compatibility(plan({}), plan({}, semantics="conversion"))


def test_a_type_cannot_change_by_moving_to_another_event() -> None:
    old = parse_plan({"events": {"a": {"deprecated": True, "properties": {"x": {"type": "string"}}}}})
    new = parse_plan({"events": {"b": {"properties": {"x": {"type": "number"}}}}})
    assert [change.need for change in compare_plans(old, new)] == ["nothing", "nothing", "refused"]
    empty = parse_plan({})
    assert [change.need for change in compare_plans(empty, new)] == ["nothing"]
    assert [change.need for change in compare_plans(empty, new, [old])] == ["nothing", "refused"]


def test_the_table_of_rules_stands_in_the_docs() -> None:
    rows = re.findall(r"^\| .* \|$", compatibility.__doc__ or "", flags=re.MULTILINE)
    docs = (ROOT / "docs" / "events.md").read_text()
    assert len(rows) > 5
    for row in rows:
        assert row in docs


# Typed clients

WILD = {
    "events": {
        **PLAN["events"],
        "Signed Up": {
            "description": 'Ends """ here \\ */ \n and "quotes" \U0001f600',
            "properties": {
                "name": {"type": "string", "required": True},
                "unit": {"type": "string"},
                "time": {"type": "datetime", "required": True},
                "class": {"type": "integer", "enum": [1, 2]},
                'it\'s "odd"': {"type": "json", "description": "a */ b"},
            },
        },
        "import": {},
        "2fast": {},
    }
}


def test_the_python_client_type_checks_and_sends(tmp_path: Path) -> None:
    module = tmp_path / "generated_events.py"
    module.write_text(python_client(parse_plan(WILD)))
    user = tmp_path / "user.py"
    user.write_text(
        "import generated_events as events\n"
        "from paribus_sdk import Client\n"
        "def run(client: Client) -> None:\n"
        "    events.order_completed(client, 'u1', revenue=3.5, currency='EUR')\n"
        "    events.order_completed(client, 'u1', revenue='x', currency='EUR')  # wrong\n"
        "    events.order_completed(client, 'u1', revenue=1, currency='GBP')  # wrong\n"
        "    events.order_completed(client, 'u1', revenue=1)  # wrong\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(module), str(user)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": f"{tmp_path}:{ROOT / 'sdk/python/src'}", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    errors = {line.split(":")[0] + ":" + line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert errors == {"user.py:5", "user.py:6", "user.py:7"}, done.stdout + done.stderr

    spec = importlib.util.spec_from_file_location("generated_events", module)
    assert spec is not None
    assert spec.loader is not None
    events = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(events)
    sent: list[tuple[str, Any, Any, dict[str, Any]]] = []

    class Recorder:
        def track(self, name: str, /, unit: Any = None, time: Any = None, *, properties: Any = None) -> None:
            sent.append((name, unit, time, properties))

    when = datetime(2026, 1, 2, tzinfo=UTC)
    events.signed_up(Recorder(), "u1", name="n", time_=when, class_=2, it_s_odd=[1])
    events.import_(Recorder(), 7, time=when)
    assert sent == [
        (
            "Signed Up",
            "u1",
            None,
            {"name": "n", "time": "2026-01-02T00:00:00+00:00", "class": 2, 'it\'s "odd"': [1]},
        ),
        ("import", 7, when, {}),
    ]


@pytest.mark.slow
def test_the_typescript_client_compiles(tmp_path: Path) -> None:
    text = typescript_client(parse_plan(WILD))
    assert 'currency": "EUR" | "USD";' in text
    assert (
        "export function orderCompleted(client: Tracker, properties: OrderCompletedProperties, about?: About): void {"
        in text
    )
    assert "export function import_(client: Tracker, properties: Import_Properties = {}, about?: About): void {" in text
    (tmp_path / "events.ts").write_text(text)
    (tmp_path / "user.ts").write_text(
        'import { orderCompleted, signedUp } from "./events";\n'
        "const client = { track: (name: string, properties?: Record<string, unknown>) => [name, properties] };\n"
        'orderCompleted(client, { revenue: 3, currency: "EUR" }, { unit: "u1" });\n'
        "// @ts-expect-error a wrong value\n"
        'orderCompleted(client, { revenue: 3, currency: "GBP" });\n'
        "// @ts-expect-error a missing property\n"
        "orderCompleted(client, { revenue: 3 });\n"
        'signedUp(client, { name: "n", time: new Date(), "it\'s \\"odd\\"": [1] });\n'
    )
    compiler = ROOT / "sdk/browser/node_modules/typescript/bin/tsc"
    node = shutil.which("node")
    if node is None or not compiler.exists():
        pytest.skip("the TypeScript compiler of sdk/browser is not installed")
    done = subprocess.run(
        [node, str(compiler), "--strict", "--noEmit", "--target", "es2022", "--module", "preserve", "user.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_names_that_become_one_are_refused() -> None:
    twins = parse_plan({"events": {"order done": {}, "order-done": {}}})
    for generate in (python_client, typescript_client):
        with pytest.raises(DefinitionError, match="both become"):
            generate(twins)
