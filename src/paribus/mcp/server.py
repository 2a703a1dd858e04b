"""The tools and the prompt on the protocol: one tool per step, and those around them."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from paribus.errors import ParibusError
from paribus.mcp.desk import Desk
from paribus.mcp.prompt import ENGINEERING, NAMES, TITLE, engineering, told
from paribus.workflow.roles.staff import role_of
from paribus.workflow.step import PHASES, STEPS, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("paribus.mcp")
Json = dict[str, Any]
Who = Callable[[Context], str]
"""In whose name a call acts."""
INSTRUCTIONS = """\
Paribus takes a product feature through sixteen steps, from how the product is used now to a decision with evidence.
Each step is a tool of its own name and needs the artifacts of earlier ones; running a later step makes the earlier ones
that are missing. Every answer lists `next`: tools that can come next, and whether policy lets you use them alone
(`alone`). Where it does not, ask a person. Numbers carry evidence ids; never state one without. Begin with new_feature
or features, read with show, and take paribus://policy for what you may do."""
Feature = Annotated[str, Field(description="Key of the feature, from new_feature or features.")]
Slug = Annotated[str, Field(description="Slug of a step: " + ", ".join(step.slug for step in STEPS) + ".")]
Why = Annotated[str, Field(description="The reason; kept in the history for ever.", min_length=1)]
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
EVERY = 10
"""A run ticks ten times a second."""
MOVES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def build(desk: Desk, who: Who = lambda context: "agent") -> MCPServer:
    """The MCP server of one data folder.

    Args:
        desk: what can be asked and done.
        who: in whose name a call acts; the history says so.
    """
    from paribus import __version__

    with _own_logging():
        server: MCPServer = MCPServer("paribus", title="Paribus", version=__version__, instructions=INSTRUCTIONS)
    tools = _Tools(server, desk, who)
    for step in STEPS:
        tools.step(step)
    _features(tools)
    _decisions(tools)
    _questions(tools)

    for name in NAMES:
        _prompt(server, name, desk)
    _engineering(server, tools)

    @server.resource("paribus://policy", title="What an agent may do alone", mime_type="application/json")
    def policy() -> str:
        return json.dumps(desk.policy(), indent=1)

    @server.resource("paribus://roles", title="The nine roles", mime_type="application/json")
    def roles() -> str:
        from paribus.workflow.roles.staff import ROLES

        return json.dumps([role.plain() for role in ROLES], indent=1)

    @server.resource("paribus://integrations", title="What Paribus works with", mime_type="application/json")
    def integrations() -> str:
        from paribus.app.integrations import last_check, systems

        return json.dumps([{**each.plain(), "last_check": last_check(each).plain()} for each in systems()], indent=1)

    return server


@contextmanager
def _own_logging() -> Iterator[None]:
    """Keeps the process's logging as it is: the library would take it over."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _prompt(server: MCPServer, name: str, desk: Desk) -> None:
    @server.prompt(name=name, title=TITLE, description="Take a feature from requirement to decision, with data.")
    def data_driven_feature(
        requirements: Annotated[str, Field(description="What is to be built, and for whom.")],
    ) -> str:
        return told(requirements, desk.policy())


def _engineering(server: MCPServer, tools: _Tools) -> None:
    """The prompt and the tool that answer a data engineering request."""

    @server.prompt(
        name=ENGINEERING, title="Data engineering", description="Answer a data engineering request with a checked plan."
    )
    def data_engineering_prompt(
        request: Annotated[str, Field(description="What is to be designed or built.")],
    ) -> str:
        return engineering(request)

    async def data_engineering(
        request: Annotated[str, Field(description="What is to be designed or built.", min_length=1)], context: Context
    ) -> CallToolResult:
        """A plan in eight parts for a data engineering request, and what its checker objects to; nothing is written."""
        from paribus.app.engineering import engineered

        return await tools.answer(context, lambda desk: engineered(request))

    tools.add(data_engineering, "Data engineering", READS)


class _Tools:
    """Registers tools that run in a thread and answer errors in four fields."""

    def __init__(self, server: MCPServer, desk: Desk, who: Who) -> None:
        self._server = server
        self._desk = desk
        self._who = who

    def add(self, tool: Callable[..., Awaitable[Any]], title: str, kind: ToolAnnotations, about: str = "") -> None:
        self._server.add_tool(
            tool, title=title, description=about or tool.__doc__, annotations=kind, structured_output=False
        )

    def step(self, step: Step) -> None:
        """The tool that runs one step."""
        role = role_of(step)
        needs = f" Needs the artifacts of {', '.join(step.needs)}; missing ones are made first." if step.needs else ""
        about = (
            f"Step {step.number} of {len(STEPS)} ({PHASES[step.phase - 1]}), by the {role.title.lower()} ({role.id}): "
            f"{step.question} Leaves the {step.artifact}.{needs}"
        )

        async def run(feature: Feature, context: Context) -> CallToolResult:
            ticks = _Ticks(context)
            return await self.answer(context, lambda desk: desk.walk(feature, step.slug, ticks.tick))

        run.__name__ = step.slug
        self.add(run, f"{step.number} {step.title}", MOVES if step.slug == "rollout" else WRITES, about)

    async def answer(self, context: Context, ask: Callable[[Desk], Json]) -> CallToolResult:
        """What the desk answers, in a thread; its errors as what, where, rule, fix."""
        desk = self._desk.named(self._who(context))
        try:
            return _result(await anyio.to_thread.run_sync(partial(ask, desk)))
        except ParibusError as error:
            return _result({"error": error.to_dict()}, is_error=True)
        except Exception:
            log.exception("a tool failed")
            inside = ParibusError("something went wrong inside", fix="the log of this server has it")
            return _result({"error": inside.to_dict()}, is_error=True)


class _Ticks:
    """Tells the client, about once a second, that a run goes on; made in the event loop, called from any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loop = anyio.lowlevel.current_token()
        self._count = 0

    def tick(self) -> None:
        self._count += 1
        if self._count % EVERY == 1:
            with suppress(Exception):  # whether anyone listens changes nothing
                anyio.from_thread.run(self._report, token=self._loop)

    async def _report(self) -> None:
        await self._context.report_progress(self._count / EVERY, None, "running")


