"""Type S and type M errors in closed form, and conditional maximum likelihood by optimization in R."""

from __future__ import annotations

from typing import Any

from tests.oracles import Unsupported

from paribus import stats


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if "true_effect" in inputs:
        found = stats.retrodesign(inputs["true_effect"], inputs["se"], inputs.get("alpha", 0.05))
        return {"power": found.power, "type_s": found.type_s, "exaggeration": found.exaggeration}
    if "conditional MLE" in method:
        alpha = inputs.get("alpha", 0.05)
        selection = "greater" if "one-sided" in method else "two-sided"
        return {"cond_mle": stats.conditional_mle(inputs["est"], inputs["se"], alpha=alpha, selection=selection).value}
    raise Unsupported(f"no method {method!r}")
