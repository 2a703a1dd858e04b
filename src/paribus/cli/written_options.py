"""Options that hold more than one value, or a share, as they are written."""

from __future__ import annotations

from paribus.errors import InputError


def weights(text: str) -> dict[str, float]:
    """`control=50,treatment=50` as weights by variant."""
    pairs: dict[str, float] = {}
    for part in text.split(","):
        name, equals, weight = part.rpartition("=")
        try:
            pairs[name.strip()] = float(weight)
        except ValueError:
            equals = ""
        if not equals or pairs[name.strip()] < 0:
            raise InputError(f"{part!r} is no share of a split", where="--split", fix="control=50,treatment=50")
    return pairs


def covariates(texts: list[str]) -> dict[str, list[str]]:
    """`METRIC=COLUMN` texts as columns by metric."""
    columns: dict[str, list[str]] = {}
    for text in texts:
        metric, equals, column = text.partition("=")
        if not equals or not column:
            raise InputError(
                f"{text!r} names no covariate", where="--covariate", fix="--covariate revenue=revenue_before"
            )
        columns.setdefault(metric, []).append(column)
    return columns


def belief(text: str | None) -> tuple[float, float] | None:
    """`0%,3%` as mean and standard deviation."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise InputError(f"{text!r} is no prior", where="--prior", rule="a mean and a deviation", fix="write 0%,3%")
    mean, sd = (share(part, "--prior") or 0.0 for part in parts)
    return mean, sd


def share(text: str | None, where: str) -> float | None:
    """`3%` or `0.03` as a number."""
    if text is None:
        return None
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a number", where=where, fix="write 0.03 or 3%") from error
