"""Features over HTTP: the sixteen steps, their artifacts, approvals, and runs in a process of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from paribus.app.admission import KEY, is_database, refuse_far
from paribus.app.feature import workshop
from paribus.app.feature_run import Runs
from paribus.server.caller import Key, LiveHere, Reader, Writer, author_of, problems
from paribus.workflow.step import PHASES, STEPS, Step

if TYPE_CHECKING:
    from paribus.app.feature import Workshop
    from paribus.server.live import Live

T = TypeVar("T")
router = APIRouter(prefix="/features", tags=["features"])
steps = APIRouter(prefix="/steps", tags=["features"])
artifacts = APIRouter(prefix="/features")
SLUGS = tuple(step.slug for step in STEPS)
Slug = Literal[SLUGS]  # type: ignore[valid-type]  # one list says which steps there are
Form = Literal["json", "markdown", "html"]
_SAFE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


class NewFeature(BaseModel):
    """What is to be built, and with what."""

    model_config = ConfigDict(extra="forbid")

    requirement: str = Field(min_length=1, max_length=2_000)
    config: str = Field(default="", max_length=100_000, description="Text of a paribus.yaml.")
    source: str = Field(default="lake", min_length=1, max_length=2_000)
    key: str | None = Field(default=None, pattern=KEY)
    environment: str = Field(default="production", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    previous: str = Field(default="", max_length=200)


class NewRun(BaseModel):
    """How far."""

    model_config = ConfigDict(extra="forbid")

    until: Slug | None = Field(default=None, description="The last step to make; as far as possible without it.")


class Decision(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(default="", max_length=500)


class Approval(Decision):
    """Why, and in which role where the configuration asks for roles."""

    role: str = Field(default="", max_length=60)


class Rejection(BaseModel):
    """Why not; whoever makes the step again has to know what to change."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=500, pattern=r"\S")


class StepShown(BaseModel):
    """Where a step stands."""

    number: int
    step: str
    title: str
    phase: int
    role: str
    artifact: str
    state: str
    reason: str
    hash: str
    revision: int
    approved_by: list[str]
    approved_as: dict[str, str] = Field(default_factory=dict, description="Who agreed, by role.")
    assignee: str = ""
    comments: int = 0


class FeatureShown(BaseModel):
    """A feature with its sixteen steps."""

    key: str
    requirement: str
    source: str
    environment: str
    previous: str
    simulated: bool
    steps: list[StepShown]
    next: list[str]


class FeatureList(BaseModel):
    """All features, by key."""

    items: list[FeatureShown]


class StepDescribed(BaseModel):
    """A step, as the list of steps has it."""

    number: int
    slug: str
    title: str
    phase: str
    role: str
    question: str
    needs: list[str]
    artifact: str


class RunShown(BaseModel):
    """A run that was started here."""

    running: bool
    pid: int
    answer: dict[str, Any] = Field(default_factory=dict, description="How it ended: kind, step, message, or error.")
    status_url: str = ""


class Stale(BaseModel):
    """What a redo makes stale."""

    feature: str
    step: str
    stale: list[str]


def runs_of(request: Request) -> Runs:
    """The runs of this server's folder."""
    return cast(Runs, request.app.state.runs)


RunsHere = Annotated[Runs, Depends(runs_of)]


@steps.get("", responses=problems())
def list_steps(caller: Reader) -> list[StepDescribed]:
    """The sixteen steps, with role, question and needs."""
    return [
        StepDescribed(
            number=step.number,
            slug=step.slug,
            title=step.title,
            phase=PHASES[step.phase - 1],
            role=step.role,
            question=step.question,
            needs=list(step.needs),
            artifact=step.artifact,
        )
        for step in STEPS
    ]


@router.get("", responses=problems())
async def list_features(live: LiveHere, caller: Reader) -> FeatureList:
    """Every feature and how far it is."""
    found = await in_shop(live, lambda shop: shop.features())
    return FeatureList(items=[FeatureShown(**each) for each in found])


@router.post("", status_code=201, responses=problems(404, 409))
async def create_feature(wanted: NewFeature, live: LiveHere, caller: Writer) -> FeatureShown:
    """Writes a feature down; nothing runs yet."""
    from paribus.workflow.config import parse

    config = parse(wanted.config)
    if not is_database(wanted.source):
        refuse_far(wanted.source, live.settings.data)
    made = await in_shop(
        live,
        lambda shop: shop.new(
            wanted.requirement,
            config=config,
            source=wanted.source,
            key=wanted.key,
            environment=wanted.environment,
            previous=wanted.previous,
            author=author_of(caller),
        ),
    )
    return FeatureShown(**made)


@router.get("/{key}", responses=problems(404))
async def read_feature(key: Key, live: LiveHere, caller: Reader) -> FeatureShown:
    """A feature with the state of each step, and what can be done next."""
    return FeatureShown(**await in_shop(live, lambda shop: shop.show(key)))


