"""The dashboard of an experiment as Grafana's JSON: arms, errors, latency, the platform underneath."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
_BUCKETS = "sum by (le, variant) (rate(request_seconds_bucket[5m]))"


def grafana(key: str, requirement: str, arms: Sequence[str]) -> str:
    """A dashboard over what the feature's service and Paribus export to Prometheus."""
    panels = [
        ("Requests by arm", "sum by (variant) (rate(request_seconds_count[5m]))", "reqps"),
        (
            "Errors by arm",
            "sum by (variant) (rate(request_errors_total[5m])) / sum by (variant) (rate(request_seconds_count[5m]))",
            "percentunit",
        ),
        (
            "p95 latency by arm",
            "histogram_quantile(0.95, sum by (le, variant) (rate(request_seconds_bucket[5m])))",
            "s",
        ),
        (
            "Requests in progress by arm",
            "sum by (variant) (rate(request_seconds_sum[5m]))",
            "short",
        ),
        ("Paribus: requests", "sum by (route) (rate(paribus_http_requests_total[5m]))", "reqps"),
        (
            "Paribus: errors",
            'sum(rate(paribus_http_requests_total{status=~"5.."}[5m])) / sum(rate(paribus_http_requests_total[5m]))',
            "percentunit",
        ),
        (
            "Paribus: p95 latency",
            "histogram_quantile(0.95, sum by (le, route) (rate(paribus_http_request_seconds_bucket[5m])))",
            "s",
        ),
        ("Paribus: events that wait for the lake", "paribus_queue_events", "short"),
        ("Events at the door", "sum by (fate) (rate(paribus_intake_events_total[5m]))", "cps"),
        ("Alerts of the watches", "paribus_watch_alerts", "short"),
        ("Seconds until an event is in the lake", "paribus_watermark_lag_seconds", "s"),
    ]
    return (
        json.dumps(
            {
                "title": f"{key}: {requirement}"[:200],
                "uid": f"paribus-{key}"[:40],
                "tags": ["paribus", "experiment", *arms],
                "schemaVersion": 39,
                "time": {"from": "now-24h", "to": "now"},
                "refresh": "5s",
                "panels": [
                    {
                        "id": number,
                        "title": title,
                        "type": "timeseries",
                        "datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"},
                        "gridPos": {"h": 8, "w": 12, "x": 12 * ((number - 1) % 2), "y": 8 * ((number - 1) // 2)},
                        "targets": [{"expr": expression, "legendFormat": "{{variant}}{{fate}}{{route}}", "refId": "A"}],
                        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                    }
                    for number, (title, expression, unit) in enumerate(panels, start=1)
                ],
                "templating": {"list": []},
                "__inputs": [
                    {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}
                ],
            },
            indent=2,
        )
        + "\n"
    )


def datadog(flag: str) -> str:
    """Monitors for Datadog, as its API takes them."""
    monitors = [
        {
            "name": f"{flag}: errors by arm",
            "type": "query alert",
            "query": "sum(last_5m):sum:request_errors.count{*} by {variant}.as_count() / "
            "sum:request_seconds.count{*} by {variant}.as_count() > 0.001",
            "message": f"More than 0.1% of requests of {flag} fail.",
            "tags": ["paribus", f"feature:{flag}"],
        },
        {
            "name": f"{flag}: a watch fired",
            "type": "query alert",
            "query": "change(max(last_5m),last_10m):max:paribus_watch_alerts{*} > 0",
            "message": f"See paribus feature show {flag}.",
            "tags": ["paribus", f"feature:{flag}"],
        },
    ]
    return json.dumps({"monitors": monitors}, indent=2) + "\n"
