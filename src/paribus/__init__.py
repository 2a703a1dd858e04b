"""Paribus: from a product idea to a decision with data.

    import paribus as pb

    result = pb.analyze("results.csv", unit="user_id", variant="group", metrics=["converted", "revenue"])
    print(result)

Everything is loaded when first used, so that `import paribus` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_EXPORTS = {
    "analyze": "paribus.app",
    "certify": "paribus.app",
    "design": "paribus.app",
    "heterogeneity": "paribus.app",
    "init": "paribus.app",
    "panel": "paribus.app",
    "running": "paribus.app",
    "seal": "paribus.app",
    "sensitivity": "paribus.app",
    "sql": "paribus.app",
    "verify": "paribus.app",
    "ParibusError": "paribus.errors",
    "Result": "paribus.experiments.result",
    "Estimate": "paribus.stats.estimate",
    "Undetermined": "paribus.stats.estimate",
}

__all__ = ["__version__", *_EXPORTS]

if TYPE_CHECKING:
    from paribus.app import analyze as analyze
    from paribus.app import certify as certify
    from paribus.app import design as design
    from paribus.app import heterogeneity as heterogeneity
    from paribus.app import init as init
    from paribus.app import panel as panel
    from paribus.app import running as running
    from paribus.app import seal as seal
    from paribus.app import sensitivity as sensitivity
    from paribus.app import sql as sql
    from paribus.app import verify as verify
    from paribus.errors import ParibusError as ParibusError
    from paribus.experiments.result import Result as Result
    from paribus.stats.estimate import Estimate as Estimate
    from paribus.stats.estimate import Undetermined as Undetermined


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'paribus' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
