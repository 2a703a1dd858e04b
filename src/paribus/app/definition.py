"""Definitions in the store: read, changed by pure functions, checked as a whole, and delivered as snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from paribus.errors import Conflict, InputError, NotFound, did_you_mean
from paribus.flags.record import KINDS, PLACEMENTS, Placement
from paribus.store import Address

if TYPE_CHECKING:
    from paribus.events.compile import CompiledPlan
    from paribus.store import Revision, Store

Body = dict[str, Any]
PROJECT = "default"
ATTEMPTS = 5
PAGE = 500
WRITABLE = (*KINDS, "tracking_plan", "experiment")


def documents(store: Store, project: str, kind: str) -> dict[str, tuple[int, Body]]:
    """Every living document of a kind: number of its revision, and body, by key."""
    return {key: (each.number, each.body) for key, each in _living(store, project, kind) if each.body is not None}


def snapshot(store: Store, project: str, environment: str) -> dict[str, Any]:
    """The definitions of one environment as every evaluator reads them."""
    from paribus.flags.snapshot import build

    revision = store.position(project)
    return build(
        project=project,
        environment=environment,
        revision=revision,
        flags=documents(store, project, "flag"),
        audiences=documents(store, project, "audience"),
        layers=documents(store, project, "layer"),
        holdouts=documents(store, project, "holdout"),
        placements=placements(store, project, environment),
    )


def read(store: Store, kind: str, key: str, *, project: str = PROJECT) -> Revision:
    """The current revision.

    Raises:
        NotFound: with the nearest key.
    """
    found = store.find(Address(project, kind, key))
    if found is None or found.body is None:
        raise NotFound(
            f"there is no {kind} {key!r}",
            where=f"project {project}",
            fix=did_you_mean(key, documents(store, project, kind)),
        )
    return found


def tracking_plan(store: Store, project: str, environment: str) -> CompiledPlan:
    """The tracking plan in force, compiled for an environment; without one, the reserved events only."""
    from paribus.events.compile import compile_plan
    from paribus.events.plan import KIND

    found = store.find(Address(project, KIND, "default"))
    revision = found.number if found is not None and found.body is not None else 0
    return compile_plan(found.body if found else None, revision=revision, environment=environment)


def checker(kind: str) -> Callable[[str, Mapping[str, Any]], Body]:
    """What makes sure that a body is a document of its kind, and gives its canonical form.

    Raises:
        InputError: there is no such kind.
    """
    if kind in KINDS:
        from paribus.flags.document import check

        return lambda key, body: check(kind, key, body)
    if kind == "tracking_plan":
        from paribus.events.plan import parse_plan, plan_body

        return lambda key, body: plan_body(parse_plan(body))
    if kind == "experiment":
        from paribus.experiments.registry import document_of_body

        def checked(key: str, body: Mapping[str, Any]) -> Body:
            document_of_body(body, key)
            return dict(body)

        return checked
    raise InputError(f"there is no kind {kind!r}", fix=did_you_mean(kind, WRITABLE))


def write(
    store: Store,
    kind: str,
    key: str,
    body: Mapping[str, Any] | None,
    *,
    expected: int,
    author: str,
    reason: str,
    project: str = PROJECT,
) -> Revision:
    """One revision, after the document and all that evaluate it have been checked; body None removes it.

    Raises:
        DefinitionError: it breaks its schema, or no evaluator could use it; nothing was written.
        Conflict: someone else changed it since revision `expected`.
    """
    checked = None if body is None else checker(kind)(key, body)
    address = Address(project, kind, key)
    if kind == "tracking_plan" and checked is not None:
        _refuse_breaking(store, address, checked)
    refuse_unusable(store, {address: checked})
    return store.put(address, checked, author=author, reason=reason, expected=expected)


def change(
    store: Store,
    kind: str,
    key: str,
    step: Callable[[Body], Body],
    *,
    author: str,
    reason: str,
    project: str = PROJECT,
) -> Revision:
    """The document after one step; read and applied again when someone else wrote in between."""
    attempt = 0
    while True:
        attempt += 1
        current = read(store, kind, key, project=project)
        body = step(dict(current.body or {}))
        if body == current.body:
            return current
        try:
            return write(store, kind, key, body, expected=current.number, author=author, reason=reason, project=project)
        except Conflict:
            if attempt == ATTEMPTS:
                raise


def refuse_unusable(store: Store, changes: Mapping[Address, Body | None]) -> None:
    """Compiles every environment with all changes in place.

    Raises:
        DefinitionError: a flag could not be used, or an audience, layer or holdout would break one.
    """
    for project in sorted({address.project for address in changes}):
        concerned = {a: body for a, body in changes.items() if a.project == project and a.kind in KINDS}
        if concerned:
            _refuse_unusable(store, project, concerned)


def _refuse_unusable(store: Store, project: str, changes: Mapping[Address, Body | None]) -> None:
    from paribus.flags.document import Flag
    from paribus.flags.snapshot import build, refuse_broken

    kinds = {each: documents(store, project, each) for each in KINDS}
    for address, body in changes.items():
        kinds[address.kind].pop(address.key, None)
        if body is not None:
            kinds[address.kind][address.key] = (0, body)
    changed_flags = {address.key for address, body in changes.items() if address.kind == "flag" and body is not None}
    is_only_flags = all(address.kind == "flag" and body is not None for address, body in changes.items())
    touched = sorted(changed_flags) if is_only_flags else list(kinds["flag"])
    flags = {each: Flag.model_validate(kinds["flag"][each][1]) for each in touched}
    for environment in sorted({name for flag in flags.values() for name in flag.environments}):
        proposed = build(
            project=project,
            environment=environment,
            revision=0,
            flags=kinds["flag"],
            audiences=kinds["audience"],
            layers=kinds["layer"],
            holdouts=kinds["holdout"],
        )
        for each in touched:
            refuse_broken(proposed, each)


def place(store: Store, placement: Placement, *, author: str, reason: str) -> Revision:
    """Fixes one unit's variant: an override for a tester, or an assignment that must not move.

    The unit stands in a record, which can be erased; the flag gets a revision that names no unit, so that every
    server and client hears of it.

    Raises:
        NotFound: no such flag, or no such variant.
    """
    from paribus.flags.document import Flag

    flag = read(store, "flag", placement.flag, project=placement.project)
    names = [variant.name for variant in Flag.model_validate(flag.body).variants]
    if placement.variant not in names:
        raise NotFound(
            f"the flag has no variant {placement.variant!r}",
            where=f"flag {placement.flag}",
            fix=did_you_mean(placement.variant, names),
        )
    store.records(PLACEMENTS).upsert(placement)
    return store.put(flag.address, flag.body, author=author, reason=reason, expected=flag.number)


def placements(store: Store, project: str, environment: str, *flag: str) -> Iterator[Placement]:
    """The fixed variants of single units in one environment, of one flag or all."""
    last: Placement | None = None
    while True:
        page = store.records(PLACEMENTS).scan(project, environment, *flag, after=last, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]


def value(flag_type: str, text: str) -> Any:
    """A value as written on a command line, by the flag's type.

    Raises:
        InputError: it is not of that type.
    """
    import json

    from paribus.flags.document import fits

    if flag_type == "string":
        return text
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if parsed is None or not fits(flag_type, parsed):
        raise InputError(f"{text!r} is not a value of type {flag_type}", where="--variants")
    return parsed


def _refuse_breaking(store: Store, address: Address, body: Body) -> None:
    """Data and dashboards hang on a tracking plan: a breaking change needs a new version of its event."""
    from paribus.events.compatibility import check_compatibility
    from paribus.events.plan import parse_plan

    earlier = [parse_plan(each.body) for each in store.history(address) if each.body is not None]
    check_compatibility(earlier[-1] if earlier else parse_plan({}), parse_plan(body), earlier[:-1])


def _living(store: Store, project: str, kind: str) -> Iterator[tuple[str, Revision]]:
    after = ""
    while True:
        page = store.list(project, kind, after=after, limit=PAGE)
        yield from ((each.address.key, each) for each in page)
        if len(page) < PAGE:
            return
        after = page[-1].address.key
