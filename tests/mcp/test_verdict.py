"""An agent drives a feature to its verdict, by the official client, on the simulated shop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp import Client
from paribus.app.demo import config_of
from paribus.app.feature import workshop
from paribus.app.simulated_history import ENVIRONMENT
from paribus.app.simulation import Simulation
from paribus.mcp import policy
from paribus.mcp.desk import Desk
from paribus.mcp.policy import Policy
from paribus.mcp.server import build
from paribus.shop.reading import case
from paribus.workflow.step import STEPS

pytestmark = pytest.mark.slow
SEED = 7


class Playing:
    """Runs a feature in this process; where it waits, time passes and the shop's customers come."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def __call__(self, key: str, until: str, author: str, tick: Any) -> dict[str, Any]:
        simulation = self._simulation
        with workshop(simulation.settings, endpoint=simulation.endpoint, clock=simulation.clock) as shop:
            shop.is_demo, shop.seed = True, SEED
            for _ in range(200):
                stop = shop.run(key, until=until, told=lambda slug, what, seconds: tick(), author=author)
                if stop.kind != "waiting":
                    break
                if stop.step == "validate" and stop.until is None:
                    simulation.rehearse(key)
                elif stop.until is not None:
                    simulation.play(stop.until, stop=lambda: is_killed(shop, key))
                else:
                    break
        return {"stopped": stop.kind, "step": stop.step, "message": stop.message}


def is_killed(shop: Any, key: str) -> bool:
    flag = shop.operations.find("flag", key)
    return bool(flag and flag.body["environments"].get(ENVIRONMENT, {}).get("killed"))


async def test_an_agent_takes_the_winner_to_its_verdict(tmp_path: Path) -> None:
    scenario = case("winner")
    key = scenario.feature.key
    with Simulation(tmp_path / "demo", scenario, SEED) as simulation:
        simulation.start()
        simulation.write_history()
        with workshop(simulation.settings, clock=simulation.clock) as shop:
            shop.is_demo = True
            shop.new(
                scenario.feature.requirement,
                config=config_of(scenario),
                environment=ENVIRONMENT,
                key=key,
                author="ann",
            )
        approvals = tuple(step.slug for step in STEPS)
        policy.sign(simulation.settings.data, Policy(approve=approvals, max_traffic_bp=10_000), author="ann")
        async with Client(build(Desk(simulation.settings, Playing(simulation)))) as agent:
            for _ in range(3 * len(STEPS)):
                shown = (await agent.call_tool("show", {"feature": key})).structured_content
                action = next(each for each in shown["next"] if each["alone"])
                if action["tool"] in {"scorecard", "export"}:
                    break
                done = await agent.call_tool(action["tool"], action["arguments"])
                assert not done.is_error, done.content
            wanted = {"feature": key, "step": "analyze", "part": "verdict"}
            verdict = (await agent.call_tool("show", wanted)).structured_content
            verified = (await agent.call_tool("verify", {"feature": key})).structured_content
            card = (await agent.call_tool("scorecard", {"feature": key})).structured_content
    assert verdict["facts"] == {"verdict": "ship"}
    assert verified["feature"] == key
    assert len(card["criteria"]) == 7
