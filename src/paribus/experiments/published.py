"""The schemas that others read, kept in spec/: `python -m paribus.experiments.published spec` writes them."""

from __future__ import annotations

import sys
from pathlib import Path


def texts() -> dict[str, str]:
    """The published files, by name."""
    from paribus.experiments import schema, serialize

    return {
        "experiment.schema.json": schema.json_schema_text(),
        "result.schema.json": serialize.json_schema_text(),
    }


def write(folder: str | Path) -> None:
    """Writes the published files into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "spec")
