"""The same experiment gives the same numbers from a file and from every kind of table in memory, without pyarrow."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import paribus as pb
from paribus.errors import InputError


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    program = Path(__file__).with_name("frames_without_pyarrow.py")
    with as_file(files("paribus") / "examples" / "nsw" / "nsw.csv") as path:
        done = subprocess.run(
            [sys.executable, str(program), str(path)], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.xdist_group("frames")
@pytest.mark.parametrize("kind", ["pandas", "polars", "polars_lazy", "arrow", "duckdb"])
def test_a_frame_gives_the_numbers_of_the_file(found: dict[str, dict[str, Any]], kind: str) -> None:
    assert_same(found[kind], found["file"])


def assert_same(a: Any, b: Any) -> None:
    """Equal, but for the last digits of sums that were added in another order."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-12)
    else:
        assert a == b


def test_the_numbers_are_the_known_ones(found: dict[str, dict[str, Any]]) -> None:
    assert found["file"]["units"] == {"control": 260, "training": 185}
    (earnings,) = [c for c in found["file"]["comparisons"] if c["metric"] == "earnings_1978"]
    assert earnings["unadjusted"]["value"] == pytest.approx(1794.34, abs=0.01)


def test_what_is_no_table_is_refused_and_columns_are_asked_for() -> None:
    with pytest.raises(InputError, match="cannot be read as a table"):
        pb.analyze([1, 2], unit="a", variant="b", metrics=["c"])
    with pytest.raises(InputError, match="missing: unit, variant, metrics"):
        pb.analyze(pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="there is no column 'usr'") as refused:
        pb.analyze(pd.DataFrame({"user": [1], "arm": ["a"], "y": [1]}), unit="usr", variant="arm", metrics=["y"])
    assert refused.value.fix == "did you mean 'user'?"
