"""Hashes of the parts of plain values, some levels deep: what names the part that was edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from paribus.experiments.canonical import Plain

SHORT = 16  # hexadecimal digits: enough to name an accident; whole parts have all 64 beside


def part_hashes(value: Any, levels: int) -> Any:
    """The value with everything below `levels` as a short hash: objects and lists keep their shape down to there.

    >>> sorted(part_hashes({"a": 1, "b": [2, 3]}, 1))
    ['a', 'b']
    """
    if levels > 0 and isinstance(value, dict) and value:
        return {key: part_hashes(item, levels - 1) for key, item in value.items()}
    if levels > 0 and isinstance(value, list) and value:
        return [part_hashes(item, levels - 1) for item in value]
    return _short(value)


def _short(value: Any) -> str:
    """The short hash of a value's JSON, in which 1.0 is 1: tools that copy JSON write the one for the other."""
    text = json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:SHORT]


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def unlike_parts(recorded: Any, value: Any, levels: int, at: str) -> Iterator[str]:
    """The paths of the parts of `value` that do not have their recorded hash."""
    if levels > 0 and isinstance(value, dict) and value and isinstance(recorded, dict):
        for key in [*recorded, *(key for key in value if key not in recorded)]:
            inner = f"{at}.{key}" if at else str(key)
            if key not in recorded or key not in value:
                yield inner
            else:
                yield from unlike_parts(recorded[key], value[key], levels - 1, inner)
    elif levels > 0 and isinstance(value, list) and value and isinstance(recorded, list):
        if len(recorded) != len(value):
            yield f"{at} (an item was added or removed)"
            return
        for i, (known, item) in enumerate(zip(recorded, value, strict=True)):
            yield from unlike_parts(known, item, levels - 1, f"{at}[{item_name(item, i)}]")
    elif recorded != part_hashes(value, levels):
        yield at


def item_name(item: Any, i: int) -> str:
    """An item of a list by what people call it, else by its number."""
    if isinstance(item, dict):
        if "metric" in item:
            treatment = item.get("treatment")
            arm = treatment.get("variant") if isinstance(treatment, dict) else treatment
            extra = [str(part) for part in (arm, item.get("day"), _segment(item.get("segment"))) if part is not None]
            return ", ".join([str(item["metric"]), *extra])
        if "name" in item:
            return str(item["name"])
    return str(i)


def _segment(segment: Any) -> str | None:
    """`country = DE` of ["country", "DE"]."""
    if isinstance(segment, list) and len(segment) == 2:
        return f"{segment[0]} = {segment[1]}"
    return None if segment is None else str(segment)


def cluster_rows(clusters: Plain) -> Plain:
    """Sums by cluster as one named row for each, so that the hash of a row names its cluster."""
    found: Plain = {}
    for name, own in clusters.items():
        columns = [own["variant"], own["cluster"], own["n"], *own["sums"]]
        whole = len({len(column) for column in columns}) == 1
        found[name] = {"metric": own["metric"], "rows": _rows(columns) if whole else columns}
    return found


def _rows(columns: list[list[Any]]) -> list[Plain]:
    return [
        {"name": f"{variant}, cluster {cluster}", "sums": [variant, cluster, *sums]}
        for variant, cluster, *sums in zip(*columns, strict=True)
    ]
