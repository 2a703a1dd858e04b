"""Frontend developer: a page that shows both variants and tracks every interaction."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import FRONTEND_DEVELOPER

ROLE = Role(
    id=FRONTEND_DEVELOPER,
    version=1,
    title="Frontend and mobile developer",
    brief=(
        "Build the page, for small screens first: both variants, the fallback to control, an event for every "
        "interaction the plan lists, Web Vitals, an error boundary, and nothing of a person on any record. No "
        "variant may flicker into the other."
    ),
    steps=("frontend",),
    inputs=("flag schema and decision points", "the tracking plan", "the backend's routes"),
    outputs=("frontend: page or component, with tests that a browser runs; web, and mobile web by viewport",),
    tools=("the browser SDK", "typed event clients"),
    limits=(
        "writes files of its artifact only; no flag, experiment or tracking plan",
        "carries no key but a client key",
        "records no text that people type",
    ),
)