def _result(found: Mapping[str, Any], *, is_error: bool = False) -> CallToolResult:
    body = json.loads(json.dumps(dict(found), allow_nan=False, default=str))
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    content: list[Any] = [TextContent(type="text", text=text)]
    return CallToolResult(content=content, structured_content=body, is_error=is_error)


def _features(tools: _Tools) -> None:
    async def new_feature(
        requirement: Annotated[str, Field(description="What is to be built, and for whom, in one sentence.")],
        context: Context,
        config: Annotated[str, Field(description="Text of a paribus.yaml; the defaults without it.")] = "",
        source: Annotated[str, Field(description="lake, files, or a warehouse's URL.")] = "lake",
        key: Annotated[str, Field(description="Its key; made of the requirement without it.")] = "",
        environment: Annotated[str, Field(description="Environment of its flag.")] = "production",
    ) -> CallToolResult:
        """Write a feature down; nothing runs yet."""
        return await tools.answer(
            context,
            lambda desk: desk.new(requirement, config=config, source=source, key=key, environment=environment),
        )

    async def features(context: Context) -> CallToolResult:
        """Every feature and how far it is."""
        return await tools.answer(context, lambda desk: desk.features())

    async def show(
        feature: Feature,
        context: Context,
        step: Annotated[str, Field(description="Slug of a step, for its artifact; all states without it.")] = "",
        part: Annotated[str, Field(description="Dotted path into the facts, in full: funnels.0.steps.")] = "",
    ) -> CallToolResult:
        """How far a feature is, or one step's artifact with its evidence; lists are cut unless a part is named."""
        return await tools.answer(context, lambda desk: desk.show(feature, step, part))

    async def export(feature: Feature, context: Context) -> CallToolResult:
        """Write the whole dossier as files that read without Paribus."""
        return await tools.answer(context, lambda desk: desk.export(feature))

    async def scorecard(feature: Feature, context: Context) -> CallToolResult:
        """The seven success criteria of a feature, computed from its artifacts."""
        return await tools.answer(context, lambda desk: desk.scorecard(feature))

    async def learnings(
        context: Context,
        query: Annotated[str, Field(description="Words that all have to occur; every card without them.")] = "",
    ) -> CallToolResult:
        """What decided features have taught: learning cards, best first, and the learning rate over all of them."""
        return await tools.answer(context, lambda desk: desk.learnings(query))

    async def comment(
        feature: Feature,
        step: Slug,
        context: Context,
        text: Annotated[str, Field(description="What to say; what was said is listed without it.")] = "",
    ) -> CallToolResult:
        """Say something about a step's artifact, or list what was said; comments are never removed."""
        return await tools.answer(context, lambda desk: desk.comment(feature, step, text))

    async def follow(
        feature: Feature,
        context: Context,
        follow_up: Annotated[str, Field(description="Its id in step 16, f1; the first one without it.")] = "",
    ) -> CallToolResult:
        """Open the next feature from a follow-up of this one, linked to it; then run its steps up to design."""
        return await tools.answer(context, lambda desk: desk.follow(feature, follow_up))

    tools.add(learnings, "Learnings", READS)
    tools.add(comment, "Comment", WRITES)
    tools.add(follow, "Follow up", WRITES)
    tools.add(new_feature, "New feature", WRITES)
    tools.add(features, "Features", READS)
    tools.add(show, "Show", READS)
    tools.add(export, "Export the dossier", WRITES)
    tools.add(scorecard, "Scorecard", READS)


