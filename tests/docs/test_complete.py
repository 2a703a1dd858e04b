"""What users can meet is documented."""

from __future__ import annotations

from pathlib import Path

from paribus.experiments.checks import REGISTRY
from paribus.metrics.definition import MetricType

DOCS = Path(__file__).parents[2] / "docs"


def test_every_health_check_is_documented_with_its_severity() -> None:
    text = (DOCS / "checks.md").read_text()
    for check in REGISTRY:
        assert f"| {check.name} | {check.severity} |" in text


def test_every_metric_type_is_documented() -> None:
    text = (DOCS / "experiment-file.md").read_text()
    for kind in MetricType:
        assert f"| `{kind.value}` |" in text
