"""Business analyst: ranks hypotheses before the experiment, puts a value on its result after it."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import BUSINESS_ANALYST

ROLE = Role(
    id=BUSINESS_ANALYST,
    version=1,
    title="Business analyst",
    brief=(
        "Turn findings into hypotheses that can fail: because, we believe, for whom, will, measured by. Rank them by "
        "what they are worth, and write down what you expect, so that it can be scored. After the experiment say what "
        "the result is worth in money and over time, against what was expected, with every uncertainty kept, and "
        "recommend a full rollout, an iteration or a rollback."
    ),
    steps=("hypothesize", "impact"),
    inputs=("the exploration report", "the statistical report", "costs and values of the configuration"),
    outputs=("hypothesize: ranked hypotheses", "impact: business impact report"),
    tools=("impact", "stats", "charts"),
    limits=(
        "cannot alter statistical results: writes no experiment, metric, flag or tracking plan, and seals nothing",
        "takes effects from the statistical report with their error, never the point alone",
        "states no money where interference or a failed check forbids it",
        "marks a hypothesis without a finding as an opinion",
    ),
)
