"""NIST StRD certified means and standard deviations."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from tests.oracles import Unsupported

from paribus import stats

NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
LISTED = rf"{NUMBER}(?:\s*,\s*{NUMBER})*"
TERM = re.compile(rf"(?:(?P<times>\d+)\s*x\s*\((?P<repeated>{LISTED})\)|(?P<once>{LISTED}))")


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    moments = stats.Moments.from_rows(rows(inputs), ["y"])
    return {"mean": moments.mean[0], "sd": moments.sd[0]}


def rows(inputs: dict[str, Any]) -> np.ndarray:
    """The data that a case lists, or describes as 'y = A then Nx (B,C)'."""
    lists = [value for value in inputs.values() if isinstance(value, list)]
    return np.asarray(lists[0] if lists else described(inputs["generator"]), dtype=float)


def described(sentence: str) -> list[str]:
    """The numbers of 'y = A then Nx (B,C)': what is listed, one part after another."""
    numbers: list[str] = []
    for part in sentence.rsplit("=", maxsplit=1)[-1].split("then"):
        found = TERM.fullmatch(part.strip())
        if found is None:
            raise Unsupported(f"the generator {sentence!r} is not in a known form")
        listed = (found["repeated"] or found["once"]).split(",")
        numbers += listed * int(found["times"] or 1)
    return numbers
