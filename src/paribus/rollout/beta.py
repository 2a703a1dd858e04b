"""The beta: people who asked for the treatment before the experiment, up to a cap, and outside its analysis.

Volunteers are records, which can be erased. While the beta is open, those within the cap have the treatment as an
override: their exposures say so, and nothing that is randomized counts them. They keep it while the experiment runs,
so that nobody who knows the treatment is drawn into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paribus.clock import Clock
from paribus.errors import NotFound
from paribus.flags.record import PLACEMENTS, Placement
from paribus.store import DEFAULT_PROJECT, Address, RecordType, Store


@dataclass(frozen=True, slots=True)
class Beta:
    """The beta of one flag in one environment.

    Attributes:
        variant: what volunteers get.
        cap_units: the most that are admitted; whoever asks later waits in line.
        opened: RFC 3339; empty before the rollout has come to it.
    """

    project: str
    environment: str
    flag: str
    variant: str
    cap_units: int
    opened: str = ""


@dataclass(frozen=True, slots=True)
class Volunteer:
    """A unit that asked to take part; `place` is its place in the line, from 1."""

    project: str
    environment: str
    flag: str
    unit: str
    place: int
    joined: str


BETAS = RecordType(Beta, "beta", key=("project", "environment", "flag"))
VOLUNTEERS = RecordType(Volunteer, "beta_volunteer", key=("project", "environment", "flag", "unit"), units=("unit",))


@dataclass(frozen=True, slots=True)
class Standing:
    """The beta as it stands: who is admitted, in order, and who waits."""

    beta: Beta
    admitted: tuple[str, ...]
    waiting: tuple[str, ...]


def prepare(store: Store, environment: str, flag: str, variant: str, cap_units: int) -> Beta:
    """Lets volunteers ask; a beta that is there keeps its time of opening and its line."""
    records = store.records(BETAS)
    found = records.find(DEFAULT_PROJECT, environment, flag)
    made = Beta(DEFAULT_PROJECT, environment, flag, variant, cap_units, found.opened if found is not None else "")
    if made != found:
        records.upsert(made)
    return made


def standing(store: Store, environment: str, flag: str) -> Standing:
    """Who is in and who waits.

    Raises:
        NotFound: the flag has no beta there.
    """
    beta = store.records(BETAS).find(DEFAULT_PROJECT, environment, flag)
    if beta is None:
        raise NotFound(
            f"the flag {flag} has no beta in {environment}",
            where=f"flag {flag}",
            rule="step 11 sets one up where paribus.yaml says experiment_config: {beta: opt_in}",
            fix=f"paribus feature run {flag} --until setup",
        )
    line = sorted(_volunteers(store, environment, flag), key=lambda each: (each.place, each.unit))
    units = [each.unit for each in line]
    return Standing(beta, tuple(units[: beta.cap_units]), tuple(units[beta.cap_units :]))


def join(store: Store, environment: str, flag: str, units: Sequence[str], *, clock: Clock, author: str) -> Standing:
    """Puts units at the end of the line; who is in it already keeps the place. An open beta admits at once.

    Raises:
        NotFound: the flag has no beta there.
    """
    before = standing(store, environment, flag)
    known = {*before.admitted, *before.waiting}
    last = max((each.place for each in _volunteers(store, environment, flag)), default=0)
    new = [unit for unit in dict.fromkeys(units) if unit not in known]
    joined = clock().isoformat()
    store.records(VOLUNTEERS).upsert(
        *(
            Volunteer(DEFAULT_PROJECT, environment, flag, unit, last + place, joined)
            for place, unit in enumerate(new, start=1)
        )
    )
    after = standing(store, environment, flag)
    _served(store, after, author=author)
    return after


def leave(store: Store, environment: str, flag: str, units: Sequence[str], *, author: str) -> Standing:
    """Takes units out of the line, and what they got; the next in line moves up.

    Raises:
        NotFound: the flag has no beta there.
    """
    had = set(standing(store, environment, flag).admitted)
    for unit in units:
        store.records(VOLUNTEERS).delete(DEFAULT_PROJECT, environment, flag, unit)
    after = standing(store, environment, flag)
    _served(store, after, author=author, gone=[unit for unit in units if unit in had])
    return after


def open_beta(store: Store, environment: str, flag: str, *, clock: Clock, author: str) -> Standing:
    """Gives the admitted the treatment, from the flag's next revision on; again it changes nothing.

    Raises:
        NotFound: the flag has no beta there.
    """
    found = standing(store, environment, flag)
    if not found.beta.opened:
        found = replace(found, beta=replace(found.beta, opened=clock().isoformat()))
        store.records(BETAS).upsert(found.beta)
    _served(store, found, author=author)
    return found


def _served(store: Store, now: Standing, *, author: str, gone: Sequence[str] = ()) -> None:
    """Makes overrides what the line says, and tells servers by a revision that names no unit."""
    beta = now.beta
    records = store.records(PLACEMENTS)
    changed = 0
    for unit in gone:
        changed += records.delete(beta.project, beta.environment, beta.flag, unit, "override")
    if beta.opened:
        for unit in now.admitted:
            if records.find(beta.project, beta.environment, beta.flag, unit, "override") is None:
                records.upsert(Placement(beta.project, beta.environment, beta.flag, unit, beta.variant, "override"))
                changed += 1
    found = store.find(Address(beta.project, "flag", beta.flag))
    if changed and found is not None and found.body is not None:
        reason = f"beta: {len(now.admitted)} of at most {beta.cap_units} volunteers"
        store.put(found.address, found.body, author=author, reason=reason, expected=found.number)


def _volunteers(store: Store, environment: str, flag: str) -> list[Volunteer]:
    return store.records(VOLUNTEERS).scan_each([(DEFAULT_PROJECT, environment, flag)])
