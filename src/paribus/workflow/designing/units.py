"""What could be randomized: each kind of unit that the history knows, with the sample that it would need.

Users, devices (anonymous ids), units of any other type that events name, clusters of users by an attribute, and
periods (switchback). A cluster's sample is larger, because units within one are alike: its variance is measured from
sums by cluster on the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.errors import ParibusError
from paribus.lake.rows import ask
from paribus.workflow.block import Block, Heading, Table
from paribus.workflow.facts.design import DesignFacts

if TYPE_CHECKING:
    from paribus.experiments.sizing import Sizing
    from paribus.lake.reading import LakeReader

Json = dict[str, Any]
LEAST_CLUSTERS = 10
"""In all; half of them in each arm, as many as the cluster-robust t test asks for."""
LEAST_UNITS = 100
DEVICE = "device"
ANONYMOUS = "anonymous"
NAMES = {"user": "user", ANONYMOUS: DEVICE}
_OTHERS = """
SELECT unit_type AS kind, count(DISTINCT unit) AS units FROM {events}
WHERE name = $event AND corrected_time >= $since AND unit_type IS NOT NULL AND unit_type NOT IN ('user', 'anonymous')
GROUP BY unit_type ORDER BY unit_type
"""
STATEMENT = """
SELECT count(DISTINCT coalesce(CASE WHEN unit_type = 'user' THEN unit END, user_id)) AS users,
       count(DISTINCT coalesce(CASE WHEN unit_type = 'anonymous' THEN unit END, anonymous_id)) AS devices
FROM {events} WHERE name = $event AND corrected_time >= $since
"""
_LEVELS = """
SELECT {levels} FROM {{events}} WHERE name = $event AND corrected_time >= $since
"""
_COLUMNS = ("name", "unit", "unit_type", "user_id", "anonymous_id", "corrected_time")


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind of unit.

    name       user, device, a unit type, cluster: ATTRIBUTE, or switchback
    units      in the history, for a cluster the clusters; None where they were not counted
    per_arm    users (or units) that an arm needs with it; None where it was not sized
    why_not    why it cannot be randomized here; empty where it can
    """

    name: str
    units: int | None = None
    per_arm: int | None = None
    days: int | None = None
    why_not: str = ""
    chosen: bool = False

    def plain(self) -> Json:
        """The choice as facts."""
        return {
            "unit": self.name,
            "units": self.units,
            "per_arm": self.per_arm,
            "days": self.days,
            "why_not": self.why_not,
            "chosen": self.chosen,
            "evidence": "units",
        }


def unit_type_of(unit: str) -> str:
    """The unit type under which a configured unit is recorded: a device is an anonymous id."""
    return ANONYMOUS if unit == DEVICE else unit


def choices(
    reader: LakeReader,
    body: Mapping[str, Any],
    event: str,
    since: Any,
    chosen: Sizing,
    sized: Callable[[Json], Sizing],
) -> tuple[Choice, ...]:
    """Every kind of unit, the plan's own first.

    Args:
        reader: of the lake.
        body: the plan's document.
        event: the one before the decision.
        since: when history begins.
        chosen: the plan's own sizing.
        sized: the sizing of another document on the same history; raises what cannot be sized.
    """
    values = {"event": event, "since": since}
    (persons,) = ask(reader, STATEMENT, names=[event], columns=_COLUMNS, values=values)
    others = ask(reader, _OTHERS, names=[event], columns=_COLUMNS, values=values)
    counts = {"user": persons["users"], ANONYMOUS: persons["devices"], **{row["kind"]: row["units"] for row in others}}
    own = str(body.get("unit_type") or "user")
    method = body["plan"]["method"]
    found = []
    for kind in sorted(counts, key=lambda each: (each != own, each not in NAMES, each)):
        name, units = NAMES.get(kind, kind), int(counts[kind])
        if kind == own:
            found.append(_sized(name, units, chosen, method, chosen=True))
        elif units < LEAST_UNITS:
            found.append(
                Choice(name, units, why_not=f"{event} was sent with {units:,} of them; {LEAST_UNITS} are needed")
            )
        else:
            other = {key: each for key, each in body.items() if key != "identity"} | {"unit_type": kind}
            found.append(_tried(name, units, other, method, sized))
    attributes = list(body.get("segments", ()))
    levels = _levels(reader, attributes, values) if attributes else {}
    found += [_cluster(attribute, levels[attribute], body, method, sized) for attribute in attributes]
    return (
        *found,
        Choice("switchback", why_not="periods can be planned in experiment.yaml, but no analysis of them exists yet"),
    )


def unit_blocks(facts: DesignFacts) -> list[Block]:
    """The choices side by side; nothing in artifacts from before they were offered."""
    if not facts.unit_choices:
        return []

    def shown(value: int | None) -> str:
        return "—" if value is None else f"{value:,}"

    return [
        Heading("What could be randomized"),
        Table(
            ("unit", "in the history", "per arm", "days", ""),
            [
                (
                    each["unit"],
                    shown(each["units"]),
                    shown(each["per_arm"]),
                    shown(each["days"]),
                    "chosen" if each["chosen"] else each["why_not"],
                )
                for each in facts.unit_choices
            ],
            caption="Per arm and days by the deciding method, from the same history. A cluster's row counts the units "
            "within clusters: they are alike, so more are needed.",
            right=("in the history", "per arm", "days"),
        ),
    ]


def _levels(reader: LakeReader, attributes: Sequence[str], values: Mapping[str, Any]) -> dict[str, int]:
    """How many values each attribute has on the event, in its properties or its context."""
    paths = {f"path{i}": f'$."{attribute}"' for i, attribute in enumerate(attributes)}
    counted = ", ".join(
        f"count(DISTINCT coalesce(context ->> ${path}, properties ->> ${path})) AS n{i}" for i, path in enumerate(paths)
    )
    columns = ("name", "corrected_time", "properties", "context")
    statement = _LEVELS.format(levels=counted)
    (row,) = ask(reader, statement, names=[values["event"]], columns=columns, values={**values, **paths})
    return {attribute: int(row[f"n{i}"]) for i, attribute in enumerate(attributes)}


def _cluster(
    attribute: str, levels: int, body: Mapping[str, Any], method: str, sized: Callable[[Json], Sizing]
) -> Choice:
    name = f"cluster: {attribute}"
    if levels < LEAST_CLUSTERS:
        return Choice(name, levels, why_not=f"{levels} of the {LEAST_CLUSTERS} clusters that tell arms apart")
    other = dict(body) | {"kind": "cluster", "interference": {"cluster": attribute}}
    return _tried(name, levels, other, method, sized)


def _tried(name: str, units: int | None, body: Json, method: str, sized: Callable[[Json], Sizing]) -> Choice:
    try:
        return _sized(name, units, sized(body), method)
    except ParibusError as error:
        return Choice(name, units, why_not=error.what)


def _sized(name: str, units: int | None, sizing: Sizing, method: str, *, chosen: bool = False) -> Choice:
    size = next(each for each in sizing.sizes if each.method.value == method)
    days = size.days if isinstance(size.days, int) else None
    return Choice(name, units, size.per_arm, days, "" if days is not None else "it does not arrive in a year", chosen)
