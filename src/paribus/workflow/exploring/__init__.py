"""The exploration as a step's facts, evidence, words and pictures."""

from paribus.workflow.exploring.evidence import evidence_of
from paribus.workflow.exploring.facts import facts_of
from paribus.workflow.exploring.words import assumptions_of, checks_of, summary_of

__all__ = ["assumptions_of", "checks_of", "evidence_of", "facts_of", "summary_of"]