def _decisions(tools: _Tools) -> None:
    async def approve(
        feature: Feature, step: Slug, context: Context, why: Annotated[str, Field(description="Why.")] = ""
    ) -> CallToolResult:
        """Agree to a step's artifact, where the policy lets an agent agree alone."""
        return await tools.answer(context, lambda desk: desk.approve(feature, step, why))

    async def reject(feature: Feature, step: Slug, why: Why, context: Context) -> CallToolResult:
        """Refuse a step's artifact; the run goes on after a redo."""
        return await tools.answer(context, lambda desk: desk.reject(feature, step, why))

    async def redo(feature: Feature, step: Slug, why: Why, context: Context) -> CallToolResult:
        """Make a step again at the next run; says which others are stale now."""
        return await tools.answer(context, lambda desk: desk.redo(feature, step, why))

    async def ramp(
        feature: Feature,
        percent: Annotated[float, Field(ge=0, le=100, description="Share of all units that takes part.")],
        why: Why,
        context: Context,
    ) -> CallToolResult:
        """Widen or narrow the traffic of a feature's flag, within the policy; the split stays."""
        return await tools.answer(context, lambda desk: desk.ramp(feature, percent, why))

    async def kill(feature: Feature, why: Why, context: Context) -> CallToolResult:
        """Serve control to everyone from the next evaluation on; a person can revive it."""
        return await tools.answer(context, lambda desk: desk.kill(feature, why))

    tools.add(approve, "Approve", WRITES)
    tools.add(reject, "Reject", WRITES)
    tools.add(redo, "Redo", WRITES)
    tools.add(ramp, "Ramp", MOVES)
    tools.add(kill, "Kill", MOVES)


def _questions(tools: _Tools) -> None:
    async def simulate(
        baseline: Annotated[float, Field(description="The control's value: a proportion, or with sd a mean.")],
        mde: Annotated[float, Field(gt=0, lt=1, description="Relative effect to detect: 0.03 is 3%.")],
        context: Context,
        sd: Annotated[float | None, Field(description="Standard deviation per unit; a proportion without it.")] = None,
        daily_units: Annotated[float | None, Field(gt=0, description="New units per day, all arms.")] = None,
        method: Annotated[str, Field(description="fixed, group_sequential, anytime or bayesian.")] = "fixed",
        confidence: Annotated[float | None, Field(description="Confidence level; 0.95.")] = None,
        power: Annotated[float, Field(ge=0.5, le=0.999)] = 0.8,
        arms: Annotated[int, Field(ge=2, le=10)] = 2,
        guardrails: Annotated[int, Field(ge=0, le=10)] = 0,
        prior: Annotated[
            tuple[float, float] | None,
            Field(description="Mean and standard deviation of what is believed of the relative effect."),
        ] = None,
        compare: Annotated[bool, Field(description="Also sizes by other calculators, and why they differ.")] = False,
        seed: int = 0,
    ) -> CallToolResult:
        """Sample size, runtime and detectable effect under every method, and how often the whole rule errs."""
        numbers = {
            "baseline": baseline,
            "mde": mde,
            "sd": sd,
            "daily_units": daily_units,
            "method": method,
            "confidence": confidence,
            "power": power,
            "arms": arms,
            "guardrails": guardrails,
            "prior": prior,
            "compare": compare,
            "seed": seed,
        }
        return await tools.answer(context, lambda desk: desk.simulate(**numbers))

    async def explain(
        feature: Feature,
        unit: Annotated[str, Field(description="The unit's id.")],
        context: Context,
        attributes: Annotated[dict[str, Any] | None, Field(description="What rules read: country, device …")] = None,
    ) -> CallToolResult:
        """Why a unit gets the variant it gets, step by step; nothing is recorded."""
        return await tools.answer(context, lambda desk: desk.explain(feature, unit, attributes))

    async def verify(
        feature: Feature,
        context: Context,
        data: Annotated[bool, Field(description="Also measure the moments again from the data.")] = True,
    ) -> CallToolResult:
        """Recompute a feature's registered result from its proof: verdict from moments, moments from data."""
        return await tools.answer(context, lambda desk: desk.verify(feature, data))

    async def config_check(
        text: Annotated[str, Field(description="Text of a paribus.yaml.")], context: Context
    ) -> CallToolResult:
        """What each value of a configuration does, or what it waits for; mistakes with line and suggestion."""
        return await tools.answer(context, lambda desk: desk.config_check(text))

    tools.add(simulate, "Simulate", READS)
    tools.add(explain, "Explain", READS)
    tools.add(verify, "Verify", READS)
    tools.add(config_check, "Check a configuration", READS)


async def stdio(desk: Desk) -> None:
    """Serves one agent on standard input and output until it hangs up."""
    await build(desk, lambda context: desk.author).run_stdio_async()
