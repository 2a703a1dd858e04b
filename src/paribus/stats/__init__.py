"""Numbers in, numbers out: effects with their uncertainty, from moments.

Every public name is imported from its module when first used (PEP 562), so `import paribus.stats` loads numpy and
nothing heavier. `_EXPORTS` is the table of contents.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from paribus.errors import did_you_mean

_EXPORTS: dict[str, str] = {
    # results
    "Alternative": "estimate",
    "Estimate": "estimate",
    "Estimates": "estimate",
    "Reason": "estimate",
    "Undetermined": "estimate",
    "estimates": "estimate",
    # data as moments
    "Moments": "moments",
    # intervals and p-values
    "Boundary": "boundary",
    "Fixed": "boundary",
    # arms and their comparison
    "Arm": "arm",
    "difference": "arm",
    "mean": "arm",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605 (computed from the table above)


def __getattr__(name: str) -> Any:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"paribus.stats has no {name!r}; {did_you_mean(name, _EXPORTS)}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return __all__
