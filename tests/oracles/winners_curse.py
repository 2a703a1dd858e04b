"""The winner's curse: closed forms of Lu, Qiu, Deng 2019; conditional likelihood by numeric optimization in R."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if method.startswith("conditional MLE"):
        found = stats.conditional_mle(inputs["est"], inputs["se"], alpha=inputs["alpha"])
        return {"cond_mle": found.value}
    if method.startswith("type S"):
        design = stats.retrodesign(inputs["true_effect"], inputs["se"], inputs["alpha"])
        return {"power": design.power, "type_s": design.type_s, "exaggeration": design.exaggeration}
    raise Unsupported(f"no method {method!r}")
