"""The pipeline's lineage: jobs with the columns that their tables are made of; the data flow diagram is drawn of it."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts.graph import Edge, Graph, Group, Node
from paribus.governance.lineage import Dataset, Job
from paribus.workflow.facts.pipeline import TablePlan

_SHAPES = {"source": "store", "staging": "service", "fact": "table", "dimension": "table", "wide": "table"}


def jobs(tables: Sequence[TablePlan]) -> list[Job]:
    """A job per table that is made of others."""
    by_name = {table.name: _dataset(table) for table in tables}
    return [
        Job(
            name=f"make {table.name}",
            inputs=[by_name[name] for name in table.depends_on],
            output=by_name[table.name],
            sql=table.sql,
            sources={
                column.name: [(name, part) for name, _, part in (each.partition(".") for each in column.inputs)]
                for column in table.columns
                if column.inputs
            },
        )
        for table in tables
        if table.depends_on
    ]


def data_flow(made: Sequence[Job], tables: Sequence[TablePlan], senders: Sequence[tuple[str, int]], flag: str) -> Graph:
    """The flow from who sends events to the verdict; everything between is the lineage.

    Args:
        made: the jobs.
        tables: what they read and make.
        senders: who sends, and how many kinds of events.
        flag: whose result stands at the end.
    """
    nodes = [
        Node(
            f"from:{name}",
            name,
            "page" if name == "frontend" else "service",
            f"{kinds} kind{'s' * (kinds != 1)} of events",
            "lake",
        )
        for name, kinds in senders
    ]
    nodes += [
        Node("door", "intake", "check", "contract, then durable", "lake"),
        Node("quarantine", "quarantine", "store", "with the reason", "lake"),
    ]
    edges = [Edge(f"from:{name}", "door") for name, _ in senders]
    edges.append(Edge("door", "quarantine", "breaks its contract", dashed=True))
    for table in tables:
        lane = "lake" if table.kind == "source" else "star"
        nodes.append(Node(table.name, table.name, _SHAPES[table.kind], f"{len(table.columns)} columns", lane))  # type: ignore[arg-type]
        if table.kind == "source":
            edges.append(Edge("door", table.name))
    edges += [Edge(each.name, job.output.name) for job in made for each in job.inputs]
    fed = {each.name for job in made for each in job.inputs}
    nodes.append(Node("result", f"result of {flag}", "decision", "the sealed rule", "star"))
    edges += [Edge(job.output.name, "result") for job in made if job.output.name not in fed]
    groups = (Group("lake", "From the product to the lake"), Group("star", "From the lake to the answer"))
    return Graph("How data flow", tuple(nodes), tuple(edges), groups, "down")


def _dataset(table: TablePlan) -> Dataset:
    return Dataset(table.name, {column.name: column.type for column in table.columns})
