"""What an agent may do alone, as a signed document: a policy that was changed without the key is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paribus.errors import AccessError, DefinitionError
from paribus.store.canonical import canonical_text
from paribus.workflow.step import BY_SLUG

POLICY = "agent-policy.json"
KEY = "agent-policy.key"
PERCENT = 100


class Policy(BaseModel):
    """The document; each field is a rule that refusals name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    format: Literal[1] = 1
    steps: Annotated[tuple[str, ...], Field(strict=False)] = tuple(BY_SLUG)
    """Slugs of the steps that an agent may run."""
    approve: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Slugs of the steps whose artifacts an agent may approve; by default none, a person does."""
    sources: Annotated[tuple[str, ...], Field(strict=False)] = ("lake",)
    """Data that an agent may name as a feature's source: the lake, folders of files, URLs of databases."""
    redo: bool = True
    """Whether an agent may reject artifacts and take them back."""
    max_traffic_bp: Annotated[int, Field(ge=0, le=10_000)] = 1_000
    """The widest traffic that an agent may bring about, in basis points: 1000 is 10%."""
    reversible_only: bool = True
    """Only what can be undone without a trace in the data: no redo of a plan after units were exposed."""
    powered_guardrails: bool = True
    """Traffic only where each guardrail of the sealed plan whose size is known gets the units it asks for."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A policy with who signed it; `is_default` when no document was signed in this folder."""

    policy: Policy
    signed_by: str = ""
    is_default: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        body = self.policy.model_dump(mode="json")
        return {**body, "signed_by": self.signed_by or None, "is_default": self.is_default}


def sign(folder: Path, policy: Policy, *, author: str) -> Signed:
    """Writes the policy of a data folder with its signature; the key is made when there is none (mode 0600)."""
    for name, slugs in (("steps", policy.steps), ("approve", policy.approve)):
        unknown = [slug for slug in slugs if slug not in BY_SLUG]
        if unknown:
            raise DefinitionError(f"{unknown[0]!r} is no step", where=name, rule=f"one of {', '.join(BY_SLUG)}")
    body = {"policy": policy.model_dump(mode="json"), "signed_by": author}
    document = {**body, "signature": _signature(_key(folder, create=True), body)}
    draft = folder / f"{POLICY}.new"
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(folder / POLICY)
    return Signed(policy, author)


def read(folder: Path) -> Signed:
    """The policy of a data folder; the default one when none was signed.

    Raises:
        AccessError: it was changed after it was signed, or its key is gone.
    """
    path = folder / POLICY
    if not path.exists():
        if (folder / KEY).exists():
            raise _tampered(path, "it was signed here once, and is gone")
        return Signed(Policy(), is_default=True)
    try:
        document = json.loads(path.read_text())
        body = {"policy": document["policy"], "signed_by": document["signed_by"]}
        if not hmac.compare_digest(str(document["signature"]), _signature(_key(folder, create=False), body)):
            raise _tampered(path, "its signature does not fit")
        return Signed(Policy.model_validate(document["policy"]), str(document["signed_by"]))
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise _tampered(path, f"it cannot be read ({type(error).__name__})") from error


def _tampered(path: Path, why: str) -> AccessError:
    return AccessError(
        f"the policy of agents is not the one that was signed: {why}",
        authenticated=True,
        where=str(path),
        rule="a policy holds only under its signature; without one that fits, agents may do nothing",
        fix="paribus mcp policy --sign writes and signs it anew",
    )


def _key(folder: Path, *, create: bool) -> bytes:
    path = folder / KEY
    if create and not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return bytes.fromhex(path.read_text())


def _signature(key: bytes, body: dict[str, Any]) -> str:
    return hmac.new(key, canonical_text(body, POLICY).encode(), hashlib.sha256).hexdigest()


class Gate:
    """Asks the policy before an agent acts; every refusal names the rule and who can do it instead."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def run(self, slug: str, person: str) -> None:
        """Returns when an agent may run a step."""
        if slug not in self.policy.steps:
            raise _refused(f"may not run the step {slug}", f"steps: {', '.join(self.policy.steps) or 'none'}", person)

    def new(self, *, has_model: bool, person: str) -> None:
        """Returns when an agent may write a feature down with such a configuration."""
        if has_model:
            raise _refused("may not name a language model", "evidence goes only to a model that a person named", person)

    def approve(self, slug: str, person: str) -> None:
        """Returns when an agent may agree to a step's artifact."""
        if slug not in self.policy.approve:
            raise _refused(
                f"may not approve {slug}",
                f"approve: {', '.join(self.policy.approve) or 'none'}; a person agrees",
                person,
            )

    def redo(self, slug: str, *, exposed: bool, person: str) -> None:
        """Returns when an agent may take back or reject a step's artifact."""
        if not self.policy.redo:
            raise _refused(f"may not take back {slug}", "redo: false", person)
        if exposed and self.policy.reversible_only and slug in _SEALED:
            raise _refused(
                f"may not take back {slug} after units were exposed",
                "reversible_only: true; a plan changed after data cannot be unchanged",
                person,
            )

    def traffic(self, to_bp: int, *, unpowered: tuple[str, ...] | None, person: str) -> None:
        """Returns when an agent may bring traffic to `to_bp`.

        `unpowered`: guardrails that do not have their units; None when no plan is sealed.
        """
        limit = self.policy.max_traffic_bp
        if to_bp > limit:
            raise _refused(
                f"may not widen traffic to {to_bp / PERCENT:g}%",
                f"max_traffic_bp: {limit} ({limit / PERCENT:g}%)",
                person,
            )
        if self.policy.powered_guardrails and to_bp > 0:
            if unpowered is None:
                raise _refused(
                    "may not widen traffic without a sealed plan",
                    "powered_guardrails: true, and no plan is sealed",
                    person,
                )
            if unpowered:
                raise _refused(
                    f"may not widen traffic while {', '.join(unpowered)} lacks power",
                    "powered_guardrails: true",
                    person,
                )


_SEALED = frozenset({"explore", "hypothesize", "design", "architect", "setup"})
"""Steps whose artifacts, or what depends on them, the registered plan and its split stand on."""


def _refused(what: str, rule: str, person: str) -> AccessError:
    return AccessError(
        f"an agent {what}", authenticated=True, where="policy of agents", rule=rule, fix=f"a person can: {person}"
    )
