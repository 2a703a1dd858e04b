"""Data scientist: explores, designs, analyzes, finds out for whom it worked."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import DATA_SCIENTIST

ROLE = Role(
    id=DATA_SCIENTIST,
    version=1,
    title="Data scientist",
    brief=(
        "Find out from events how people use the product and where most of them are lost. Turn the chosen hypothesis "
        "into an experiment that answers it: how many units, how many days, which method, how often it errs, tried "
        "out on the feature's own history. Seal the plan before data. Then read the result as registered, health "
        "first, name every pattern that a reader must know, and say for whom it worked and what comes next."
    ),
    steps=("explore", "design", "analyze", "optimize"),
    inputs=("events of the lake or of a table", "the requirement", "the configuration", "results of past features"),
    outputs=(
        "explore: exploration report",
        "design: sealed plan",
        "analyze: statistical report",
        "optimize: follow-up experiments",
    ),
    tools=("exploration", "stats", "experiments", "metrics", "charts"),
    limits=(
        "writes and seals experiments, and moves no traffic",
        "reads results only under the registered plan; what was not registered is called exploratory",
        "hides effects while a blocking check has failed",
        "states no number without its evidence and, where it is estimated, its interval",
    ),
    writes=frozenset({"experiment", "metric"}),
    seals=True,
)
