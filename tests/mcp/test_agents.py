"""Agents through the official client: in memory, on standard input and output, and over HTTP behind a key."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.server.installation import Installation, installed, running
from tests.workflow import made
from tests.workflow.business import explored
from tests.workflow.visits import visits

from mcp import Client, StdioServerParameters
from paribus.app.feature import workshop
from paribus.app.folder import open_folder
from paribus.flags import change
from paribus.mcp import policy
from paribus.mcp.desk import Desk
from paribus.mcp.policy import Policy
from paribus.mcp.running import here
from paribus.mcp.server import build
from paribus.settings import Settings
from paribus.workflow.artifact import Outcome
from paribus.workflow.step import BY_SLUG, STEPS

REQUIREMENT = "one-click checkout for returning mobile users"
KEY = "one-click"
MODEL = "model: {url: 'http://evil.example/v1'}"
OTHERS = {"show", "approve", "reject", "redo", "export", "scorecard", "simulate", "explain", "verify", "config_check"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@asynccontextmanager
async def agent(settings: Settings) -> AsyncIterator[Any]:
    async with Client(build(Desk(settings, here(settings)), lambda context: "agent:test")) as client:
        yield client


async def ask(client: Any, tool: str, *, fails: bool = False, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error is fails, answer.content
    found: dict[str, Any] = answer.structured_content
    assert json.loads(answer.content[0].text) == found
    return found


def save(settings: Settings, slug: str, **more: Any) -> None:
    """An artifact made by hand."""
    made.save(settings, KEY, slug, **more)


async def test_tools_come_from_the_steps_and_say_what_they_do(settings: Settings) -> None:
    async with agent(settings) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for step in STEPS:
        assert step.question in tools[step.slug].description
        assert step.role in tools[step.slug].description
        assert tools[step.slug].input_schema["required"] == ["feature"]
    others = {
        "show",
        "approve",
        "reject",
        "redo",
        "export",
        "scorecard",
        "simulate",
        "explain",
        "verify",
        "config_check",
    }
    assert others < set(tools)
    assert tools["show"].annotations.read_only_hint
    assert tools["rollout"].annotations.destructive_hint
    for tool in tools.values():
        assert tool.description
        assert all("description" in each or "default" in each for each in tool.input_schema["properties"].values()), (
            tool
        )


async def test_an_agent_comments_and_reads_what_was_learned(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        save(settings, "explore")
        await ask(client, "comment", feature=KEY, step="explore", text="a day is missing")
        said = await ask(client, "comment", feature=KEY, step="explore")
        assert [(each["author"], each["text"]) for each in said["comments"]] == [("agent:test", "a day is missing")]
        learned = await ask(client, "learnings", query="checkout")
        assert learned["learnings"] == []
        assert learned["rate"]["decided"] == 0
        refused = await ask(client, "follow", feature=KEY, fails=True)
        assert "optimize" in refused["error"]["what"]


async def test_the_prompt_carries_the_requirement_and_the_limits(settings: Settings) -> None:
    async with agent(settings) as client:
        assert {each.name for each in (await client.list_prompts()).prompts} == {
            "data_driven_feature",
            "data-engineering-data-driven-feature",
            "data-engineering",
        }
        prompt = await client.get_prompt("data_driven_feature", {"requirements": REQUIREMENT})
        text = prompt.messages[0].content.text
        assert REQUIREMENT in text
        assert "widen traffic up to 10%" in text
        for step in STEPS:
            assert f"`{step.slug}` ({step.role})" in text
        shown = await client.read_resource("paribus://policy")
        assert json.loads(shown.contents[0].text)["max_traffic_bp"] == 1000
        assert len(json.loads((await client.read_resource("paribus://roles")).contents[0].text)) == 9


async def test_a_data_engineering_request_is_answered_with_a_checked_plan(settings: Settings) -> None:
    request = "Create a scalable ETL pipeline that handles late-arriving and out-of-order data"
    async with agent(settings) as client:
        prompt = await client.get_prompt("data-engineering", {"request": request})
        text = prompt.messages[0].content.text
        assert request in text
        assert "The checker accepts this plan." in text
        plan = await ask(client, "data_engineering", request=request)
        assert (plan["kind"], plan["objections"]) == ("late", [])
        refused = await ask(client, "data_engineering", request="paint the office", fails=True)
        assert "nothing that is known" in refused["error"]["what"]
        shown = json.loads((await client.read_resource("paribus://integrations")).contents[0].text)
        assert {each["last_check"]["result"] for each in shown} <= {"passed", "partly", "failed", "never"}


async def test_an_agent_writes_a_feature_down_runs_a_step_and_reads_it(settings: Settings, tmp_path: Path) -> None:
    policy.sign(open_folder(settings, create=True), Policy(sources=("lake", str(tmp_path))), author="ann")
    source = str(visits(tmp_path / "events.csv"))
    async with agent(settings) as client:
        found = await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY, source=source)
        assert found["next"] == [{"tool": "explore", "arguments": {"feature": KEY}, "alone": True}]
        heard: list[float] = []

        async def hear(done: float, total: float | None, message: str | None) -> None:
            heard.append(done)

        answer = await client.call_tool("explore", {"feature": KEY}, progress_callback=hear)
        found = answer.structured_content
        assert (found["state"], found["run"]["stopped"]) == ("done", "until")
        assert found["summary"]
        assert all(name.startswith("explore/") for name in found["evidence"])
        assert found["next"][0]["tool"] == "hypothesize"
        assert len(answer.content[0].text) < 20_000
        assert heard
        part = await ask(client, "show", feature=KEY, step="explore", part="window.start")
        assert part["facts"] == {"window.start": "2026-10-01"}
        assert (await ask(client, "features"))["features"][0]["done"] == "1 of 16"
    with workshop(settings) as shop:
        assert any("agent:test" in each.author for each in shop.dossier.history(KEY))


@pytest.mark.parametrize(
    ("tool", "arguments", "what", "field"),
    [
        ("new_feature", {"requirement": "fix it"}, "does not say", "rule"),
        ("new_feature", {"requirement": REQUIREMENT, "config": "monitorin: 1"}, "monitorin", "where"),
        ("new_feature", {"requirement": REQUIREMENT, "key": "../x"}, "cannot be a feature's key", "rule"),
        ("new_feature", {"requirement": REQUIREMENT, "source": "/etc/passwd"}, "may be read from here", "rule"),
        ("new_feature", {"requirement": REQUIREMENT, "source": "postgresql://x/y"}, "may be read from here", "rule"),
        ("new_feature", {"requirement": REQUIREMENT, "config": MODEL}, "may not name a language model", "rule"),
        ("show", {"feature": "one-clik"}, "one-clik", "fix"),
        ("show", {"feature": KEY, "step": "desing"}, "desing", "fix"),
        ("show", {"feature": KEY, "step": "design"}, "no artifact yet", "fix"),
        ("config_check", {"text": "experiment_config: {confidence_level: 95}"}, "95", "where"),
        ("redo", {"feature": KEY, "step": "design", "why": "x"}, "no artifact yet", "fix"),
        ("approve", {"feature": KEY, "step": "design"}, "may not approve design", "rule"),
        ("explain", {"feature": KEY, "unit": "u1"}, "no flag yet", "fix"),
        ("verify", {"feature": KEY}, "no artifact yet", "fix"),
        ("ramp", {"feature": KEY, "percent": 5, "why": "more"}, "no flag yet", "fix"),
    ],
)
async def test_an_error_says_what_where_rule_and_fix(
    settings: Settings, tool: str, arguments: dict[str, Any], what: str, field: str
) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        error = (await ask(client, tool, fails=True, **arguments))["error"]
    assert what in error["what"]
    assert error[field]


async def test_what_cannot_be_called_is_told(settings: Settings) -> None:
    async with agent(settings) as client:
        answer = await client.call_tool("redo", {"feature": KEY})
        assert answer.is_error
        assert "step" in answer.content[0].text


async def test_approval_is_a_persons_unless_the_policy_says_so(settings: Settings) -> None:
    config = "approvals: {required: [explore]}"
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY, config=config)
        save(settings, "explore")
        shown = await ask(client, "show", feature=KEY)
        approve = next(each for each in shown["next"] if each["tool"] == "approve")
        assert not approve["alone"]
        assert approve["rule"].startswith("approve")
        refused = await ask(client, "approve", fails=True, feature=KEY, step="explore")
        assert refused["error"]["fix"] == f"a person can: paribus feature approve {KEY} explore"
        policy.sign(settings.data, Policy(approve=("explore",)), author="ann")
        assert next(each for each in (await ask(client, "show", feature=KEY))["next"] if each["tool"] == "approve")[
            "alone"
        ]
        approved = await ask(client, "approve", feature=KEY, step="explore", why="sound")
        assert (approved["state"], approved["approved_by"]) == ("done", ["agent:test"])


async def test_a_changed_policy_lets_an_agent_do_nothing_but_read_and_kill(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        policy.sign(settings.data, Policy(), author="ann")
        path = settings.data / policy.POLICY
        path.write_text(path.read_text().replace('"max_traffic_bp": 1000', '"max_traffic_bp": 10000'))
        for tool, arguments in (
            ("explore", {"feature": KEY}),
            ("approve", {"feature": KEY, "step": "design"}),
            ("redo", {"feature": KEY, "step": "design", "why": "x"}),
        ):
            error = (await ask(client, tool, fails=True, **arguments))["error"]
            assert "not the one that was signed" in error["what"]
        assert not (await ask(client, "show", feature=KEY))["next"][0]["alone"]
        flag(settings, 500)
        assert (await ask(client, "kill", feature=KEY, why="errors"))["revision"] == 2


def flag(settings: Settings, traffic_bp: int) -> None:
    with workshop(settings) as shop:
        body = change.create(KEY, environment="production", traffic_bp=traffic_bp)
        shop.operations.write("flag", KEY, body, author="test", reason="set up")


def planned(settings: Settings, *, guardrail_units: int = 1000) -> None:
    """Everything up to set-up, made by hand: a sealed plan of 14 days at 500 units per day."""
    number = {"value": 1.0, "evidence": "e1"}
    design = {
        "experiment": KEY,
        "flag": KEY,
        "document": {},
        "plan_hash": "0" * 64,
        "evidence": "e1",
        "units_per_arm": number,
        "runtime_days": {"value": 14, "evidence": "e1"},
        "minimum_detectable_effect": number,
        "chosen_method": "anytime",
        "why": "it is read often",
        "methods": [],
        "interference": "none",
        "entry_event": "checkout_started",
        "arrivals_per_day": {"value": 500, "evidence": "e1"},
        "metrics": [
            {"name": "orders", "role": "success", "units": 9000, "evidence": "e1"},
            {"name": "errors", "role": "guardrail", "units": guardrail_units, "evidence": "e1"},
        ],
    }
    for step in STEPS[:11]:
        save(settings, step.slug, facts=design if step.slug == "design" else {})


FREE = "approvals: {required: []}"


async def test_traffic_goes_as_wide_as_the_policy_lets_it(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY, config=FREE)
        flag(settings, 0)
        early = await ask(client, "ramp", fails=True, feature=KEY, percent=5, why="begin")
        assert "validation" in early["error"]["rule"]
        planned(settings)
        moved = await ask(client, "ramp", feature=KEY, percent=10, why="begin")
        assert (moved["from_percent"], moved["to_percent"]) == (0, 10)
        wider = await ask(client, "ramp", fails=True, feature=KEY, percent=10.01, why="more")
        assert wider["error"]["rule"].startswith("max_traffic_bp: 1000")
        refused = await ask(client, "rollout", fails=True, feature=KEY)
        assert refused["error"]["rule"].startswith("max_traffic_bp")
        rollout = (await ask(client, "show", feature=KEY))["next"][0]
        assert (rollout["tool"], rollout["alone"]) == ("rollout", False)
        redo = await ask(client, "redo", fails=True, feature=KEY, step="design", why="another margin")
        assert redo["error"]["rule"].startswith("reversible_only")
        said = await ask(client, "explain", feature=KEY, unit="u1", attributes={"country": "NO"})
        assert said["feature"] == KEY
        assert (await ask(client, "ramp", feature=KEY, percent=0, why="enough"))["to_percent"] == 0


async def test_traffic_needs_guardrails_with_power(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY, config=FREE)
        flag(settings, 0)
        planned(settings, guardrail_units=7001)  # 14 days of 500 are 7,000
        refused = await ask(client, "ramp", fails=True, feature=KEY, percent=5, why="begin")
        assert refused["error"]["rule"] == "powered_guardrails: true"
        assert "errors" in refused["error"]["what"]


async def test_a_failed_check_is_shown_and_blocks(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        save(settings, "explore", checks=(Outcome(name="Holes", status="failed", message="two days are missing"),))
        found = await ask(client, "explore", feature=KEY)
        assert found["state"] == "blocked"
        assert found["checks"][0]["message"] == "two days are missing"
        assert [each["tool"] for each in found["next"]] == ["redo"]


async def test_an_artifact_is_read_whole_by_parts(settings: Settings) -> None:
    async with agent(settings) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        facts = explored().model_dump(mode="json")
        save(settings, "explore")
        shown = await ask(client, "show", feature=KEY, step="explore")
        assert set(shown["facts"]) == set(facts)
        for part in facts:
            whole = await ask(client, "show", feature=KEY, step="explore", part=part)
            assert whole["facts"] == {part: facts[part]}
        lost = await ask(client, "show", fails=True, feature=KEY, step="explore", part="funels")
        assert lost["error"]["fix"] == "did you mean 'funnels'?"


async def test_sizes_are_simulated_and_configurations_checked(settings: Settings) -> None:
    async with agent(settings) as client:
        sizes = await ask(client, "simulate", baseline=0.2, mde=0.25, prior=[0.0, 0.1], compare=True)
        per_arm = {row["key"]: row["per_arm"] for row in sizes["other_sizes"]["sizes"]}
        assert (per_arm["pooled"], per_arm["evan_miller"]) == (1094, 1031)  # R and his calculator
        assert sizes["assurance"]["limit"] == 0.5
        values = (await ask(client, "config_check", text="feature_flags: {provider: split}"))["values"]
        assert any(each["effect"] == "waits" and each["path"] == "feature_flags.provider" for each in values)


async def test_standard_input_and_output(settings: Settings) -> None:
    command = [sys.executable, "-m", "paribus.cli", "mcp", "--name", "desk", "--data", str(settings.data)]
    async with Client(StdioServerParameters(command=command[0], args=command[1:])) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key=KEY)
        assert (await ask(client, "show", feature=KEY))["steps"]["explore"] == "open"
    with workshop(settings) as shop:
        assert shop.dossier.history(KEY)[0].author == "agent:desk"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("data")) as installation:
        yield installation


@pytest.fixture(scope="module")
def url(live: Installation) -> Iterator[str]:
    with running(live) as address:
        yield address + "/mcp"


@asynccontextmanager
async def over_http(url: str, secret: str) -> AsyncIterator[Any]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}, timeout=120) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@pytest.mark.parametrize("scope", ["agent", "admin"])
async def test_over_http_with_a_key(live: Installation, url: str, scope: str) -> None:
    async with over_http(url, live.secret(scope)) as client:
        assert set(BY_SLUG) < {tool.name for tool in (await client.list_tools()).tools}
        await ask(client, "new_feature", requirement=REQUIREMENT, key=f"by-{scope}")
    with workshop(live.settings) as shop:
        assert shop.dossier.history(f"by-{scope}")[0].author.startswith("agent:key_")


async def test_over_http_a_run_goes_on_in_a_process_of_its_own(live: Installation, url: str, tmp_path: Path) -> None:
    sources = live.settings.data / "sources"
    sources.mkdir()
    source = str(visits(sources / "events.csv"))
    async with over_http(url, live.secret("agent")) as client:
        await ask(client, "new_feature", requirement=REQUIREMENT, key="ran", source=source)
        found = await ask(client, "explore", feature="ran")
        assert (found["state"], found["run"]["stopped"]) == ("done", "until")
        lost = await ask(
            client, "new_feature", requirement=REQUIREMENT, key="lost", source=str(sources / "nowhere.csv")
        )
        assert lost["next"]
        error = (await ask(client, "explore", fails=True, feature="lost"))["error"]
        assert error["what"]
        assert error["code"] != "error"


@pytest.mark.parametrize("scope", ["server", "client", "intake"])
def test_over_http_other_keys_are_refused(live: Installation, url: str, scope: str) -> None:
    answer = httpx.post(url, headers={"Authorization": f"Bearer {live.secret(scope)}"}, json={})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "agent" in answer.json()["rule"]


def test_over_http_without_a_key_nobody_enters(url: str) -> None:
    answer = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_over_http_other_hosts_and_origins_are_refused(live: Installation, url: str, header: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {live.secret('agent')}", "Accept": "application/json, text/event-stream"}
    answer = httpx.post(url, headers=headers | header, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answer.status_code in {403, 421}
