"""The sixteen steps, the specialist roles, the dossier, the durable run."""

from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome, Part
from paribus.workflow.block import Block, Code, Diagram, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.config import Config
from paribus.workflow.context import Context, Endpoint, Feature
from paribus.workflow.step import BY_SLUG, PHASES, STEPS, Step, downstream, named

__all__ = [
    "BY_SLUG",
    "PHASES",
    "STEPS",
    "Artifact",
    "Block",
    "Code",
    "Config",
    "Context",
    "Diagram",
    "Endpoint",
    "Evidence",
    "Feature",
    "File",
    "Heading",
    "Listing",
    "Measured",
    "Outcome",
    "Paragraph",
    "Part",
    "Picture",
    "Step",
    "Table",
    "downstream",
    "named",
]
