"""The limits of a role, enforced: a step reaches the installation only through what its role may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paribus.clock import Clock
from paribus.errors import AccessError
from paribus.workflow.artifact import Artifact
from paribus.workflow.roles.role import Role
from paribus.workflow.roles.staff import role_of

if TYPE_CHECKING:
    from paribus.experiments.document import Document
    from paribus.experiments.plan import Seal
    from paribus.experiments.result import Result
    from paribus.impact.causal_forest import Forest
    from paribus.lake import LakeReader
    from paribus.store import Address, Change, Revision, Store
    from paribus.workflow.context import Context
    from paribus.workflow.operations import Operations
    from paribus.workflow.step import Step

Json = dict[str, Any]
PROTECTED = frozenset({"flag", "audience", "layer", "holdout", "experiment", "metric", "tracking_plan"})
"""Kinds of documents that only some roles write."""
TARGETING = frozenset({"audience", "layer", "holdout"})
"""Documents that many flags share: a change of one moves the traffic of all of them."""
OWN_OF_THE_WORKFLOW = frozenset({"feature", "artifact", "approval"})
"""Written by the workflow alone: no step answers for another, or agrees to itself."""
SEALS = frozenset({"seal"})
PAGE = 500
VALIDATION = frozenset({"staging"})
"""Environments without real users, where validation plants its events."""


def bounded(context: Context, step: Step) -> Context:
    """The context of a step, whose operations and store refuse what the step's role may not do."""
    return replace(context, operations=BoundedOperations(context.operations, role_of(step)))


def refuse_foreign(artifact: Artifact, step: Step) -> None:
    """Makes sure that an artifact is the step's own, made by the step's role.

    Raises:
        AccessError: it is another's.
    """
    if (artifact.step, artifact.role) != (step.slug, step.role):
        raise _refused(
            role_of(step),
            f"left an artifact of the step {artifact.step} by {artifact.role}",
            "a role answers for itself",
        )


def served(flag: Mapping[str, Any] | None, environment: str) -> list[Any]:
    """Who gets something else than the default in an environment: the rules that serve, and their shares.

    Two equal answers mean that no unit changes its variant.
    """
    if flag is None or flag.get("archived"):
        return []
    state = flag.get("environments", {}).get(environment, {})
    if not state or not state.get("enabled", True) or state.get("killed"):
        return []
    default = flag.get("default_variant")
    serving = [rule for rule in state.get("rules", []) if _serves(rule, default)]
    if not serving:
        return []
    return [*serving, state.get("prerequisites", []), state.get("holdouts", []), default]


def _names(value: Any, key: str) -> bool:
    """Whether a text of this plain value is the key."""
    if isinstance(value, Mapping):
        return any(_names(item, key) for item in value.values())
    if isinstance(value, list):
        return any(_names(item, key) for item in value)
    return bool(value == key)


