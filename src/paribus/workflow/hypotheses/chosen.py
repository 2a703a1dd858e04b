"""A metric that was chosen for a feature, and why; its definition is one that an experiment document may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paribus.errors import InputError
from paribus.experiments.schema import METRIC_TYPES
from paribus.experiments.words import pieces, subjects
from paribus.workflow.facts.explore import Baseline

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A metric with its role, why it was chosen, and its baseline where history has one."""

    definition: Json
    why: str
    baseline: Baseline | None = None

    @property
    def name(self) -> str:
        """As in the document."""
        return str(self.definition["name"])

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.definition["type"])


def checked(definition: Mapping[str, Any]) -> Json:
    """The definition, if an experiment document may hold it.

    Raises:
        InputError: it breaks the schema of its type.
    """
    from pydantic import ValidationError

    body = dict(definition)
    try:
        METRIC_TYPES[body["type"]].model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"the metric {body.get('name')!r} is no metric of an experiment: {first['msg']}",
            where=".".join(map(str, first["loc"])),
        ) from error
    return body


def about(name: str) -> str:
    """What an event or metric is about, in words.

    >>> about("order_completed")
    'order completed'
    """
    return " ".join(pieces(name)) if subjects(name) else name
