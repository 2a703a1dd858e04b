"""The notebook: valid by the format's rules, the same each time, and its cells run with nothing but Paribus."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.experiments.results import HOSTILE, RESULTS

from paribus import app
from paribus.experiments.report import ipynb
from paribus.experiments.result import Result

NSW = Path(__file__).parents[2] / "src" / "paribus" / "examples" / "nsw" / "nsw.csv"
LINES = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
CELL = {
    "type": "object",
    "required": ["id", "cell_type", "metadata", "source"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-zA-Z0-9-_]+$", "minLength": 1, "maxLength": 64},
        "cell_type": {"enum": ["markdown", "code"]},
        "metadata": {"type": "object"},
        "source": LINES,
        "execution_count": {"type": ["integer", "null"], "minimum": 0},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["output_type", "data", "metadata"],
                "properties": {
                    "output_type": {"const": "display_data"},
                    "data": {"type": "object", "additionalProperties": LINES},
                    "metadata": {"type": "object"},
                },
            },
        },
    },
    "additionalProperties": False,
    "if": {"properties": {"cell_type": {"const": "code"}}},
    "then": {"required": ["execution_count", "outputs"]},
    "else": {"not": {"anyOf": [{"required": ["outputs"]}, {"required": ["execution_count"]}]}},
}
FORMAT = {  # what nbformat.v4.5.schema.json asks for
    "type": "object",
    "additionalProperties": False,
    "required": ["metadata", "nbformat_minor", "nbformat", "cells"],
    "properties": {
        "nbformat": {"const": 4},
        "nbformat_minor": {"const": 5},
        "metadata": {
            "type": "object",
            "properties": {"kernelspec": {"type": "object", "required": ["name", "display_name"]}},
        },
        "cells": {"type": "array", "items": CELL},
    },
}


@pytest.fixture(scope="module")
def result() -> Result:
    return app.analyze(
        str(NSW),
        unit="participant",
        variant="group",
        metrics=["earnings_1978"],
        covariates={"earnings_1978": ["earnings_1975"]},
    )


def cells(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    for cell in json.loads(text)["cells"]:
        yield cell, "".join(cell["source"])


def run(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Names after all code cells ran in order, and what each printed."""
    names: dict[str, Any] = {}
    printed = {}
    for cell, source in cells(text):
        if cell["cell_type"] == "code":
            with redirect_stdout(io.StringIO()) as out:
                exec(compile(source, cell["id"], "exec"), names)
            printed[cell["id"]] = out.getvalue()
    return names, printed


@pytest.mark.parametrize("one", RESULTS.values(), ids=RESULTS.keys())
def test_every_result_is_a_valid_notebook(one: Result) -> None:
    document = json.loads(ipynb(one))
    jsonschema.validate(document, FORMAT)
    ids = [cell["id"] for cell in document["cells"]]
    assert len(ids) == len(set(ids))
    hidden = {one.verdict.value.value, one.verdict.would_be and one.verdict.would_be.value} & {"invalid"}
    assert ("plot" in ids) != bool(hidden)


def test_its_cells_compute_the_result_again(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the data are not here
    names, printed = run(ipynb(result))
    assert printed["verify"].startswith("inference verified")
    assert names["result"].to_dict() == result.to_dict()
    # LaLonde (1986), Dehejia and Wahba (1999): 4554.80 and 6349.14 dollars, a benchmark of 1794 with error 671.
    assert "4554.8 → 6349.14, difference 1794.34, standard error 671;" in printed["arms"]
    assert list(tmp_path.iterdir()) == []


def test_an_edited_number_stops_it(result: Result) -> None:
    plain = result.to_dict()
    plain["comparisons"][0]["absolute"]["value"] *= 1.01
    with pytest.raises(AssertionError, match="differs"):
        run(ipynb(Result.from_dict(plain)))


def test_the_same_result_gives_the_same_bytes(result: Result) -> None:
    assert ipynb(result) == ipynb(Result.from_dict(json.loads(json.dumps(result.to_dict()))))


def test_words_of_others_have_no_meaning_in_its_prose() -> None:
    prose = "\n".join(source for cell, source in cells(ipynb(HOSTILE)) if cell["cell_type"] == "markdown")
    assert "<" not in prose
    assert not re.search(r"(?<!\\)\[", prose)
