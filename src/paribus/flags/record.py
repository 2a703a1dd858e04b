"""Records about single units: erasable, so they stand beside the documents and never in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paribus.store import RecordType

KINDS = ("flag", "audience", "layer", "holdout")
"""The kinds of `flags.document`, which takes a tenth of a second to import."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One unit's fixed variant of one flag: an override for a tester, or an assignment that must not move."""

    project: str
    environment: str
    flag: str
    unit: str
    variant: str
    kind: Literal["override", "sticky"]


PLACEMENTS = RecordType(
    Placement, name="placement", key=("project", "environment", "flag", "unit", "kind"), units=("unit",)
)
