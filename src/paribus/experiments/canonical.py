"""The plan in its canonical form: the bytes that are hashed, and the words for what differs between two plans."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from paribus.experiments.plain import from_plain, to_plain
from paribus.experiments.plan import Design
from paribus.metrics.definition import DataModel, Metric

Plain = dict[str, Any]


def plan_body(design: Design, data: DataModel | None = None) -> Plain:
    """The plan as plain values: the design, and under `data` where units, variants and events are read from."""
    body: Plain = to_plain(design)
    for described in (*body["variants"], *body["metrics"]):
        described.pop("description")  # words about an arm or a metric decide nothing
    body.pop("title")
    if not body["plan"]["early_indicators"]:
        del body["plan"]["early_indicators"]  # plans without any keep the hash that they were sealed with
    if data is not None:
        # Segments and time zone stand in the design already.
        body["data"] = {k: v for k, v in to_plain(data).items() if k not in ("segments", "time_zone")}
        exposures = body["data"]["exposures"]
        if exposures and exposures["own_unit"] is None:
            del exposures["own_unit"]  # plans that join nobody keep the hash that they were sealed with
    return body


def design_of(body: Plain) -> Design:
    """The design that `plan_body` wrote.

    Raises:
        ProofError: the body is not a plan.
    """
    design: Design = from_plain(Design, {name: value for name, value in body.items() if name != "data"}, "plan")
    return design


def data_model_of(body: Plain) -> DataModel | None:
    """The data model sealed with the plan, or None."""
    if "data" not in body:
        return None
    plain = {**body["data"], "segments": body["segments"], "time_zone": body["time_zone"]}
    model: DataModel = from_plain(DataModel, plain, "plan.data")
    return model


def canonical_text(plain: Any) -> str:
    """The JSON text of RFC 8785: one spelling for equal values.

    >>> canonical_text({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    import rfc8785

    return rfc8785.dumps(plain).decode()


def sha256(plain: Any) -> str:
    """SHA-256 of the canonical text, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_text(plain).encode()).hexdigest()


def with_caps(design: Design, caps: Mapping[str, tuple[float | None, float | None]]) -> Design:
    """The design whose percentile caps also hold the numbers they came to (metric: lower, upper).

    In a sealed plan the number is the cap and the percentile says where it came from.
    """

    def resolved(metric: Metric) -> Metric:
        cap = metric.cap
        if cap is None or metric.name not in caps:
            return metric
        lower, upper = caps[metric.name]
        if cap.lower_percentile is not None:
            cap = replace(cap, lower=lower)
        if cap.upper_percentile is not None:
            cap = replace(cap, upper=upper)
        return replace(metric, cap=cap)

    return replace(design, metrics=tuple(resolved(metric) for metric in design.metrics))


def with_caps_as_numbers(design: Design) -> Design:
    """The design without the percentiles of those caps that already have a number: what is measured under a seal."""

    def fixed(metric: Metric) -> Metric:
        cap = metric.cap
        if cap is None:
            return metric
        lower_percentile = cap.lower_percentile if cap.lower is None else None
        upper_percentile = cap.upper_percentile if cap.upper is None else None
        return replace(metric, cap=replace(cap, lower_percentile=lower_percentile, upper_percentile=upper_percentile))

    return replace(design, metrics=tuple(fixed(metric) for metric in design.metrics))


def differences(then: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two plain values differ, as (path, then, now); lists of named things are matched by name."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in [*then, *(key for key in now if key not in then)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(then.get(key), now.get(key), inner)
    elif _is_named(then) and _is_named(now):
        old, new = ({item["name"]: item for item in items} for items in (then, now))
        for name in [*old, *(name for name in new if name not in old)]:
            if name in old and name in new:
                yield from differences(old[name], new[name], f"{path}[{name}]")
            else:
                yield f"{path}[{name}]", old.get(name), new.get(name)
        if list(old) != list(new) and set(old) == set(new):
            yield f"{path} (order)", list(old), list(new)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, (a, b) in enumerate(zip(then, now, strict=True)):
            yield from differences(a, b, f"{path}[{i}]")
    elif then != now:
        yield path, then, now


def _is_named(items: Any) -> bool:
    named = isinstance(items, list) and all(isinstance(item, dict) and "name" in item for item in items)
    return named and bool(items) and len({item["name"] for item in items}) == len(items)
