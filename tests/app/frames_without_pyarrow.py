"""Run as a program where pyarrow cannot be imported: one experiment from a file and from every kind of frame."""

from __future__ import annotations

import json
import sys
from importlib.machinery import PathFinder


class WithoutPyarrow(PathFinder):
    """Finds every module but pyarrow, as on a machine where it is not installed."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # type: ignore[no-untyped-def]
        return None if name.partition(".")[0] == "pyarrow" else PathFinder.find_spec(name, path, target)


sys.meta_path[:] = [WithoutPyarrow if finder is PathFinder else finder for finder in sys.meta_path]


def main(path: str) -> None:
    import arro3.core
    import duckdb
    import pandas as pd
    import polars as pl

    import paribus as pb

    polars = pl.read_csv(path)
    sources = {
        "file": path,
        "pandas": pd.read_csv(path),
        "polars": polars,
        "polars_lazy": polars.lazy(),
        "arrow": arro3.core.Table.from_arrow(polars),
        "duckdb": duckdb.connect().read_csv(path, dtype={"degree": "VARCHAR"}),
    }
    found = {}
    for name, source in sources.items():
        result = pb.analyze(
            source,
            unit="participant",
            variant="group",
            metrics=["earnings_1978", "employed_1978"],
            covariates={"earnings_1978": ["earnings_1975"]},
            segments=["degree"],
        )
        plain = result.to_dict()
        found[name] = {key: plain[key] for key in ("verdict", "comparisons", "segments", "units", "checks")}
        assert repr(result)
        assert "<" in result._repr_html_()
    assert not [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
