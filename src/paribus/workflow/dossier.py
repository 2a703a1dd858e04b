"""The dossier of a feature: its artifacts as versioned documents, the state of each step, approvals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from paribus.errors import Conflict, InputError, NotFound, did_you_mean
from paribus.experiments.hypothesis import checked_requirement
from paribus.store import DEFAULT_PROJECT, Address
from paribus.workflow.artifact import Artifact, of_body, refuse_unsupported
from paribus.workflow.config import Config
from paribus.workflow.context import Feature
from paribus.workflow.step import BY_SLUG, STEPS, Step, downstream, named

if TYPE_CHECKING:
    from paribus.store import Revision, Store

Json = dict[str, Any]
FEATURE, ARTIFACT, APPROVAL = "feature", "artifact", "approval"
COMMENTS, ASSIGNMENT, LEARNING = "comments", "assignment", "learning"
PAGE = 500
_STOP_WORDS = frozenset(
    re.findall(
        "[a-z]+", "a an and as at be by can do for from in into is it make more of on or our so that the to we with"
    )
)
_ABOUT_STEPS = (ARTIFACT, APPROVAL, COMMENTS, ASSIGNMENT)
_LONGEST_KEY = 48  # characters


class State(StrEnum):
    """Where a step of a feature stands."""

    OPEN = "open"
    DONE = "done"
    STALE = "stale"
    BLOCKED = "blocked"
    APPROVAL = "waits for approval"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StepState:
    """A step of one feature: its state, why, and the artifact's hash and revision where there is one."""

    step: Step
    state: State
    reason: str = ""
    hash: str = ""
    revision: int = 0
    approved_by: tuple[str, ...] = ()
    approved_as: Mapping[str, str] = field(default_factory=dict)
    """Who agreed in which role, where the configuration asks for roles."""
    assignee: str = ""
    comments: int = 0


