"""The files of step 9: the decision with its chain, its tests, the pipeline and the server."""

from __future__ import annotations

import base64
import json
from importlib.metadata import version
from typing import Any

import numpy as np

from paribus.models import ModelDoc, OnnxModel
from paribus.workflow.code.rendering import render
from paribus.workflow.code.service import Service
from paribus.workflow.modelling.features import FeatureSet
from paribus.workflow.modelling.training import Trained

SAMPLE = 1000
TEMPLATES = ("decider.py", "test_model.py", "pipeline.py", "serve.py", "quality.py", "Dockerfile", "requirements.txt")


def package_files(
    service: Service,
    features: FeatureSet,
    models: dict[str, tuple[Trained, ModelDoc]],
    *,
    label: str,
    owner: str,
    budget_seconds: float,
) -> dict[str, str]:
    """Every file by path."""
    rows = features.matrix[features.held]
    row = {name: round(float(rows[:, i].mean()), 6) for i, name in enumerate(features.names)}
    values: dict[str, Any] = {
        "flag": service.flag_key,
        "control": service.control,
        "treatment": service.arms[1] if len(service.arms) > 1 else service.control,
        "name": service.feature,
        "feature": service.feature,
        "label": label,
        "owner": owner,
        "budget_seconds": budget_seconds,
        "base_rate": round(float(features.labels.mean()), 6),
        "row": row,
        "version": version("paribus"),
    }
    made = {name: render(f"model/{name}.j2", values) for name in TEMPLATES}
    made["monitoring/model_alerts.yml"] = render("model/alerts.yml.j2", values)
    made["monitoring/model_dashboard.json"] = render("model/dashboard.json.j2", values)
    made["reference.json"] = json.dumps(_reference(features, models), separators=(",", ":")) + "\n"
    made["features.sql"] = features.sql + "\n"
    made["definitions.json"] = service.files()["tests/definitions.json"]
    for name, (trained, document) in models.items():
        made[f"{name}.onnx.b64"] = base64.encodebytes(trained.content).decode()
        made[f"{name}.json"] = json.dumps(document.model_dump(mode="json"), indent=2) + "\n"
    return dict(sorted(made.items()))


def _reference(features: FeatureSet, models: dict[str, tuple[Trained, ModelDoc]]) -> dict[str, Any]:
    """What was trained on, as a sample of each input and of each model's scores: drift is told against it."""
    trained = ~features.held
    found: dict[str, Any] = {"inputs": {}, "scores": {}}
    for name in features.names:
        found["inputs"][name] = _sample(features.columns((name,))[trained, 0])
    for name, (each, document) in models.items():
        model = OnnxModel(each.content, document)
        found["scores"][name] = _sample(model.scores(features.columns(model.names)[trained].astype(np.float32)))
    return found


def _sample(values: Any) -> list[float]:
    """At most 1000 values in order, evenly among all."""
    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if len(ordered) > SAMPLE:
        ordered = ordered[np.linspace(0, len(ordered) - 1, SAMPLE).round().astype(int)]
    return [float(f"{value:.6g}") for value in ordered]
