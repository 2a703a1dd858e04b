"""The sample ratio after every day of each epoch: since when the units do not fit their split, read at any look."""

from __future__ import annotations

from collections.abc import Iterator

from paribus.experiments.checks.sample_ratio import cumulative, split, weights_of
from paribus.experiments.checks.subject import Subject
from paribus.experiments.sensitivity.findings import SplitOverTime
from paribus.stats.srm import sequential_sample_ratio


def splits_over_time(subject: Subject) -> Iterator[SplitOverTime]:
    """Every epoch by its own split; nothing without exposure times, or where nobody said how units were split."""
    if not subject.design.split_declared and not subject.counts.probabilities:
        return
    names, _ = split(subject)
    days = tuple(sorted({day for _, day, _ in subject.counts.by_day}))
    alpha = subject.design.plan.srm_alpha
    for epoch, counts in cumulative(subject.counts.by_day, names).items():
        if not counts[-1].sum():
            continue
        tested = sequential_sample_ratio(counts, weights_of(subject, epoch), alpha=alpha)
        yield SplitOverTime(
            epoch,
            days,
            tuple(int(n) for n in tested.n),
            tuple(float(p) for p in tested.p_value),
            alpha,
            None if tested.stopped_at is None else days[tested.stopped_at],
        )


def since(subject: Subject) -> str:
    """When the units stopped to fit, as the end of a sentence; empty where no look shows that."""
    found = [each for each in splits_over_time(subject) if each.since is not None]
    if not found:
        return ""
    first = min(found, key=lambda each: str(each.since))
    epoch = f" of epoch {first.epoch}" if first.epoch is not None else ""
    return f"; the daily counts{epoch} show it since {first.since}"