class Dossier:
    """Every feature of a project, in the store; nothing is kept anywhere else."""

    def __init__(self, store: Store, *, project: str = DEFAULT_PROJECT) -> None:
        self.store = store
        self.project = project

    def new(self, feature: Feature, config: Config, *, author: str) -> Feature:
        """The feature, written down.

        Raises:
            InputError: the requirement does not say what is to be built.
            Conflict: a feature of this key is there.
        """
        checked_requirement(feature.requirement)
        body = {
            "requirement": feature.requirement,
            "source": feature.source,
            "environment": feature.environment,
            "simulated": feature.simulated,
            "previous": feature.previous,
            "config": config.model_dump(mode="json"),
        }
        address = self._address(FEATURE, feature.key)
        if self.store.find(address) is not None:
            raise Conflict(
                f"there is a feature {feature.key!r} already",
                where="feature",
                rule="a feature has one dossier",
                fix=f"paribus feature show {feature.key}, or another key with --key",
            )
        self._put(address, body, author=author, reason="asked for")
        return feature

    def feature(self, key: str) -> tuple[Feature, Config]:
        """A feature and its configuration.

        Raises:
            NotFound: with the nearest key.
        """
        found = self.store.find(self._address(FEATURE, key))
        if found is None or found.body is None:
            raise NotFound(
                f"there is no feature {key!r}",
                where=f"project {self.project}",
                fix=did_you_mean(key, self.keys()) or 'paribus feature new "what you want to build"',
            )
        body = dict(found.body)
        config = Config.model_validate(body.pop("config"))
        return Feature(key=key, **body), config

    def configure(self, key: str, config: Config, *, author: str) -> None:
        """Another configuration for a feature; what was made under the old one becomes stale."""
        address = self._address(FEATURE, key)
        found = self.store.get(address)
        self._put(
            address,
            {**(found.body or {}), "config": config.model_dump(mode="json")},
            author=author,
            reason="configured",
        )

    def keys(self) -> list[str]:
        """Every feature, in the order of their keys."""
        found: list[str] = []
        while page := self.store.list(self.project, FEATURE, after=found[-1] if found else "", limit=PAGE):
            found += [each.address.key for each in page]
        return found

    def artifacts(self, key: str) -> dict[str, Artifact]:
        """The artifacts there are, by slug, in the order of the steps."""
        found = {step.slug: self._revision(key, step.slug) for step in STEPS}
        there = {slug: each for slug, each in found.items() if each is not None}
        return {slug: of_body(each.body, each.body_hash) for slug, each in there.items() if each.body is not None}

    def artifact(self, key: str, slug: str) -> Artifact:
        """One artifact.

        Raises:
            InputError, NotFound: there is no such step, or it has not been run.
        """
        named(slug)
        self.feature(key)
        found = self._revision(key, slug)
        if found is None or found.body is None:
            raise NotFound(
                f"the step {slug} of {key} has no artifact yet",
                where=f"feature {key}",
                fix=f"paribus feature run {key} --until {slug}",
            )
        return of_body(found.body, found.body_hash)

    def generation(self, key: str, slug: str) -> int:
        """Grows with every artifact and every redo of the step; effects that must not repeat are counted within it."""
        history = self.store.history(self._address(ARTIFACT, f"{key}.{slug}"))
        return history[-1].number if history else 0

    def save(self, artifact: Artifact, *, author: str) -> str:
        """The hash of the artifact, written unless the same stands there.

        Raises:
            DefinitionError: a number in it has no evidence.
        """
        refuse_unsupported(artifact, self.artifacts(artifact.feature))
        address = self._address(ARTIFACT, f"{artifact.feature}.{artifact.step}")
        return self._put(address, artifact.body(), author=author, reason=f"made by {artifact.role}").body_hash

    def states(self, key: str) -> tuple[StepState, ...]:
        """Where each of the sixteen steps stands."""
        _, config = self.feature(key)
        revisions = {step.slug: self._revision(key, step.slug) for step in STEPS}
        hashes = {slug: each.body_hash for slug, each in revisions.items() if each is not None}
        approvals = {step.slug: self._approval(key, step.slug) for step in STEPS}
        states: dict[str, StepState] = {}
        for step in STEPS:
            revision = revisions[step.slug]
            made = (
                StepState(step, State.OPEN)
                if revision is None or revision.body is None
                else _state(step, revision, hashes, states, config, approvals.get(step.slug))
            )
            states[step.slug] = replace(
                made, assignee=self.assignee(key, step.slug), comments=len(self._said(key, step.slug))
            )
        return tuple(states.values())

    def approve(self, key: str, slug: str, *, author: str, why: str = "", role: str = "") -> StepState:
        """Agrees to a step's artifact as it stands; a later artifact needs a new approval.

        Args:
            key: the feature.
            slug: the step.
            author: who agrees.
            why: kept in the history.
            role: in which role, where the configuration asks for roles; one person agrees in one role.

        Raises:
            InputError: the step asks for another role, or for none.
            Conflict: there is nothing to agree to, or a check that blocks has failed.
        """
        return self._decide(key, slug, "approved", author=author, why=why, role=role)

    def comment(self, key: str, slug: str, text: str, *, author: str) -> Json:
        """Says something about a step's artifact as it stands; comments are never removed.

        Raises:
            InputError: nothing is said.
            NotFound: the step has no artifact.
        """
        said = text.strip()
        if not said:
            raise InputError(
                "a comment says something", where="comment", fix=f'paribus feature comment {key} {slug} "…"'
            )
        about = self.artifact(key, slug).hash
        comments = self._said(key, slug)
        new = {"number": len(comments) + 1, "author": author, "text": said, "artifact": about}
        self.put(
            COMMENTS, f"{key}.{slug}", {"comments": [*comments, new]}, author=author, reason=f"comment {new['number']}"
        )
        return self.comments(key, slug)[-1]

    def comments(self, key: str, slug: str) -> list[Json]:
        """What was said about a step, in order: author, time, text, and whether the artifact is still the same."""
        named(slug)
        self.feature(key)
        current = self._revision(key, slug)
        now = current.body_hash if current is not None and current.body is not None else ""
        times = {
            comment["number"]: revision.time.isoformat()
            for revision in reversed(self.store.history(self._address(COMMENTS, f"{key}.{slug}")))
            for comment in (revision.body or {}).get("comments", ())
        }
        return [
            {**each, "time": times[each["number"]], "current": each["artifact"] == now}
            for each in self._said(key, slug)
        ]

    def assign(self, key: str, slug: str, assignee: str, *, author: str, why: str = "") -> StepState:
        """Gives a step to a person, or to nobody; its history is kept.

        Raises:
            InputError, NotFound: there is no such step or feature.
        """
        named(slug)
        self.feature(key)
        body = {"assignee": assignee.strip(), "why": why}
        self.put(ASSIGNMENT, f"{key}.{slug}", body, author=author, reason=why or "assigned")
        return next(each for each in self.states(key) if each.step.slug == slug)

    def assignee(self, key: str, slug: str) -> str:
        """Whose a step is; empty where nobody was named."""
        found = self.store.find(self._address(ASSIGNMENT, f"{key}.{slug}"))
        return str(found.body["assignee"]) if found is not None and found.body is not None else ""

    def put(self, kind: str, key: str, body: Json, *, author: str, reason: str) -> Revision:
        """A document about a feature; one that stands already writes nothing."""
        return self._put(self._address(kind, key), body, author=author, reason=reason)

    def reject(self, key: str, slug: str, *, author: str, why: str) -> StepState:
        """Refuses a step's artifact: the run goes on after a redo.

        Raises:
            InputError: no reason is given.
        """
        if not why.strip():
            raise InputError(
                "a rejection needs a reason",
                where="--why",
                rule="whoever does the step again has to know what to change",
                fix=f'paribus feature reject {key} {slug} --why "the margin is too wide"',
            )
        return self._decide(key, slug, "rejected", author=author, why=why)

    def redo(self, key: str, slug: str, *, author: str, why: str = "") -> tuple[str, ...]:
        """Takes a step's artifact back, so that the next run makes it again; the slugs that depend on it.

        Raises:
            NotFound: the step has no artifact.
        """
        self.artifact(key, slug)
        address = self._address(ARTIFACT, f"{key}.{slug}")
        found = self.store.get(address)
        self.store.put(address, None, author=author, reason=why or "done again", expected=found.number)
        return tuple(step.slug for step in downstream([slug]) if self._revision(key, step.slug) is not None)

    def history(self, key: str) -> list[Revision]:
        """Every revision of the feature, its artifacts and approvals, in the order they were written."""
        addresses = [self._address(FEATURE, key)]
        addresses += [self._address(kind, f"{key}.{slug}") for kind in _ABOUT_STEPS for slug in BY_SLUG]
        addresses.append(self._address(LEARNING, key))
        found = [each for address in addresses for each in self.store.history(address)]
        return sorted(found, key=lambda each: each.sequence)

    def _said(self, key: str, slug: str) -> list[Json]:
        found = self.store.find(self._address(COMMENTS, f"{key}.{slug}"))
        return list(found.body["comments"]) if found is not None and found.body is not None else []

    def _decide(self, key: str, slug: str, decision: str, *, author: str, why: str, role: str = "") -> StepState:
        named(slug)
        state = next(each for each in self.states(key) if each.step.slug == slug)
        if state.state in {State.OPEN, State.STALE}:
            raise Conflict(
                f"the step {slug} of {key} has no current artifact to be {decision}",
                where=f"feature {key}",
                fix=f"paribus feature run {key} --until {slug}",
            )
        if state.state is State.BLOCKED and decision == "approved":
            raise Conflict(
                f"the step {slug} of {key} cannot be approved: {state.reason}",
                where=f"feature {key}",
                rule="a failed check that blocks is mended, not approved",
                fix=f"mend it, then paribus feature redo {key} --step {slug}",
            )
        roles = self.feature(key)[1].approvals.by_role.get(slug, ()) if decision == "approved" else ()
        address = self._address(APPROVAL, f"{key}.{slug}")
        before = self._approval(key, slug)
        standing = before if before and (before["artifact"], before["decision"]) == (state.hash, decision) else None
        acting = _acting(key, slug, roles, role, dict((standing or {}).get("roles", {})), author)
        by = list(standing["by"]) if standing else []
        body = {
            "artifact": state.hash,
            "decision": decision,
            "by": [*by, *([] if author in by else [author])],
            "why": why,
            **({"roles": acting} if acting else {}),
        }
        self._put(address, body, author=author, reason=why or decision)
        return next(each for each in self.states(key) if each.step.slug == slug)

    def _approval(self, key: str, slug: str) -> Json | None:
        found = self.store.find(self._address(APPROVAL, f"{key}.{slug}"))
        return dict(found.body) if found is not None and found.body is not None else None

    def _revision(self, key: str, slug: str) -> Revision | None:
        return self.store.find(self._address(ARTIFACT, f"{key}.{slug}"))

    def _put(self, address: Address, body: Json, *, author: str, reason: str) -> Revision:
        history = self.store.history(address)
        if history and history[-1].body == body:
            return history[-1]
        expected = history[-1].number if history else 0
        return self.store.put(address, body, author=author, reason=reason, expected=expected)

    def _address(self, kind: str, key: str) -> Address:
        return Address(self.project, kind, key)


