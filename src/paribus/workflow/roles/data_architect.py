"""Backend architect of data: where the decision is made, and how traffic can widen and stop."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import DATA_ARCHITECT

ROLE = Role(
    id=DATA_ARCHITECT,
    version=1,
    title="Backend architect (data)",
    brief=(
        "Decide where the variant is decided: one evaluation, one exposure, in every arm by the same condition. Draft "
        "the flag and its value's schema, keep control and treatment apart, say when the breaker opens and what is "
        "served then, and plan the stages by which traffic widens, each with the evidence that ends it."
    ),
    steps=("architect",),
    inputs=("the ranked hypotheses", "the sealed plan", "the provider of the configuration"),
    outputs=("architect: flag schema and rollout plan, with the flag as each provider writes it",),
    tools=("flags", "charts"),
    limits=(
        "drafts the flag switched off or without traffic; only the deployment engineer moves traffic",
        "changes neither the experiment nor the tracking plan",
    ),
    writes=frozenset({"flag", "audience", "layer", "holdout"}),
)
