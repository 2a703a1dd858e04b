"""The sixteen steps as one list: commands, HTTP tags, MCP tools, pages and documentation derive from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from paribus.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from paribus.workflow.artifact import Artifact
    from paribus.workflow.block import Block
    from paribus.workflow.context import Context

DATA_SCIENTIST = "machine-learning-ops::data-scientist"
BUSINESS_ANALYST = "business-analytics::business-analyst"
DATA_ARCHITECT = "data-engineering::backend-architect"
DATA_ENGINEER = "data-engineering::data-engineer"
BACKEND_ARCHITECT = "backend-development::backend-architect"
FRONTEND_DEVELOPER = "frontend-mobile-development::frontend-developer"
ML_ENGINEER = "machine-learning-ops::ml-engineer"
DEPLOYMENT_ENGINEER = "cloud-infrastructure::deployment-engineer"
OBSERVABILITY_ENGINEER = "observability-monitoring::observability-engineer"

PHASES = (
    "analysis and hypothesis",
    "architecture and instrumentation",
    "implementation",
    "pre-launch",
    "launch",
    "analysis and decision",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the workflow.

    Attributes:
        number: 1 to 16.
        slug: names the module, the API tag and the MCP tool.
        title: what it is called for people.
        phase: 1 to 6; `PHASES` names them.
        role: the full id of the specialist who plays it.
        question: what its artifact answers.
        needs: slugs of the artifacts it reads; a changed one makes this step's artifact stale.
        artifact: what it leaves behind.
    """

    number: int
    slug: str
    title: str
    phase: int
    role: str
    question: str
    needs: tuple[str, ...]
    artifact: str

    def run(self, context: Context) -> Artifact:
        """The artifact, made from the context alone."""
        made: Artifact = import_module(f"paribus.workflow.steps.{self.slug}").run(context)
        return made

    def present(self, artifact: Artifact) -> list[Block]:
        """The artifact as a reader sees it: pictures, tables, prose."""
        present: Callable[[Artifact], list[Block]] = import_module(f"paribus.workflow.steps.{self.slug}").present
        return present(artifact)


STEPS = (
    Step(
        1,
        "explore",
        "Explore",
        1,
        DATA_SCIENTIST,
        "How do people use the product now, and where are most of them lost?",
        (),
        "exploration report",
    ),
    Step(
        2,
        "hypothesize",
        "Hypothesize",
        1,
        BUSINESS_ANALYST,
        "What do we believe will change, for whom, and what would it be worth?",
        ("explore",),
        "ranked hypotheses",
    ),
    Step(
        3,
        "design",
        "Design",
        1,
        DATA_SCIENTIST,
        "Which experiment answers it, how many units and days does it take, and how often does it err?",
        ("explore", "hypothesize"),
        "sealed plan",
    ),
    Step(
        4,
        "architect",
        "Architect",
        2,
        DATA_ARCHITECT,
        "Where is the decision made, how is it switched off, and how does traffic widen?",
        ("explore", "hypothesize", "design"),
        "flag schema and rollout plan",
    ),
    Step(
        5,
        "instrument",
        "Instrument",
        2,
        DATA_ENGINEER,
        "Which events measure it, and who sends them?",
        ("explore", "design", "architect"),
        "tracking plan",
    ),
    Step(
        6,
        "pipeline",
        "Pipeline",
        2,
        DATA_ENGINEER,
        "How do events become the tables that people query, under which contracts?",
        ("explore", "design", "instrument"),
        "pipeline plan",
    ),
    Step(
        7,
        "backend",
        "Backend",
        3,
        BACKEND_ARCHITECT,
        "Does the service decide, expose, measure and fall back?",
        ("design", "architect", "instrument"),
        "backend code",
    ),
    Step(
        8,
        "frontend",
        "Frontend",
        3,
        FRONTEND_DEVELOPER,
        "Does the page show both variants and track every interaction?",
        ("design", "architect", "instrument", "backend"),
        "frontend code",
    ),
    Step(
        9,
        "model",
        "Model",
        3,
        ML_ENGINEER,
        "If a model decides, is it served fast, compared safely and watched for drift?",
        ("hypothesize", "design", "architect", "pipeline"),
        "model variants",
    ),
    Step(
        10,
        "validate",
        "Validate",
        4,
        DATA_ENGINEER,
        "Does every event that happens arrive, once, with everything it should carry?",
        ("design", "architect", "instrument", "pipeline", "backend", "frontend", "model"),
        "validation report",
    ),
    Step(
        11,
        "setup",
        "Set up",
        4,
        DEPLOYMENT_ENGINEER,
        "Is the experiment configured as sealed, and is the switch that stops it known to work?",
        ("design", "architect", "instrument", "validate"),
        "experiment configuration",
    ),
    Step(
        12,
        "rollout",
        "Roll out",
        5,
        DEPLOYMENT_ENGINEER,
        "Who got it when, on which evidence, and what stopped it?",
        ("design", "architect", "setup"),
        "rollout record",
    ),
    Step(
        13,
        "monitor",
        "Monitor",
        5,
        OBSERVABILITY_ENGINEER,
        "Is it healthy now, and who is told when it is not?",
        ("design", "setup", "rollout"),
        "monitoring report",
    ),
    Step(
        14,
        "analyze",
        "Analyze",
        6,
        DATA_SCIENTIST,
        "What did it do, how sure are we, and what does the sealed rule say?",
        ("hypothesize", "design", "setup", "rollout", "monitor"),
        "statistical report",
    ),
    Step(
        15,
        "impact",
        "Assess impact",
        6,
        BUSINESS_ANALYST,
        "What is it worth, against what we expected, and what should we do?",
        ("explore", "hypothesize", "design", "analyze"),
        "business impact report",
    ),
    Step(
        16,
        "optimize",
        "Optimize",
        6,
        DATA_SCIENTIST,
        "For whom did it work, where does it still hurt, and what comes next?",
        ("explore", "hypothesize", "design", "analyze", "impact"),
        "follow-up experiments",
    ),
)
BY_SLUG = {step.slug: step for step in STEPS}


def named(slug: str) -> Step:
    """The step with this slug.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if slug not in BY_SLUG:
        raise InputError(f"there is no step {slug!r}", where="--step", fix=did_you_mean(slug, BY_SLUG))
    return BY_SLUG[slug]


def downstream(slugs: Iterable[str]) -> tuple[Step, ...]:
    """Every step that depends on one of these, directly or not, in order."""
    reached = set(slugs)
    found = []
    for step in STEPS:
        if reached & set(step.needs):
            reached.add(step.slug)
            found.append(step)
    return tuple(found)
