"""The sample ratio by day and by segment: where a blocked result went wrong. They block nothing themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paribus.charts.numbers import count
from paribus.experiments.checks.sample_ratio import split, weights_of
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.phrases import counted, p_words
from paribus.experiments.result import Check
from paribus.stats.multiplicity import adjusted_p_values
from paribus.stats.srm import sample_ratio_test

# False discovery rate among the days, or segments, that are named.
FALSE_DISCOVERIES = 0.01


def look_by_day(subject: Subject) -> Check:
    """The sample ratio of each cohort day, Benjamini-Hochberg over days."""
    parts: dict[str, dict[str, int]] = {}
    for (_, day, variant), n in subject.counts.by_day.items():
        own = parts.setdefault(day, {})
        own[variant] = own.get(variant, 0) + n
    return _parts(subject, "day", parts, "there are no exposure times")


def look_by_segment(subject: Subject) -> Check:
    """The sample ratio of each segment, Benjamini-Hochberg over segments."""
    parts: dict[str, dict[str, int]] = {}
    for (attribute, level, variant), n in subject.counts.by_segment.items():
        shown = f"{attribute} = {level}" if level is not None else f"{attribute} missing"
        parts.setdefault(shown, {})[variant] = n
    return _parts(subject, "segment", parts, "no segments are measured")


def _parts(subject: Subject, part: str, parts: Mapping[str, Mapping[str, int]], none: str) -> Check:
    name = f"sample ratio by {part}"
    epochs = {epoch for epoch, _, _ in subject.counts.by_day} or {None}
    weights = [weights_of(subject, epoch) for epoch in sorted(epochs, key=str)]
    why = ""
    if not subject.design.split_declared and not subject.counts.probabilities:
        why = "nobody declared how the units were to be split"
    elif not all(np.allclose(own, weights[0]) for own in weights):
        why = "the epochs have different splits"
    if not parts or why:
        return answer(name, "diagnostic", None, why if parts else none)
    variants, _ = split(subject)
    counts = np.array([[units.get(variant, 0) for variant in variants] for units in parts.values()], dtype=np.float64)
    p = np.nan_to_num(sample_ratio_test(counts, weights[0]).p_value, nan=1.0)
    adjusted = adjusted_p_values(p, "benjamini-hochberg")
    wrong = [(float(q), part) for part, q in sorted(zip(parts, adjusted, strict=True)) if q <= FALSE_DISCOVERIES]
    smallest = float(adjusted.min())
    if not wrong:
        sentence = f"none of {counted(len(parts), part)} departs from the planned split"
        return answer(name, "diagnostic", False, sentence, smallest)
    q, first = min(wrong)
    more = f" (and {count(len(wrong) - 1)} more)" if len(wrong) > 1 else ""
    sentence = f"the {part} {first}{more} departs from the planned split ({p_words(q)}): look there first"
    return answer(name, "diagnostic", True, sentence, smallest, {"parts": [where for _, where in sorted(wrong)[:20]]})
