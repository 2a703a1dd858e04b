"""What was found in the data and what was done about it: a count, a decision, a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from paribus.charts.numbers import count, moment, share
from paribus.experiments.phrases import agreeing, counted, listing
from paribus.experiments.plan import Design
from paribus.metrics.cells import Counts, LakeState, Measurement

_A_DAY = timedelta(days=1)


def data_notes(design: Design, measurement: Measurement) -> tuple[str, ...]:
    """Every row or unit that is not in the analysis as it came, by reason."""
    counts = measurement.counts
    notes = _rows(counts)
    for name, n in _some(counts.not_finite):
        odd = f"{counted(n, 'value')} of {name} {agreeing(n, 'are')} NaN or infinite"
        notes.append(f"{odd} and {agreeing(n, 'count')} as missing.")
    for name, n in _some(counts.null_values):
        if counts.unmatched_event_rows:  # of events, each a part of a unit's value
            notes.append(f"{counted(n, 'row', 'have')} no value of {name} and {agreeing(n, 'add')} nothing to it.")
        else:
            notes.append(f"{counted(n, 'unit', 'have')} no value of {name} and {agreeing(n, 'are')} left out of it.")
    for name, n in _some(counts.negative_units):
        kept = "it is" if n == 1 else "they are"
        notes.append(f"{counted(n, 'unit', 'have')} a negative value of {name} (refunds, losses); {kept} kept.")
    for name, n in _some(counts.repeated_event_rows):
        notes.append(f"{counted(n, 'row')} of {name} {agreeing(n, 'repeat')} an event and {agreeing(n, 'count')} once.")
    for name, n in _some(counts.unmatched_event_rows):
        notes.append(f"{counted(n, 'row')} of {name} {agreeing(n, 'are')} of units that were never exposed.")
    early = sum(counts.inside_tolerance.values())
    if early:
        seconds = f"{design.tolerance_seconds:g} s"
        notes.append(f"{counted(early, 'event row', 'are')} less than {seconds} before exposure and not counted.")
    notes += _short_histories(design, counts)
    immature: dict[int, list[str]] = {}
    for name, cells in measurement.cells.items():
        waiting = sum(int(n) for key, n in zip(cells.keys, cells.immature or (), strict=False) if key.attribute is None)
        if waiting:
            immature.setdefault(waiting, []).append(name)
    for waiting, names in immature.items():
        left, them = agreeing(waiting, "are"), "it" if len(names) == 1 else "them"
        notes.append(
            f"{counted(waiting, 'unit', 'have')} not matured for {listing(names)} and {left} left out of {them}."
        )
    return (*notes, *_lake(measurement.lake))


def _short_histories(design: Design, counts: Counts) -> list[str]:
    """Covariates that read further back than there are events: of early units nobody knows whether they had a history.

    They count as units without one. Whole days, as the first event of a day may come at any hour.
    """
    first = counts.events_first_time
    reaching: dict[int, list[str]] = {}
    for metric in design.metrics if first is not None and design.plan.cuped else ():
        longest = max((covariate.days or 0 for covariate in metric.covariates), default=0)
        if longest:
            reaching.setdefault(longest, []).append(metric.name)
    notes = []
    for days, names in reaching.items():
        known = first.date() + timedelta(days=days) if first is not None else date.min
        early = sum(n for (_, day, _), n in counts.by_day.items() if date.fromisoformat(day) + _A_DAY < known)
        if early and first is not None:
            begin = f"Events begin on {moment(first)}, and covariates of {listing(names)} read {days} days back"
            notes.append(
                f"{begin}: {counted(early, 'unit', 'have')} a history that is known in part or not at all; "
                "what is not known counts as none."
            )
    return notes


def _lake(lake: LakeState | None) -> list[str]:
    """Up to when the lake is known, how late its events come, and whether a kill closed enrollment."""
    if lake is None:
        return []
    notes = []
    if lake.watermark is not None:
        late = lake.lateness_p99_seconds
        known = "" if late is None else f"; 99% of events arrive within {span(late)}"
        notes.append(f"The lake (version {lake.version}) is complete up to {moment(lake.watermark)}{known}.")
    if lake.closed_at is not None:
        notes.append(f"The flag was killed at {moment(lake.closed_at)}: no unit is enrolled from then on.")
    return notes


def _rows(counts: Counts) -> list[str]:
    notes = []
    for n, verb, what in (
        (counts.filtered_rows, "do", "not pass the filter"),
        (counts.null_unit_rows, "name", "no unit"),
        (counts.blank_unit_rows, "have", "a blank unit"),
        (counts.null_variant_rows, "name", "no variant"),
    ):
        if n:
            notes.append(f"{counted(n, 'row', verb)} {what} and {agreeing(n, 'are')} left out.")
    if counts.duplicate_rows:
        notes.append(f"{counted(counts.duplicate_rows, 'row', 'repeat')} a unit; each unit counts once.")
    if counts.conflicting_units:
        notes.append(f"{counted(counts.conflicting_units, 'unit', 'have')} several rows with different values.")
    unknown = sum(counts.unknown_variant_rows.values())
    if unknown:
        named = listing([repr(name) for name in sorted(counts.unknown_variant_rows)[:5]])
        left = agreeing(unknown, "are")
        notes.append(
            f"{counted(unknown, 'row', 'are')} of variants outside the experiment ({named}) and {left} left out."
        )
    mixed = sum(counts.mixed_units.values())
    if mixed:
        part = share(mixed / (mixed + sum(counts.units.values())))
        left = agreeing(mixed, "are")
        notes.append(f"{counted(mixed, 'unit')} ({part}) met several variants and {left} left out of every number.")
    if counts.identity:
        joined, mixed = counts.identity.get("joined", 0), counts.identity.get("mixed", 0)
        text = f"Identities are joined: {counted(joined, 'unit', 'have')} several ids"
        who = "is" if mixed == 1 else "are"
        notes.append(f"{text}; {count(mixed)} of them {who} mixed because of that, and nobody was moved.")
    outside = sum(counts.outside_window.values())
    if outside:
        left = agreeing(outside, "are")
        notes.append(f"{counted(outside, 'exposure', 'lie')} outside the enrollment window and {left} left out.")
    apart = {reason: n for reason, n in counts.by_reason.items() if reason != "SPLIT" and n}
    if apart:
        named = listing([f"{count(n)} {reason or 'without reason'}" for reason, n in sorted(apart.items())])
        notes.append(f"Exposures without randomization are counted apart: {named}.")
    return notes


def _some(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(name, n) for name, n in counts.items() if n]


def span(seconds: float) -> str:
    """A length of time in its natural unit.

    >>> span(2.5), span(840), span(7200)
    ('2.5 s', '14 min', '2 h')
    """
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
