"""What a step receives: the feature, its configuration, the artifacts before it, and the doors it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from paribus.clock import Clock
from paribus.errors import NotFound
from paribus.workflow.artifact import Artifact, Evidence, File, Json, Outcome, Part
from paribus.workflow.step import BY_SLUG

if TYPE_CHECKING:
    from paribus.store import Store
    from paribus.workflow.config import Config
    from paribus.workflow.operations import Operations
    from paribus.workflow.roles.agent import Agent

F = TypeVar("F", bound=Part)
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running Paribus server and a key of scope admin for it."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A product feature under development, as it was asked for.

    source      where its data are: "lake" (the data folder), files (a path or glob), or a warehouse's URL
    environment the environment of its flag; "staging" is where validation plants its events
    """

    key: str
    requirement: str
    source: str = "lake"
    environment: str = "production"
    simulated: bool = False
    previous: str = ""
    """Key of the feature whose follow-up this is."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a step may read and do; nothing else reaches it.

    artifacts   the earlier artifacts, by slug
    operations  what the installation can do: documents, flags, experiments, analysis
    endpoint    a running server; steps that need a door refuse without it
    once        `once(name, effect)`: runs an effect that must not repeat and returns what it returned the first time
                (plain JSON), also after a crash
    agent       the language model's seat; the deterministic agent without one
    """

    feature: Feature
    config: Config
    artifacts: Mapping[str, Artifact]
    operations: Operations
    folder: Path
    clock: Clock
    once: Callable[[str, Callable[[], Json]], Json]
    agent: Agent
    endpoint: Endpoint | None = None
    seed: int = 20261124
    progress: Progress = field(default=lambda share, word: None)

    @property
    def store(self) -> Store:
        """The definitions of the installation."""
        return self.operations.store

    def facts(self, slug: str, model: type[F]) -> F:
        """The typed facts of an earlier artifact.

        Raises:
            NotFound: the step was not run yet.
        """
        if slug not in self.artifacts:
            raise NotFound(
                f"the step {slug} has no artifact yet",
                where=self.feature.key,
                fix=f"paribus feature run {self.feature.key} --until {slug}",
            )
        return model.model_validate(self.artifacts[slug].facts)

    def artifact(
        self,
        slug: str,
        summary: str,
        facts: Part,
        *,
        evidence: Mapping[str, Evidence],
        assumptions: tuple[str, ...] = (),
        checks: tuple[Outcome, ...] = (),
        files: tuple[File, ...] = (),
        not_applicable: str = "",
    ) -> Artifact:
        """This step's artifact, its header filled in."""
        step = BY_SLUG[slug]
        return Artifact(
            step=slug,
            role=step.role,
            feature=self.feature.key,
            requirement=self.feature.requirement,
            summary=summary,
            assumptions=assumptions,
            facts=facts.model_dump(mode="json"),
            evidence=dict(evidence),
            checks=checks,
            files=files,
            inputs={need: self.input_hash(need) for need in step.needs if need in self.artifacts},
            settings=self.config.hash,
            not_applicable=not_applicable,
            simulated=self.feature.simulated,
        )

    def input_hash(self, slug: str) -> str:
        """Hash of an earlier artifact's body."""
        return self.artifacts[slug].hash

    def flag_key(self) -> str:
        """The key of the feature's flag and experiment: the feature's own."""
        return self.feature.key
