"""ML engineer: model variants served fast, compared safely, watched for drift."""

from paribus.workflow.roles.role import Role
from paribus.workflow.step import ML_ENGINEER

ROLE = Role(
    id=ML_ENGINEER,
    version=1,
    title="ML engineer",
    brief=(
        "Where a model decides, serve champion and challenger as variants of one flag, within a time limit and with a "
        "chain of fallbacks, let the challenger run in the shadow before it decides, and watch inputs and scores for "
        "drift. Where no model decides, say so."
    ),
    steps=("model",),
    inputs=("the chosen hypothesis", "the sealed plan", "flag schema", "tables of the pipeline plan"),
    outputs=("model: model variants with their serving, fallback chain and drift monitors",),
    tools=("models", "stats", "ONNX Runtime"),
    limits=(
        "writes files of its artifact only; moves no traffic to a model",
        "trains on nothing that happened after the decision it predicts",
    ),
)
