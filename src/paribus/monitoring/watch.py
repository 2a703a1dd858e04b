"""What is watched while an experiment runs: one document per experiment, written when it is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paribus.errors import DefinitionError
from paribus.store import DEFAULT_PROJECT, Address, Revision, Store

KIND = "watch"
FALSE_ROLLBACK_BUDGET = 0.01


class Part(BaseModel):
    """Closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Guard(Part):
    """Units with at least one of these events, in treatment against control."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    events: tuple[str, ...]
    """Names of events; `$request` counts when it failed."""
    tolerated_ratio: Annotated[float, Field(ge=1)] = 1.2
    """The rate in treatment over that in control up to which it is no harm."""
    minimum_difference: Annotated[float, Field(ge=0, lt=1)] = 0.001
    """Smallest difference of the rates, as estimated, that is acted on."""
    budget: Annotated[float, Field(gt=0, le=0.2)] = FALSE_ROLLBACK_BUDGET
    """Probability of a conviction, ever, while treatment is within tolerance."""


class Watch(Part):
    """The watch over one experiment."""

    experiment: str
    flag: str
    environment: str
    control: str
    weights: dict[str, float]
    """By arm, control included: what a unit's arm is drawn with."""
    unit_type: str = "user"
    guards: tuple[Guard, ...]
    automatic_rollback: bool = True
    """Whether a conviction kills the flag; else it alerts and asks."""
    round: Annotated[int, Field(ge=1)] = 1
    """Grows when the experiment starts again; evidence and alerts start anew."""
    since: str = ""
    """RFC 3339: exposures before it do not count."""
    webhook: str = ""
    """URL that alerts are posted to."""


def guards_of(
    error_events: Sequence[str],
    others: Mapping[str, Sequence[str]] | None = None,
    *,
    arms: int = 2,
    budget: float = FALSE_ROLLBACK_BUDGET,
) -> tuple[Guard, ...]:
    """The guards of an experiment, within one budget of false rollbacks over its life.

    Args:
        error_events: names of events that are errors, beside the SDKs' own `$error` and failed `$request`.
        others: further guardrails by name: the events of which fewer units should have one.
        arms: arms with control; each treatment is compared with it.
        budget: of the whole experiment. Errors take half of it where there are other guardrails, else all.
    """
    extra = dict(others or {})
    each = budget / max(arms - 1, 1)
    errors = Guard(
        name="errors",
        events=tuple(dict.fromkeys(("$error", "$request", *error_events))),
        budget=each / 2 if extra else each,
    )
    rest = [
        Guard(name=name, events=tuple(events), budget=each / 2 / len(extra)) for name, events in sorted(extra.items())
    ]
    return (errors, *rest)


def read(body: Mapping[str, Any], where: str) -> Watch:
    """The watch that a stored body means.

    Raises:
        DefinitionError: it is none.
    """
    try:
        return Watch.model_validate(dict(body))
    except ValidationError as error:
        first = error.errors()[0]
        raise DefinitionError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", where=where, rule="a watch names flag and guards"
        ) from error


def save(store: Store, watch: Watch, *, author: str, reason: str, project: str = DEFAULT_PROJECT) -> Revision:
    """The watch as the newest revision; one that stands already writes nothing."""
    address = Address(project, KIND, watch.experiment)
    body = watch.model_dump(mode="json")
    found = store.find(address)
    if found is not None and found.body == body:
        return found
    return store.put(address, body, author=author, reason=reason, expected=found.number if found else 0)


def stored(store: Store, experiment: str, *, project: str = DEFAULT_PROJECT) -> Watch | None:
    """The watch over an experiment; None where nothing is watched."""
    found = store.find(Address(project, KIND, experiment))
    return None if found is None or found.body is None else read(found.body, f"watch {experiment}")


def all_stored(store: Store, *, project: str = DEFAULT_PROJECT) -> list[Watch]:
    """Every watch of a project."""
    found: list[Revision] = []
    while page := store.list(project, KIND, after=found[-1].address.key if found else "", limit=500):
        found += page
    return [read(each.body, f"watch {each.address.key}") for each in found if each.body is not None]
