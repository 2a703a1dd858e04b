"""Requests to a data engineer, answered with a plan in eight parts that its own checker accepts."""

from paribus.workflow.engineering.answer import Answer, answer
from paribus.workflow.engineering.request import Request, understood
from paribus.workflow.engineering.review import review

__all__ = ["Answer", "Request", "answer", "review", "understood"]
