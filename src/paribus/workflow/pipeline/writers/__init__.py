"""Writers: the neutral plan as files that another tool accepts. A new tool is one module with one `Writer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paribus.workflow.artifact import File
from paribus.workflow.facts.pipeline import CheckPlan, TablePlan, TaskPlan


@dataclass(frozen=True, slots=True)
class Plan:
    """What a writer reads.

    name       an identifier: of the project, the DAG
    feature    the feature's key
    tables, checks, tasks, schedule   as in the facts
    owner      who answers for it
    """

    name: str
    feature: str
    tables: Sequence[TablePlan]
    checks: Sequence[CheckPlan]
    tasks: Sequence[TaskPlan]
    schedule: str
    owner: str


Writer = Callable[[Plan], list[File]]


def writers() -> dict[str, Writer]:
    """Every writer by the tool's name."""
    from paribus.workflow.pipeline.writers.airflow import airflow_dag
    from paribus.workflow.pipeline.writers.dbt import dbt_project

    return {"airflow": airflow_dag, "dbt": dbt_project}
