"""The same files give the same proof, digit by digit: sums of floating-point numbers depend on their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from paribus import app
from paribus.app import experiment

UNITS = 200_000  # ten row groups, so that more than one thread has something to read


def table(folder: Path) -> Path:
    generator = np.random.default_rng(3)
    path = folder / "units.parquet"
    pl.DataFrame(
        {
            "user": np.arange(UNITS),
            "group": generator.choice(["control", "treatment"], UNITS),
            "revenue": generator.lognormal(3, 1, UNITS),
        }
    ).write_parquet(path, row_group_size=20_000)
    return path


def test_the_same_files_give_the_same_proof(tmp_path: Path) -> None:
    path = table(tmp_path)
    proofs = [app.analyze(str(path), unit="user", variant="group", metrics="revenue").proof["hashes"] for _ in range(3)]
    assert proofs[0] == proofs[1] == proofs[2]


def test_several_threads_give_another_order_and_the_same_verification(tmp_path: Path) -> None:
    path = table(tmp_path)
    result = app.analyze(str(path), unit="user", variant="group", metrics="revenue", threads=4)
    assert experiment.verify(result.to_dict()).data == "reproduced"
