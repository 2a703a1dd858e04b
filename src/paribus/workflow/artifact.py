"""What a step leaves behind: typed facts, the evidence behind every number, checks, and generated files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from paribus.errors import DefinitionError

Json = dict[str, Any]


class Part(BaseModel):
    """A frozen piece of an artifact; steps build their facts from subclasses."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Evidence(Part):
    """Where numbers come from, so that a reader can obtain them again.

    kind         sql: a statement on data · result: a Paribus result or sizing, by hash · run: a program that ran, its
                 command and outcome · config: a value somebody chose · simulation: seed and model · source: published
    statement    the SQL, command, formula or citation, whole
    data         what it ran on: lake version, file, hash, watermark
    """

    kind: Literal["sql", "result", "run", "config", "simulation", "source"]
    title: str
    statement: str = ""
    data: str = ""


class Measured(Part):
    """A number with its interval and the evidence it came from; `low` and `high` are an interval at `level`."""

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    unit: str = ""
    """Unit of the value: "users", "USD/year", "share", "days"; "" for a pure number."""
    evidence: str
    """An id in this artifact's `evidence`, or step/id of an earlier one."""


class Outcome(Part):
    """One check that a step made. A failed blocking check stops the workflow at this step's gate."""

    name: str
    status: Literal["passed", "warned", "failed", "not_applicable"]
    message: str
    blocking: bool = True
    evidence: str = ""


class File(Part):
    """A generated file: written to `<dossier>/<slug>/<path>` on export."""

    path: str
    text: str


class Artifact(Part):
    """A step's artifact: the same inputs give the same body, byte for byte, so its hash says whether it changed.

    summary      the first paragraph: what a manager needs, in plain words
    assumptions  what has to be true for it to hold, each one sentence
    facts        the step's own typed document (a `Part`, dumped); every number in it stands in or below an object with
                 an `evidence` id
    inputs       body hash of each artifact it read, by slug
    not_applicable  why the step does not apply to this feature; facts are then empty
    simulated    whether the data behind it are simulated; every rendering says so
    """

    format: Literal[1] = 1
    step: str
    role: str
    role_version: int = 1
    feature: str
    requirement: str
    summary: str = Field(min_length=1)
    assumptions: tuple[str, ...] = ()
    facts: Json = {}
    evidence: dict[str, Evidence] = {}
    checks: tuple[Outcome, ...] = ()
    files: tuple[File, ...] = ()
    inputs: dict[str, str] = {}
    settings: str = ""
    """Hash of the configuration it was made under."""
    not_applicable: str = ""
    simulated: bool = False

    @property
    def blocked(self) -> tuple[Outcome, ...]:
        """The blocking checks that failed."""
        return tuple(check for check in self.checks if check.blocking and check.status == "failed")

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the body's canonical text, as the store keeps it."""
        from paribus.store.canonical import canonical_text, text_hash

        return text_hash(canonical_text(self.body(), f"{self.feature}/{self.step}"))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Artifact:
        """A copy, changed or not; its hash is its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("hash", None)
        return copied

    def body(self) -> Json:
        """Plain JSON values, as stored."""
        return self.model_dump(mode="json")


def of_body(body: Mapping[str, Any], hash: str = "") -> Artifact:
    """The artifact that a stored body holds; its hash as it was stored, where it is known."""
    artifact = Artifact.model_validate(body)
    if hash:
        artifact.__dict__["hash"] = hash
    return artifact


def refuse_unsupported(artifact: Artifact, known: Mapping[str, Artifact]) -> None:
    """Makes sure that every number of the facts resolves to evidence, here or in an earlier artifact (`known`).

    Raises:
        DefinitionError: a number stands under no evidence id, or an id leads nowhere.
    """
    for path, number, evidence in numbers(artifact.facts):
        if evidence is None:
            raise DefinitionError(
                f"{path} = {number!r} has no evidence",
                where=f"{artifact.feature}/{artifact.step}",
                rule="every number of an artifact stands in or below an object with an evidence id",
            )
    for reference in references(artifact):
        if resolve(reference, artifact, known) is None:
            raise DefinitionError(
                f"the evidence {reference!r} is not there", where=f"{artifact.feature}/{artifact.step}"
            )


def resolve(reference: str, artifact: Artifact, known: Mapping[str, Artifact]) -> Evidence | None:
    """The evidence behind an id of this artifact ("e1") or of an earlier one ("explore/e1")."""
    slug, _, name = reference.rpartition("/")
    holder = artifact if slug in {"", artifact.step} else known.get(slug)
    return holder.evidence.get(name) if holder is not None else None


def references(artifact: Artifact) -> set[str]:
    """Every evidence id that facts and checks name."""
    return {evidence for _, _, evidence in numbers(artifact.facts) if evidence} | {
        check.evidence for check in artifact.checks if check.evidence
    }


def numbers(facts: Any, path: str = "", evidence: str | None = None) -> Iterator[tuple[str, float, str | None]]:
    """Every number of the facts: its path, itself, the id of the nearest evidence above it."""
    if isinstance(facts, Mapping):
        own = facts.get("evidence")
        below = own if isinstance(own, str) and own else evidence
        for key, value in facts.items():
            yield from numbers(value, f"{path}.{key}" if path else str(key), below)
    elif isinstance(facts, list | tuple):
        for i, value in enumerate(facts):
            yield from numbers(value, f"{path}[{i}]", evidence)
    elif isinstance(facts, int | float) and not isinstance(facts, bool):
        yield path, facts, evidence