def _acting(
    key: str, slug: str, roles: Sequence[str], role: str, acting: dict[str, str], author: str
) -> dict[str, str]:
    """Who has agreed in which role, this person included.

    Raises:
        InputError: the role is missing, unknown, or another of the same person.
    """
    if not roles and not role:
        return acting
    if role not in roles:
        given = f"the role {role!r} does not decide on {slug}" if role else f"{slug} is approved by roles"
        raise InputError(
            given,
            where="--role",
            rule=f"decided by {' and '.join(roles)}, each a different person" if roles else "anybody decides here",
            fix=f"paribus feature approve {key} {slug} --role {next((r for r in roles if r not in acting), '…')}"
            if roles
            else "leave --role out",
        )
    other = next((taken for taken, by in acting.items() if by == author and taken != role), None)
    if other is not None:
        raise InputError(
            f"{author} has agreed as {other} already",
            where="--role",
            rule="each role is another person: two of one person are one opinion",
        )
    return {**acting, role: author}


def _state(
    step: Step,
    revision: Revision,
    hashes: Mapping[str, str],
    states: Mapping[str, StepState],
    config: Config,
    approval: Json | None,
) -> StepState:
    """The state of a step that has an artifact."""
    body = revision.body or {}

    def made(state: State, reason: str = "", by: Sequence[str] = ()) -> StepState:
        roles = dict(decided.get("roles", {})) if decided else {}
        return StepState(step, state, reason, revision.body_hash, revision.number, tuple(by), roles)

    decided = approval if approval and approval["artifact"] == revision.body_hash else None

    changed = [slug for slug in step.needs if body["inputs"].get(slug) != hashes.get(slug)]
    changed += [slug for slug in step.needs if slug not in changed and states[slug].state is State.STALE]
    if changed:
        return made(State.STALE, f"{', '.join(changed)} changed since")
    if body["settings"] != config.hash:
        return made(State.STALE, "the configuration changed since")
    failed = [check for check in body["checks"] if check["blocking"] and check["status"] == "failed"]
    if decided and decided["decision"] == "rejected":
        return made(State.REJECTED, decided["why"])
    if failed:
        return made(State.BLOCKED, "; ".join(f"{check['name']}: {check['message']}" for check in failed))
    if config.approvals.asks(step.slug) and not body["not_applicable"]:
        by = decided["by"] if decided else []
        open_roles = [
            r for r in config.approvals.by_role.get(step.slug, ()) if r not in (decided or {}).get("roles", {})
        ]
        if open_roles:
            return made(State.APPROVAL, f"of {' and '.join(open_roles)}", by)
        missing = config.approvals.roles - len(by)
        if missing > 0:
            return made(State.APPROVAL, f"{missing} more" if by else "", by)
        return made(State.DONE, "", by)
    return made(State.DONE)


def key_of(requirement: str) -> str:
    """A key made of the requirement's first telling words.

    >>> key_of("One-click checkout for returning mobile users")
    'one-click-checkout-returning-mobile-users'
    """
    words = [word for word in re.findall(r"[a-z0-9]+", requirement.lower()) if word not in _STOP_WORDS]
    key = ""
    for word in words:
        if len(key) + len(word) + 1 > _LONGEST_KEY:
            break
        key = f"{key}-{word}" if key else word
    return key or "feature"
