"""Which metrics the data support, defined as an experiment document holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel_choice import semantics_of
from paribus.exploration.shape import FAILURE, LATENCY, MONEY, REGRET
from paribus.warehouse.csv_types import quote


def metrics_of(
    log: EventLog, conversion: str | None, window_days: int, plan: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Metric definitions that the data support: success first, then money, then what must not get worse."""
    found: list[dict[str, Any]] = []

    def share(event: str, role: str, direction: str = "increase") -> dict[str, Any]:
        metric: dict[str, Any] = {"name": _metric_name(event), "type": "proportion", "role": role, "event": event}
        return metric | ({"direction": direction} if direction == "decrease" else {}) | {"window_days": window_days}

    if conversion is not None:
        found.append(share(conversion, "success"))
        for number in log.numbers:
            if MONEY.search(number.name) and conversion in number.events:
                name = _metric_name(f"{conversion}_{number.name}")
                found.append(
                    {
                        "name": name,
                        "type": "mean",
                        "role": "secondary",
                        "event": conversion,
                        "value": _fragment(number.name),
                    }
                    | {"window_days": window_days}
                )
                break
    errors = list(semantics_of(plan, "error", log.events)) or [name for name in log.events if FAILURE.search(name)]
    regrets = [name for name in log.events if REGRET.search(name) and name not in errors and name != conversion]
    found += [share(name, "guardrail", "decrease") for name in [*errors, *regrets]]
    for number in log.numbers:
        timed = [event for event in log.events if event in number.events]  # the most frequent first
        if LATENCY.search(number.name) and timed:
            found.append(
                {
                    "name": f"p95_{_metric_name(number.name)}",
                    "type": "quantile",
                    "role": "guardrail",
                    "direction": "decrease",
                }
                | {"event": timed[0], "value": _fragment(number.name), "quantile": 0.95, "level_of_rows": "row"}
                | {"window_days": window_days}
            )
            break
    return found


def _metric_name(text: str) -> str:
    """A name made of an event's or a property's: words in lower case, underscores between them."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"\W+", "_", spaced).strip("_").lower() or text


def _fragment(name: str) -> str:
    """A property as SQL."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else quote(name)
