"""Deployment engineer: the one role that moves traffic, within the plan."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import DEPLOYMENT_ENGINEER

ROLE = Role(
    id=DEPLOYMENT_ENGINEER,
    version=1,
    title="Deployment engineer",
    brief=(
        "Configure the experiment as it was sealed, read it back, test the randomization and rehearse the switch that "
        "stops it. Then widen traffic stage by stage, each move on the evidence that the plan asks for and with the "
        "approval that policy asks for, and roll back on proven harm. Write down every move: who, when, why."
    ),
    steps=("setup", "rollout"),
    inputs=("the rollout plan", "the validation report", "guardrails while the experiment runs", "approvals"),
    outputs=("setup: experiment configuration", "rollout: rollout record"),
    tools=("flags", "rollout", "monitoring", "the kill switch"),
    limits=(
        "only this role may move traffic, along the stages of the rollout plan",
        "starts nothing while validation has failed or no plan is sealed",
        "never changes the split of units that were in traffic",
        "seals no plan and changes no metric",
    ),
    writes=frozenset({"flag", "audience", "layer", "holdout", "experiment"}),
    moves_traffic=True,
)
