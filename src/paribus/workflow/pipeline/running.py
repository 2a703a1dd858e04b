"""How the pipeline runs and is watched: checks at every hop, tasks with retries, alerts, and what to do then."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.events.plan import PlanDoc
from paribus.lake.star_sql import property_column
from paribus.workflow.artifact import File
from paribus.workflow.facts.pipeline import AlertPlan, CheckPlan, ComponentPlan, TablePlan, TaskPlan

HOURLY = "17 * * * *"


def checks(plan: PlanDoc, tables: Sequence[TablePlan], freshness_seconds: float) -> tuple[CheckPlan, ...]:
    """Checks at intake, landing, in the cleaned and in the served tables."""
    found = [
        CheckPlan(id=f"intake.{name}", hop="intake", kind="contract", table="lake_events",
                  rule=f"{name} keeps version {event.version} of its contract, or waits in quarantine with its reason")
        for name, event in plan.events.items()
    ]  # fmt: skip
    found += [
        CheckPlan(id="landing.reconciled", hop="landing", kind="reconciled", table="lake_events",
                  rule="accepted at the door = rows in the lake, by dialect"),
        CheckPlan(id="landing.freshness", hop="landing", kind="freshness", table="lake_events",
                  column="received_time", rule=f"the newest event is at most {freshness_seconds:g} seconds old",
                  blocking=False),
        CheckPlan(id="landing.volume", hop="landing", kind="volume", table="lake_events",
                  rule="the day's events are within the band of the same weekdays before", blocking=False),
    ]  # fmt: skip
    for table in tables:
        if table.kind == "source":
            continue
        hop = "cleaned" if table.kind in ("staging", "fact") else "served"
        if len(table.key) == 1:
            found.append(_check(table, table.key[0], "unique", hop, "one row each"))
        elif table.key:
            found.append(
                CheckPlan(id=f"{table.name}.key.unique", hop=hop, kind="unique", table=table.name,
                          rule=f"{', '.join(table.key)} together are unique", values=table.key)
            )  # fmt: skip
        found += [
            _check(table, column.name, "not_null", hop, "never missing") for column in table.columns if column.required
        ]
    found += _declared(plan)
    found.append(
        CheckPlan(id="obt_experiment.user_key.relationships", hop="served", kind="relationships",
                  table="obt_experiment", column="user_key", to="dim_user.user_key", rule="every unit is a known user",
                  blocking=False)
    )  # fmt: skip
    return tuple(found)


def tasks(feature: str, evidence: str) -> tuple[TaskPlan, ...]:
    """A run: reconcile, bring the star model up, export, transform and test, analyze.

    `PARIBUS_DATA` names the data folder and `PIPELINE_FOLDER` the folder of the dbt project.
    """
    project = '"$PIPELINE_FOLDER"'

    def task(name: str, command: str, *after: str, produces: tuple[str, ...] = (), retries: int = 3) -> TaskPlan:
        return TaskPlan(
            id=name,
            command=command,
            depends_on=after,
            produces=produces,
            retries=retries,
            retry_minutes=2,
            evidence=evidence,
        )

    build = f"cd {project} && dbt build --project-dir . --profiles-dir ."
    return (
        task("reconcile", "paribus events reconcile", produces=("lake_events",)),
        task("refresh", f"paribus pipeline refresh {feature}", "reconcile", produces=("fct_event", "dim_user")),
        task("compare", f'[ "$(date -u +%H)" != 03 ] || paribus pipeline compare {feature}', "refresh", retries=1),
        task("export", f"paribus pipeline export {project}/data", "reconcile", produces=("lake_events_export",)),
        task("transform", build, "export", produces=("obt_experiment",)),
        task("analyze", f"paribus analyze {feature} --json", "refresh", "transform", produces=("result",), retries=1),
    )


def alerts(flag: str, freshness_seconds: float) -> tuple[AlertPlan, ...]:
    """When somebody is told; each names its runbook."""
    minutes = max(int(freshness_seconds // 60), 5)
    events = "paribus_intake_events_total"
    return (
        AlertPlan(
            name="events late",
            when=f"no event was accepted for {minutes} minutes",
            severity="page",
            runbook="late.md",
            expression=f'sum(rate({events}{{fate="accepted"}}[{minutes}m])) == 0',
        ),
        AlertPlan(
            name="counts differ",
            when="accepted at the door and rows in the lake differ",
            severity="page",
            runbook="reconcile.md",
        ),
        AlertPlan(
            name="quarantine grows",
            when="more than one event in a hundred breaks its contract",
            severity="ticket",
            runbook="quarantine.md",
            expression=f'sum(rate({events}{{fate="quarantined"}}[15m])) / sum(rate({events}[15m])) > 0.01',
        ),
        AlertPlan(name="feature fails", when=f"{flag} does harm", severity="page", runbook="kill.md"),
    )


def alert_rules(listed: Sequence[AlertPlan]) -> str:
    """The alerts that Prometheus can tell from what the server exports, as its rule file."""
    import yaml

    rules = [
        {
            "alert": "".join(word.capitalize() for word in each.name.split()),
            "expr": each.expression,
            "for": "5m",
            "labels": {"severity": each.severity},
            "annotations": {"summary": each.when, "runbook": f"runbooks/{each.runbook}"},
        }
        for each in listed
        if each.expression
    ]
    text: str = yaml.safe_dump({"groups": [{"name": "paribus-pipeline", "rules": rules}]}, sort_keys=False, width=200)
    return text


def components(real_time: bool) -> tuple[ComponentPlan, ...]:
    """Storage and processing, with what was not taken and why."""
    return (
        ComponentPlan(name="landing queue", role="durable before the door answers", rejected="to answer first",
                      why="an event that was acknowledged is never lost"),
        ComponentPlan(name="lake", role="every event, by day, as Delta", rejected="rows in a relational database",
                      why="columns compress, and other engines read the same files"),
        ComponentPlan(name="star model", role="facts, users with history, one wide table", rejected="views over JSON",
                      why="kept from new files alone, equal to a full rebuild"),
        ComponentPlan(name="live metrics", role="moments of running experiments", rejected="a query per look",
                      why="kept tables answer without a scan" if real_time else "read when a step runs"),
        ComponentPlan(name="dbt", role="the same star in a warehouse, with tests", rejected="hand-written jobs",
                      why="tests and documentation come with the models"),
        ComponentPlan(name="Airflow", role="schedule, retries, assets", rejected="cron",
                      why="retries, and what depends on what, are visible"),
        ComponentPlan(name="Kinesis", role="streaming of another cloud", rejected="", status="waits",
                      why="waits for its adapter; Kafka is there, by the setting PARIBUS_LANDING_URL"),
    )  # fmt: skip


def runbooks(flag: str, environment: str) -> tuple[File, ...]:
    """What to do at each alert: commands to look, then commands to act."""

    def book(name: str, title: str, looks: Sequence[str], acts: Sequence[str], then: str) -> File:
        look = "\n".join(f"$ {each}" for each in looks)
        act = "\n".join(f"$ {each}" for each in acts)
        text = f"# {title}\n\nLook:\n\n```console\n{look}\n```\n"
        text += f"\nAct:\n\n```console\n{act}\n```\n" if acts else ""
        return File(path=f"runbooks/{name}", text=f"{text}\n{then}\n")

    return (
        book("late.md", "No event arrives", ["paribus doctor", "paribus events tail --count 5"], [],
             "Clients keep events on disk and send them when the server answers again: start it, and nothing is lost."),
        book("reconcile.md", "Counts differ", ["paribus events reconcile", "paribus doctor"], ["paribus audit verify"],
             "Accepted rows wait in the landing queue until they are in the lake; doctor says what holds them up."),
        book("quarantine.md", "Events break their contract", ["paribus events quarantine"], ["paribus events replay"],
             "Correct the sender or the tracking plan first; replay then lets in what keeps the plan of now."),
        book("kill.md", f"{flag} does harm", [f"paribus flag show {flag}"],
             [f"paribus kill {flag} --environment {environment} --why 'harm seen on call'"],
             "Everyone gets the control from the next evaluation on; the enrollment closes at that time."),
    )  # fmt: skip


def _check(table: TablePlan, column: str, kind: str, hop: str, rule: str) -> CheckPlan:
    return CheckPlan.model_validate(
        {
            "id": f"{table.name}.{column}.{kind}",
            "hop": hop,
            "kind": kind,
            "table": table.name,
            "column": column,
            "rule": rule,
        }
    )


def _declared(plan: PlanDoc) -> list[CheckPlan]:
    """Allowed values and bounds that the plan declares, checked again in the facts."""
    found: dict[str, CheckPlan] = {}
    for name, event in plan.events.items():
        for key, declared in event.properties.items():
            column = property_column(key)
            where = {"hop": "cleaned", "table": "fct_event", "column": column, "to": ""}
            if declared.enum is not None and declared.type == "string":
                check = {"id": f"fct_event.{name}.{column}.values", "kind": "accepted_values",
                         "rule": f"in {name} one of {', '.join(map(str, declared.enum))}",
                         "values": [name, *map(str, declared.enum)]}  # fmt: skip
                found[str(check["id"])] = CheckPlan.model_validate({**where, **check})
            if declared.minimum is not None or declared.maximum is not None:
                low = "" if declared.minimum is None else str(declared.minimum)
                high = "" if declared.maximum is None else str(declared.maximum)
                check = {"id": f"fct_event.{name}.{column}.range", "kind": "range",
                         "rule": f"in {name} at least {low or 'anything'}, at most {high or 'anything'}",
                         "values": [name, low, high]}  # fmt: skip
                found[str(check["id"])] = CheckPlan.model_validate({**where, **check})
    return list(found.values())
