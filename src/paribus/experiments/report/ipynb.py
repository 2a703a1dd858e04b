"""The report as a Jupyter notebook that holds the result and computes it again, in the form of nbformat 4.5.

Written as plain JSON, so that no package is needed to write it. Its display cells bring their outputs, for readers who
do not run it; run, it needs nothing but Paribus. The same result gives the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import textwrap
from html import escape
from typing import Any

from paribus.experiments.report import method
from paribus.experiments.report.lines import printable
from paribus.experiments.report.notebook import notebook
from paribus.experiments.report.plot import plot
from paribus.experiments.report.text import text
from paribus.experiments.result import Result

Cell = dict[str, Any]
LINE = 116

_READ = """\
import base64, gzip, json
import paribus as pb

recorded = json.loads(gzip.decompress(base64.b64decode(packed)))
result = pb.Result.from_dict(recorded)"""

_VERIFY = """\
verification = pb.verify(recorded, data=False)  # data=True also measures again, where the data are in reach
print(verification.text())
assert verification.inference == "verified", verification.sentence"""

_BY_HAND = """\
from math import hypot

for each in recorded["comparisons"]:
    control, treatment = each["control"], each["treatment"]
    difference = treatment["value"] - control["value"]
    error = hypot(treatment["se"], control["se"])
    print(
        f"{each['metric']} in {treatment['variant']}: {control['value']:.6g} → {treatment['value']:.6g}, "
        f"difference {difference:.6g}, standard error {error:.3g}; {each['conclusion']}"
    )"""


def ipynb(result: Result) -> str:
    """The notebook's JSON: what was found, the result itself, its verification, table and pictures."""
    hidden = method.effects_hidden(result)
    packed = base64.b64encode(
        gzip.compress(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False).encode(), mtime=0)
    ).decode()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(packed, LINE))
    cells = [
        _prose("verdict", _opening(result)),
        _prose(
            "about-recorded",
            "## The result, with its proof\n\nPlan, seal, moments of each cell and statements; nothing else is read.",
        ),
        _code("recorded", f"packed = (\n{lines}\n)", hidden=True),
        _code("read", _READ),
        _prose("about-verify", "## Computed again\n\nEvery number and the verdict, from the moments, by the plan."),
        _code("verify", _VERIFY),
        _prose("about-effects", "## What was found"),
        _code("effects", "result", {"text/html": notebook(result), "text/plain": text(result)}),
    ]
    if not hidden and result.comparisons:
        cells += [
            _code("plot", "result.plot()", {"image/svg+xml": plot(result).svg, "text/plain": "the effects, drawn"}),
            _prose("about-arms", "## The arms, by plain arithmetic\n\nWithout covariates, caps and corrections."),
            _code("arms", _BY_HAND),
        ]
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _opening(result: Result) -> str:
    failed = [check for check in result.checks if check.status == "failed"]
    lines = [f"# {_plain(result.title or result.experiment)}", _plain(result.verdict.sentence)]
    if failed:
        named = ", ".join(_plain(check.name.replace("_", " ")) for check in failed)
        lines.append(f"Failed health checks: {named}.")
    if result.deviations:
        lines.append("Deviations from the sealed plan: " + " ".join(map(_plain, result.deviations)))
    return "\n\n".join(lines)


def _plain(words: str) -> str:
    """Words of others, without meaning in Markdown, HTML or a terminal."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]#|$" else sign for sign in escape(printable(words), quote=False))


def _prose(name: str, source: str) -> Cell:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(name: str, source: str, shown: dict[str, str] | None = None, *, hidden: bool = False) -> Cell:
    outputs = []
    if shown is not None:
        data = {kind: content.splitlines(keepends=True) for kind, content in shown.items()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {"jupyter": {"source_hidden": True}} if hidden else {},
        "outputs": outputs,
        "source": source.splitlines(keepends=True),
    }
