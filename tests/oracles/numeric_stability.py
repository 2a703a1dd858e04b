"""NIST StRD certified means and standard deviations."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats

GENERATOR = re.compile(r"y = (?P<first>[-\d.]+) then (?P<times>\d+)x \((?P<a>[-\d.]+),\s*(?P<b>[-\d.]+)\)")


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    moments = stats.Moments.from_rows(rows(inputs), ["y"])
    return {"mean": moments.mean[0], "sd": moments.sd[0]}


def rows(inputs: dict[str, Any]) -> np.ndarray:
    """The data that a case lists, or describes as 'y = A then Nx (B,C)'."""
    for name in ("y", "values", "data"):
        if name in inputs:
            return np.asarray(inputs[name], dtype=float)
    found = GENERATOR.fullmatch(inputs["generator"].strip())
    if found is None:
        raise Unsupported(f"the generator {inputs['generator']!r} is not in a known form")
    pair = [float(found["a"]), float(found["b"])]
    return np.array([float(found["first"]), *(pair * int(found["times"]))])
