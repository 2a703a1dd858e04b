"""The clusters statement: one row per cluster with its units and sums, for analyses clustered above the unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.metrics.cells import NO_CLUSTER, ClusterSums
from paribus.metrics.level import Columns, UnitLevel
from paribus.metrics.sums import bound, capped
from paribus.warehouse.sql import build as sql


@dataclass(slots=True)
class ClusterPlan:
    """The statement and where its numbers stand."""

    text: str = ""
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)


def statement(
    level: UnitLevel, caps: Mapping[str, tuple[float | str | None, float | str | None]], dialect: str
) -> ClusterPlan:
    """One row per (variant, cluster): units, and the sums of y (and d) of each metric over them."""
    plan = ClusterPlan()
    columns = Columns("z")
    variant, cluster = sql.own(level.keys["variant"]), sql.own(level.keys["cluster"])
    columns.add(variant, "z_variant")
    columns.add(cluster, "z_cluster")
    for name, described in level.metrics.items():
        low, high = (bound(end) for end in caps.get(name, (None, None)))
        plan.variables[name] = tuple(v.name for v in described.outcomes)
        plan.aliases[name, "n"] = columns.add(sql.known(sql.own(described.y.alias)))
        for variable in described.outcomes:
            value = sql.own(variable.alias)
            if variable.name == "y":
                value = capped(value, low, high)
            plan.aliases[name, variable.name] = columns.add(sql.total(value))
    single = sql.equal(sql.own(level.keys["mixed"]), sql.integer(0)) if "mixed" in level.keys else None
    select = sql.Select(columns.by_alias, level.relation, where=single, group=[variant, cluster])
    plan.text = level.statement.sql(select, dialect)
    return plan


def read(plan: ClusterPlan, records: Sequence[Mapping[str, Any]]) -> dict[str, ClusterSums]:
    """Cluster sums by metric; a cluster without units of a metric is absent from it."""
    ordered = sorted(records, key=lambda row: (str(row["z_variant"]), _name(row["z_cluster"])))
    read_sums = {}
    for name, variables in plan.variables.items():
        rows = [row for row in ordered if int(row[plan.aliases[name, "n"]])]
        read_sums[name] = ClusterSums(
            name,
            tuple(str(row["z_variant"]) for row in rows),
            tuple(_name(row["z_cluster"]) for row in rows),
            tuple(float(row[plan.aliases[name, "n"]]) for row in rows),
            tuple(tuple(_float(row[plan.aliases[name, v]]) for row in rows) for v in variables),
        )
    return read_sums


def _name(cluster: Any) -> str:
    return NO_CLUSTER if cluster is None else str(cluster)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
