"""The nine roles, found by their full id or its last part."""

from __future__ import annotations

from paribus.errors import InputError, did_you_mean
from paribus.workflow.roles import (
    backend_architect,
    business_analyst,
    data_architect,
    data_engineer,
    data_scientist,
    deployment_engineer,
    frontend_developer,
    ml_engineer,
    observability_engineer,
)
from paribus.workflow.roles.role import Role
from paribus.workflow.step import Step, named

ROLES = (
    data_scientist.ROLE,
    business_analyst.ROLE,
    data_architect.ROLE,
    data_engineer.ROLE,
    backend_architect.ROLE,
    frontend_developer.ROLE,
    ml_engineer.ROLE,
    deployment_engineer.ROLE,
    observability_engineer.ROLE,
)
BY_ID = {role.id: role for role in ROLES}


def role_of(step: Step) -> Role:
    """The role that plays a step."""
    return BY_ID[step.role]


def role_named(name: str, step: str | None = None) -> Role:
    """The role with this id, or with this last part of an id; the step tells two of the same last part apart.

    Raises:
        InputError: there is none, or several; or the role does not play the step.
    """
    wanted = name.strip()
    found = [role for role in ROLES if wanted in {role.id, role.name}]
    if not found:
        known = [*BY_ID, *(role.name for role in ROLES)]
        raise InputError(f"there is no role {name!r}", where="role", fix=did_you_mean(wanted, known))
    if step is not None:
        named(step)
        players = [role for role in found if step in role.steps]
        if not players:
            player = next(role for role in ROLES if step in role.steps)
            raise InputError(
                f"the step {step} is not played by {found[0].id}",
                where="--step",
                rule=f"it plays {', '.join(slug for role in found for slug in role.steps)}",
                fix=f"paribus role run {player.id} --step {step}",
            )
        found = players
    if len(found) > 1:
        raise InputError(
            f"{len(found)} roles are called {wanted!r}",
            where="role",
            rule="the full id is never ambiguous",
            fix=" or ".join(role.id for role in found),
        )
    return found[0]
