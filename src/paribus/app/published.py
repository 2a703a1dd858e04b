"""The schemas that others read, kept in spec/: `python -m paribus.app.published spec` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def texts() -> dict[str, str]:
    """The published files, by name."""
    from pydantic import BaseModel, TypeAdapter

    from paribus.events.plan import PlanDoc
    from paribus.experiments import schema, serialize
    from paribus.experiments.panel.result import PanelEffects
    from paribus.experiments.running.result import RunningReadings
    from paribus.flags.document import KINDS
    from paribus.shop.scenario import Scenario
    from paribus.workflow import config

    documents: dict[str, type[BaseModel]] = {**KINDS, "tracking_plan": PlanDoc, "scenario": Scenario}
    schemas = {kind: model.model_json_schema() for kind, model in documents.items()}
    schemas["panel"] = TypeAdapter(PanelEffects).json_schema()
    schemas["running"] = TypeAdapter(RunningReadings).json_schema()
    described = {
        f"{kind}.schema.json": json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:paribus:{kind}:1", **described},
            indent=2,
        )
        + "\n"
        for kind, described in schemas.items()
    }
    return {
        "config.schema.json": config.json_schema_text(),
        "experiment.schema.json": schema.json_schema_text(),
        "result.schema.json": serialize.json_schema_text(),
        **described,
    }


def write(folder: str | Path) -> None:
    """Writes the published files into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "spec")
