"""Data engineer: which events, how they become tables, and whether every one of them arrives."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import DATA_ENGINEER

ROLE = Role(
    id=DATA_ENGINEER,
    version=1,
    title="Data engineer",
    brief=(
        "Write the tracking plan that the metrics need, with owner, class, purpose and retention of every property. "
        "Plan how events become the tables that people query, under contracts that their own tools check. Before the "
        "launch plant events through the real clients and doors and count them out again: each once, with everything "
        "it should carry."
    ),
    steps=("instrument", "pipeline", "validate"),
    inputs=("the exploration report", "the sealed plan", "flag schema and decision points", "generated code"),
    outputs=("instrument: tracking plan", "pipeline: pipeline plan", "validate: validation report"),
    tools=("events", "lake", "warehouse", "governance", "the running server, with planted events"),
    limits=(
        "writes the tracking plan, and flags in staging only",
        "plants events only into the validation environment, never beside those of users",
        "passes no validation with an event lost or doubled",
    ),
    writes=frozenset({"tracking_plan", "flag"}),
)
