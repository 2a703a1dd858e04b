"""Observability engineer: whether it is healthy now, and who is told when it is not."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import OBSERVABILITY_ENGINEER

ROLE = Role(
    id=OBSERVABILITY_ENGINEER,
    version=1,
    title="Observability engineer",
    brief=(
        "Show errors, latency and health per arm while the experiment runs, with intervals that hold however often "
        "they are looked at. Set alerts that reach a person, define service levels, and report what fired and what "
        "was done about it."
    ),
    steps=("monitor",),
    inputs=("the experiment's configuration", "the rollout record", "events as they arrive"),
    outputs=("monitor: monitoring report, with dashboards and alert rules as files",),
    tools=("monitoring", "metrics", "charts"),
    limits=(
        "alerts, and moves no traffic: acting is the deployment engineer's and the watcher's",
        "convicts on treatment against control only; a level that both arms miss is called cause not established",
    ),
)
