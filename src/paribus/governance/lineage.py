"""Where tables and their columns come from, as OpenLineage events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

PRODUCER = "urn:paribus:lineage"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table with its columns, types by name."""

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """What makes a table of others.

    sources  by column of the output, the (table, column) pairs that it is made of; columns not named here are unknown
    """

    name: str
    inputs: Sequence[Dataset]
    output: Dataset
    sql: str = ""
    sources: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


def run_events(jobs: Iterable[Job], *, namespace: str, time: datetime, run: str) -> list[RunEvent]:
    """A start and a completion per job, in their order, with schema, SQL and column lineage.

    Args:
        jobs: what ran.
        namespace: of jobs and datasets, for instance the lake's URL.
        time: when it ran.
        run: names the run; the same name gives the same run ids.
    """
    from openlineage.client.event_v2 import InputDataset, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.event_v2 import Job as LineageJob
    from openlineage.client.facet_v2 import (
        DatasetFacet,
        JobFacet,
        column_lineage_dataset,
        schema_dataset,
        sql_job,
    )

    def schema(of: Dataset) -> dict[str, DatasetFacet]:
        if not of.columns:
            return {}
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in of.columns.items()]
        return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}

    events = []
    for job in jobs:
        facets: dict[str, JobFacet] = {"sql": sql_job.SQLJobFacet(query=job.sql)} if job.sql else {}
        output = schema(job.output)
        if job.sources:
            output["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(
                fields={
                    column: column_lineage_dataset.Fields(
                        inputFields=[
                            column_lineage_dataset.InputField(namespace=namespace, name=table, field=source)
                            for table, source in pairs
                        ]
                    )
                    for column, pairs in job.sources.items()
                }
            )
        inputs = [InputDataset(namespace=namespace, name=each.name, facets=schema(each)) for each in job.inputs]
        for state in (RunState.START, RunState.COMPLETE):
            events.append(
                RunEvent(
                    eventTime=time.isoformat(),
                    producer=PRODUCER,
                    run=Run(runId=str(uuid5(NAMESPACE_URL, f"{PRODUCER}/{namespace}/{run}/{job.name}"))),
                    job=LineageJob(namespace=namespace, name=job.name, facets=facets),
                    eventType=state,
                    inputs=inputs,
                    outputs=[OutputDataset(namespace=namespace, name=job.output.name, facets=output)],
                )
            )
    return events


def lines(events: Iterable[RunEvent]) -> str:
    """The events as JSON lines, as any OpenLineage backend takes them, one by one."""
    from openlineage.client.serde import Serde

    return "".join(f"{Serde.to_json(event)}\n" for event in events)


def upstream(jobs: Iterable[Job], table: str, column: str) -> set[tuple[str, str]]:
    """Every (table, column) that a column is made of, however far back."""
    by_output = {job.output.name: job for job in jobs}
    found: set[tuple[str, str]] = set()
    waiting = [(table, column)]
    while waiting:
        at, name = waiting.pop()
        job = by_output.get(at)
        for pair in job.sources.get(name, ()) if job is not None else ():
            if pair not in found:
                found.add(pair)
                waiting.append(pair)
    return found