@router.post("/{key}/run", status_code=202, responses=problems(404))
async def run_feature(
    key: Key, wanted: NewRun, live: LiveHere, runs: RunsHere, caller: Writer, response: Response
) -> RunShown:
    """Starts a run in a process of its own; ask the status URL how it goes."""
    await in_shop(live, lambda shop: shop.show(key))
    state = await asyncio.to_thread(runs.start, key, until=wanted.until, author=author_of(caller))
    url = f"/api/v1/features/{key}/run"
    response.headers["location"] = url
    return RunShown(**state.plain(), status_url=url)


@router.get("/{key}/run", responses=problems(404))
async def read_run(key: Key, live: LiveHere, runs: RunsHere, caller: Reader) -> RunShown:
    """How the last run that a door started stands."""
    await in_shop(live, lambda shop: shop.show(key))
    state = await asyncio.to_thread(runs.state, key)
    url = f"/api/v1/features/{key}/run"
    return RunShown(**(state.plain() if state else {"running": False, "pid": 0}), status_url=url)


@router.get("/{key}/scorecard", responses=problems(404))
async def read_scorecard(key: Key, live: LiveHere, caller: Reader) -> dict[str, Any]:
    """The seven success criteria, computed from the artifacts."""
    return await in_shop(live, lambda shop: shop.scorecard(key))


@router.get("/{key}/dossier", response_class=HTMLResponse, responses=problems(404))
async def read_dossier(key: Key, live: LiveHere, caller: Reader) -> HTMLResponse:
    """The whole dossier as one self-contained page."""
    return HTMLResponse(await in_shop(live, lambda shop: shop.page(key)), headers={"content-security-policy": _SAFE})


@router.post("/{key}/steps/{step}/approve", responses=problems(404, 409))
async def approve_step(key: Key, step: Slug, decision: Approval, live: LiveHere, caller: Writer) -> StepShown:
    """Agrees to a step's artifact; the next step may begin."""
    author, why, role = author_of(caller), decision.why, decision.role
    return StepShown(**await in_shop(live, lambda shop: shop.approve(key, step, author=author, why=why, role=role)))


@router.post("/{key}/steps/{step}/reject", responses=problems(404, 409))
async def reject_step(key: Key, step: Slug, decision: Rejection, live: LiveHere, caller: Writer) -> StepShown:
    """Refuses a step's artifact, with the reason for whoever makes it again."""
    author = author_of(caller)
    return StepShown(**await in_shop(live, lambda shop: shop.reject(key, step, author=author, why=decision.why)))


@router.post("/{key}/steps/{step}/redo", responses=problems(404, 409))
async def redo_step(key: Key, step: Slug, decision: Decision, live: LiveHere, caller: Writer) -> Stale:
    """Makes a step again at the next run; says which others are stale now."""
    author = author_of(caller)
    stale = await in_shop(live, lambda shop: shop.redo(key, step, author=author, why=decision.why))
    return Stale(feature=key, step=step, stale=list(stale))


def _artifact_route(step: Step) -> None:
    """The artifact of each step stands under the step's own tag, from the one list of steps."""

    async def read(
        key: Key, live: LiveHere, caller: Reader, form: Annotated[Form, Query(alias="format")] = "json"
    ) -> Response:
        return await in_shop(live, lambda shop: _drawn(shop, key, step, form))

    shown: dict[int | str, dict[str, Any]] = {
        200: {
            "description": f"The {step.artifact}.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/markdown": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
            },
        }
    }
    artifacts.add_api_route(
        f"/{{key}}/steps/{step.slug}",
        read,
        methods=["GET"],
        tags=[step.slug],
        name=f"read_{step.slug}",
        summary=f"The {step.artifact}.",
        description=step.question,
        response_class=Response,
        responses={**problems(404), **shown},
    )


for _step in STEPS:
    _artifact_route(_step)


def _drawn(shop: Workshop, key: str, step: Step, form: Form) -> Response:
    artifact = shop.dossier.artifact(key, step.slug)
    if form == "json":
        return JSONResponse(artifact.body())
    if form == "markdown":
        from paribus.workflow.export import step_text

        return PlainTextResponse(step_text(artifact), media_type="text/markdown")
    from paribus.workflow import page
    from paribus.workflow.scorecard import scorecard

    feature, _ = shop.dossier.feature(key)
    states = [state for state in shop.dossier.states(key) if state.step is step]
    blocks = {step.slug: () if artifact.not_applicable else step.present(artifact)}
    text = page.render(feature, states, {step.slug: artifact}, blocks, scorecard(shop.dossier.artifacts(key)))
    return HTMLResponse(text, headers={"content-security-policy": _SAFE})


async def in_shop(live: Live, ask: Callable[[Workshop], T]) -> T:
    """What the workshop answers, in a thread: it reads the store, and may draw."""

    def answer() -> T:
        with workshop(live.settings, create=False) as shop:
            return ask(shop)

    return await asyncio.to_thread(answer)
