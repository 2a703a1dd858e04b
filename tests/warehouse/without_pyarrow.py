"""Run as a program: every kind of frame read by the engine in a process that cannot import pyarrow."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder


class WithoutPyarrow(PathFinder):
    """Finds every module but pyarrow, as on a machine where it is not installed."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):  # type: ignore[no-untyped-def]
        return None if name.partition(".")[0] == "pyarrow" else PathFinder.find_spec(name, path, target)


sys.meta_path[:] = [WithoutPyarrow if finder is PathFinder else finder for finder in sys.meta_path]


def main() -> None:
    import arro3.core
    import duckdb
    import pandas as pd
    import polars as pl

    from paribus.warehouse import open_engine

    data = {"user": ["a", "b", "c", None], "revenue": [1.5, None, 2.5, 3.0], "n": [1, 2, 3, 4]}
    frame = pl.DataFrame(data)
    table = arro3.core.Table.from_arrow(frame)
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t ("user" TEXT, revenue DOUBLE, n INTEGER)')
    connection.execute("INSERT INTO t VALUES ('a', 1.5, 1), ('b', NULL, 2), ('c', 2.5, 3), (NULL, 3, 4)")

    class OnlyTheCapsule:
        def __len__(self) -> int:
            return 4

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return frame.__arrow_c_stream__(requested_schema)

    class ReadOnce:
        def __init__(self) -> None:
            self.stream = frame.__arrow_c_stream__(None)

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            stream, self.stream = self.stream, None
            assert stream is not None, "read twice"
            return stream

        def __arrow_c_schema__(self) -> object:
            return table.schema.__arrow_c_schema__()

    frames = {
        "pandas": pd.DataFrame(data),
        "polars": frame,
        "polars_lazy": frame.lazy(),
        "arrow_table": table,
        "arrow_reader": arro3.core.RecordBatchReader.from_arrow(frame),
        "arrow_batch": table.to_batches()[0],
        "duckdb_relation": connection.table("t"),
        "capsule": OnlyTheCapsule(),
        "read_once": ReadOnce(),
    }
    engine = open_engine(None, frames=frames)
    for name in frames:
        columns = engine.columns(name)
        assert columns == {"user": "text", "revenue": "number", "n": "integer"}, (name, columns)
        for _ in range(2):  # every statement reads the frame again
            rows = engine.query(
                f'SELECT count(*), count("user"), sum(revenue), sum(n) FROM {engine.relation_sql(name)}'
            ).rows
            assert rows == [(4, 3, 7.0, 10)], (name, rows)
    engine.close()
    assert not [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]
    print(" ".join(frames))


if __name__ == "__main__":
    main()
