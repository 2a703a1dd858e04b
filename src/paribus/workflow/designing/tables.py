"""The tables of the plan: what the history certifies, metric by metric, and the words of margins and baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paribus.charts import numbers
from paribus.metrics.definition import SHARES
from paribus.workflow.block import Table

Json = Mapping[str, Any]


def certificate_table(certificate: Json) -> Table:
    """One row for each metric: how often its test errs without effect, and what it finds on the whole history."""
    of = [each for each in certificate.get("metrics", ()) if not each.get("refusal")]
    power = next((each["target_power"] for each in of), 0.8)
    found = f"found with {power:.0%} power"
    rejects, removed = "rejects without effect", "covariates remove"
    return Table(
        ("metric", "units", rejects, "level", found, removed, "skewness"),
        [
            (
                str(each["metric"]),
                numbers.count(each["units"]),
                f"{each['type_i_error']:.1%} ± {each['error']:.1%}" + ("" if each["holds"] else ": too often"),
                f"{each['alpha']:.1%}",
                "nothing: too few units" if each["detectable"] is None else _effect(each["detectable"]),
                numbers.share(each["variance_reduction"]) if each["variance_reduction"] else "",
                _skewness(each),
            )
            for each in of
        ],
        caption=(
            f"{certificate.get('replications', 0):,} re-randomizations of the history without any effect, ± is one "
            "standard error; effects are relative, found with all units of the history"
        ),
        right=("units", rejects, "level", found, removed, "skewness"),
    )


def certificate_notes(certificate: Json) -> Iterator[str]:
    """What the table leaves out: tests, metrics that are not certified, skewness without enough units."""
    by_test: dict[str, list[str]] = {}
    for each in certificate.get("metrics", ()):
        if each.get("test") and not each.get("refusal"):
            by_test.setdefault(str(each["test"]), []).append(str(each["metric"]))
    for test, names in by_test.items():
        yield f"{test}: {', '.join(names)}."
    for each in certificate.get("metrics", ()):
        if each.get("refusal"):
            yield f"{each['metric']}: {each['refusal']}"
        if each.get("without_covariates"):
            yield f"{each['metric']}: {each['without_covariates']}"
        safe = each.get("safe_units")
        if safe is not None and each["units"] < safe:
            yield (
                f"{each['metric']}: so skewed that the test needs {safe:,} units in both arms; "
                f"the history has {each['units']:,}."
            )
    yield from certificate.get("notes", ())


def baseline_text(metric: Json) -> str:
    """The metric's level in the history: shares in percent."""
    value = metric.get("baseline")
    if value is None:
        return "—"
    return numbers.number(value, unit="percent" if metric.get("type") in SHARES else "number")


def margin_text(metric: Json) -> str:
    """The harm that a guardrail allows, as it was written: relative, or in points of a share."""
    margin = str(metric.get("margin") or "")
    size, _, absolute = margin.partition(" ")
    if not size:
        return "—"
    try:
        value = float(size)
    except ValueError:
        return margin
    if not absolute:
        return f"{value:.3g}".rstrip() if value >= 1 else f"{100 * value:g}%"
    return f"{100 * value:g} pp" if metric.get("type") in SHARES else f"{value:g} absolute"


def _effect(relative: float) -> str:
    return numbers.number(relative, unit="percent", signed=True)


def _skewness(metric: Json) -> str:
    skewness = metric.get("skewness")
    return "" if skewness is None else f"{skewness:.1f}"
