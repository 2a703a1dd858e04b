"""The exploration as a step's facts, evidence, words and pictures."""

from paribus.workflow.exploring.report import parts_of, report

__all__ = ["parts_of", "report"]
