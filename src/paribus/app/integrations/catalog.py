"""Which systems there are: every registry of the code, and what has no registry; each with its note in systems.yaml."""

from __future__ import annotations

import functools
import pkgutil
from importlib.resources import files
from typing import Any, get_args

import yaml

from paribus.app.integrations.system import System
from paribus.errors import NotFound, did_you_mean

_TUPLES = ("does", "verified_by", "imports")


@functools.cache
def systems() -> tuple[System, ...]:
    """Every system, by kind and name.

    What a registry holds is in the list even when nobody has written a note about it: its depth is then unverified.
    """
    notes = _notes()
    found = sorted({*registered(), *notes}, key=_order)
    return tuple(_system(each, notes.get(each, {})) for each in found)


def systems_named(name: str) -> tuple[System, ...]:
    """The systems of that name, in one kind or several, or of that kind/name.

    Raises:
        NotFound: there is none.
    """
    wanted = name.lower()
    found = tuple(each for each in systems() if wanted in {each.id, each.name, each.title.lower()})
    if not found:
        known = {word for each in systems() for word in (each.name, each.id)}
        raise NotFound(
            f"no system {name!r} is on the map",
            where="NAME",
            rule="the map lists what the code has a part for",
            fix=did_you_mean(name, known) + "; paribus integrations lists all",
        )
    return found


@functools.cache
def registered() -> frozenset[str]:
    """Ids of what the registries of the code hold: dialects, formats, writers, engines, frameworks, middleware."""
    import paribus_sdk.middleware

    from paribus.events.dialects import REGISTRY
    from paribus.events.history import FORMATS
    from paribus.flags.providers import WRITERS
    from paribus.warehouse.sql.dialects import HOOKS
    from paribus.workflow.config import Implementation
    from paribus.workflow.pipeline.writers import writers

    frameworks = {
        *get_args(Implementation.model_fields["backend"].annotation),
        *get_args(Implementation.model_fields["frontend"].annotation),
    } - {"plain"}
    middleware = {each.name for each in pkgutil.iter_modules(paribus_sdk.middleware.__path__)} - {"passage"}
    by_kind: dict[str, Any] = {
        "events": REGISTRY,
        "history": FORMATS,
        "flags": WRITERS,
        "warehouse": HOOKS,
        "pipeline": writers(),
        "framework": frameworks | middleware,
    }
    return frozenset(f"{kind}/{name}" for kind, names in by_kind.items() for name in names)


@functools.cache
def _notes() -> dict[str, dict[str, Any]]:
    text = files("paribus.app.integrations").joinpath("systems.yaml").read_text(encoding="utf-8")
    by_kind: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(text)
    return {f"{kind}/{name}": note for kind, notes in by_kind.items() for name, note in notes.items()}


def _order(id_: str) -> tuple[int, str, str]:
    kind, _, name = id_.partition("/")
    kinds = list(dict.fromkeys(each.partition("/")[0] for each in _notes()))
    return (kinds.index(kind) if kind in kinds else len(kinds), kind, name)


def _system(id_: str, note: dict[str, Any]) -> System:
    kind, _, name = id_.partition("/")
    given: dict[str, Any] = {key: tuple(value) if key in _TUPLES else value for key, value in note.items()}
    return System(kind, name, given.pop("title", name), **given)