def _serves(rule: Mapping[str, Any], default: Any) -> bool:
    if rollout := rule.get("rollout"):
        return bool(rollout.get("traffic_bp", 0))
    return bool(rule.get("variant") != default)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one role may write; every refusal names the rule.

    role    whose limits
    store   where it is looked up whether a shared document has traffic behind it
    """

    role: Role
    store: Store

    def check(self, kind: str, key: str, before: Json | None, after: Json | None) -> None:
        """Returns when the role may turn one body of a document into another.

        Raises:
            AccessError: it may not.
        """
        if kind in OWN_OF_THE_WORKFLOW:
            raise _refused(self.role, f"tried to write {kind} {key}", "artifacts and approvals are the workflow's own")
        if kind in SEALS and not self.role.seals:
            raise _refused(self.role, f"tried to seal {key}", "only the data scientist registers plans")
        if kind not in PROTECTED:
            return
        if kind not in self.role.writes:
            raise _refused(
                self.role, f"tried to write {kind} {key}", f"it writes {', '.join(sorted(self.role.writes)) or 'none'}"
            )
        if self.role.moves_traffic:
            return
        if kind in TARGETING and before is not None and before != after and self._has_traffic(key):
            raise _refused(self.role, f"tried to change {kind} {key}", "only the deployment engineer moves traffic")
        if kind == "flag":
            named = {*(before or {}).get("environments", {}), *(after or {}).get("environments", {})} - VALIDATION
            for environment in sorted(named):
                if served(before, environment) != served(after, environment):
                    raise _refused(
                        self.role,
                        f"tried to move traffic of {key} in {environment}",
                        "only the deployment engineer moves traffic",
                    )

    def _has_traffic(self, key: str) -> bool:
        """Whether a flag that serves real units names this document."""
        from paribus.store import DEFAULT_PROJECT

        for project in self.store.projects() or (DEFAULT_PROJECT,):
            last = ""
            while page := self.store.list(project, "flag", after=last, limit=PAGE):
                for found in page:
                    body = found.body or {}
                    live = [name for name in body.get("environments", {}) if name not in VALIDATION]
                    if any(_names(served(body, name), key) for name in live):
                        return True
                last = page[-1].address.key
        return False


@dataclass(frozen=True, slots=True)
class BoundedOperations:
    """Operations of an installation within the limits of a role; see `workflow.operations.Operations`."""

    whole: Operations
    role: Role

    @property
    def store(self) -> Store:
        """Documents and records, the documents within the same limits."""
        return cast("Store", BoundedStore(self.whole.store, self._limits))

    @property
    def _limits(self) -> Limits:
        return Limits(self.role, self.whole.store)

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.whole.folder

    @property
    def clock(self) -> Clock:
        """The installation's clock."""
        return self.whole.clock

    def find(self, kind: str, key: str) -> Revision | None:
        return self.whole.find(kind, key)

    def write(self, kind: str, key: str, body: Json, *, author: str, reason: str) -> Revision:
        found = self.whole.find(kind, key)
        self._limits.check(kind, key, found.body if found is not None else None, body)
        return self.whole.write(kind, key, body, author=author, reason=reason)

    def change(self, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision:
        def within(before: Json) -> Json:
            after = step(before)
            self._limits.check(kind, key, before, after)
            return after

        return self.whole.change(kind, key, within, author=author, reason=reason)

    def experiment(self, key: str) -> Document:
        return self.whole.experiment(key)

    def seal(self, key: str, *, author: str, amend: str | None = None) -> Seal:
        if amend is not None or self.whole.find("seal", key) is None:  # what is sealed already is only read
            self._limits.check("seal", key, None, {})
        return self.whole.seal(key, author=author, amend=amend)

    def analyze(
        self, key: str, *, as_of: datetime | None = None, segments: Sequence[str] = (), since_exposure: bool = False
    ) -> Result:
        return self.whole.analyze(key, as_of=as_of, segments=segments, since_exposure=since_exposure)

    def forest(self, result: Result, *, metric: str, units: int, seed: int) -> Forest:
        return self.whole.forest(result, metric=metric, units=units, seed=seed)

    def lake(self) -> LakeReader | None:
        return self.whole.lake()

    def snapshot(self, environment: str) -> Json:
        return self.whole.snapshot(environment)

    def tracking_plan(self) -> Json | None:
        return self.whole.tracking_plan()

    def reconcile(self) -> Mapping[str, Any]:
        return self.whole.reconcile()


class BoundedStore:
    """A store that writes documents within limits; reading and records are the store's own."""

    def __init__(self, whole: Store, limits: Limits) -> None:
        self._whole = whole
        self._limits = limits

    def __getattr__(self, name: str) -> Any:
        if name in {"redact", "erase"}:
            raise _refused(self._limits.role, f"tried to {name}", "no step removes what was written")
        return getattr(self._whole, name)

    def put(self, address: Address, body: Json | None, *, author: str, reason: str, expected: int) -> Revision:
        """As `Store.put`."""
        self._check(address, body)
        return self._whole.put(address, body, author=author, reason=reason, expected=expected)

    def put_all(self, changes: Sequence[Change], *, author: str, reason: str) -> Sequence[Revision]:
        """As `Store.put_all`."""
        for change in changes:
            self._check(change.address, change.body)
        return self._whole.put_all(changes, author=author, reason=reason)

    def _check(self, address: Address, body: Json | None) -> None:
        found = self._whole.find(address)
        self._limits.check(address.kind, address.key, found.body if found is not None else None, body)


def _refused(role: Role, what: str, rule: str) -> AccessError:
    return AccessError(
        f"the role {role.id} {what}", authenticated=True, where=f"limits of {role.id}", rule=rule, fix=_FIX
    )


_FIX = "let the role do it whose task it is: paribus role list"
