"""Backend architect of the service: code that decides, exposes, measures and falls back."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import BACKEND_ARCHITECT

ROLE = Role(
    id=BACKEND_ARCHITECT,
    version=1,
    title="Backend architect",
    brief=(
        "Write the service's part: ask the flag at the decision point, expose in both arms, run control or treatment, "
        "send the planned events with their properties, measure errors and latency, and serve control when anything "
        "fails. Its tests fail when the flag check, the exposure, an event or the fallback is taken out."
    ),
    steps=("backend",),
    inputs=("flag schema and decision points", "the tracking plan", "the framework of the configuration"),
    outputs=("backend: code, tests and a service that starts",),
    tools=("the SDK", "typed event clients"),
    limits=(
        "writes files of its artifact only; no flag, experiment or tracking plan",
        "sends no event that is not in the tracking plan",
        "is another role than step 4's architect, and is not merged with it",
    ),
)
