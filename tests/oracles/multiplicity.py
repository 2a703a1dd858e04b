"""Multiplicity cases: R's p.adjust, graphs by closed tests, e-BH, Dunnett's table, tea-tasting."""

from __future__ import annotations

import re
from typing import Any, Literal

from tests.oracles import Unsupported

from paribus.stats.dunnett import dunnett_critical_value
from paribus.stats.evalues import e_bh
from paribus.stats.graphical import graph, graphical_test
from paribus.stats.multiplicity import adjusted_p_values, rejections, simes

ADJUSTMENTS = {
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "holm": "holm",
    "holm_sidak": "holm-sidak",
    "hochberg": "hochberg",
    "hommel": "hommel",
    "BH": "benjamini-hochberg",
    "BY": "benjamini-yekutieli",
}


def run(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if method.startswith("Dunnett"):
        named = re.search(r"df ?= ?(\d+)", method)
        df = inputs.get("df") or (named[1] if named else "inf")
        sides: Literal[1, 2] = 1 if "one-sided" in method else 2
        critical = dunnett_critical_value(inputs["k"], inputs["alpha"], df=float(df), sides=sides)
        return {"crit": critical, "published_2dp": round(critical, 2)}
    if method.startswith("e-BH"):
        found = e_bh(inputs["e"], inputs["alpha"])
        return {"n_rejected": found.count, "rejected_index_1based": found.positions}
    if method.startswith("graphical"):
        procedure = graph(inputs["weights"], inputs["transitions"])
        tested = graphical_test(inputs["p"], procedure, inputs["alpha"])
        return {"rejected": tested.rejected, "adjusted_p": tested.adjusted_p_value}
    if "p" not in inputs:
        raise Unsupported(f"no function for {method!r}")
    p = inputs["p"]
    answers = {key: adjusted_p_values(p, name) for key, name in ADJUSTMENTS.items()}
    if "Sidak" in method or "sidak" in method:
        step = "hochberg-sidak" if "ochberg" in method else "holm-sidak" if "olm" in method else "sidak"
        answers["adj"] = adjusted_p_values(p, step)
    return answers | {"simes": simes(p), "bh_rejects_05": rejections(p, 0.05, "benjamini-hochberg")}
