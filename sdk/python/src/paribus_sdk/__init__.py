"""The Python SDK of Paribus: flags decided in microseconds, exposures and events delivered durably.

Names are imported when first used, so that a service pays for what it touches only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paribus_sdk.bucketing import bucket
    from paribus_sdk.client import Client
    from paribus_sdk.decision import Decision, ErrorCode, Reason
    from paribus_sdk.evaluator import Evaluator
    from paribus_sdk.explain import Explanation

__all__ = ["Client", "Decision", "ErrorCode", "Evaluator", "Explanation", "Reason", "bucket"]

_HOMES = {
    "Client": "client",
    "Decision": "decision",
    "ErrorCode": "decision",
    "Evaluator": "evaluator",
    "Explanation": "explain",
    "Reason": "decision",
    "bucket": "bucketing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"paribus_sdk.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
