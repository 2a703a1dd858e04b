"""The tasks as a DAG of Airflow 3: each calls the command line, and says which datasets it brings up to date."""

from __future__ import annotations

import json

from paribus.workflow.artifact import File
from paribus.workflow.pipeline.writers import Plan


def airflow_dag(plan: Plan) -> list[File]:
    """One file, `dags/<name>.py`; `PARIBUS_DATA` and `PATH` come from Airflow's environment."""
    lines = [
        f'"""The pipeline of {_plain(plan.feature)}: generated from the pipeline plan, not edited by hand."""',
        "",
        "from __future__ import annotations",
        "",
        "from datetime import datetime, timedelta, timezone",
        "",
        "from airflow.providers.standard.operators.bash import BashOperator",
        "from airflow.sdk import DAG, Asset",
        "",
        "with DAG(",
        f"    dag_id={json.dumps(plan.name)},",
        f"    description={json.dumps(f'Paribus: {plan.feature}')},",
        f"    schedule={json.dumps(plan.schedule)},",
        "    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),",
        "    catchup=False,",
        "    max_active_runs=1,",
        f'    default_args={{"owner": {json.dumps(plan.owner)}, "retries": 0}},',
        '    tags=["paribus"],',
        ") as dag:",
    ]
    for task in plan.tasks:
        assets = ", ".join(f"Asset(name={json.dumps(name)}, uri={json.dumps(_uri(name))})" for name in task.produces)
        lines += [
            f"    {task.id} = BashOperator(",
            f"        task_id={json.dumps(task.id)},",
            f"        bash_command={json.dumps(task.command)},",
            f"        retries={task.retries},",
            f"        retry_delay=timedelta(minutes={task.retry_minutes}),",
            "        append_env=True,",
            f"        outlets=[{assets}],",
            "    )",
        ]
    lines += [f"    [{', '.join(task.depends_on)}] >> {task.id}" for task in plan.tasks if task.depends_on]
    return [File(path=f"airflow/dags/{plan.name}.py", text="\n".join(lines) + "\n")]


def _uri(name: str) -> str:
    return f"paribus://lake/{name}"


def _plain(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")
