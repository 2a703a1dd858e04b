"""What was found in the data and what was done about it: a count, a decision, a sentence."""

from __future__ import annotations

from paribus.charts.numbers import count, moment, share
from paribus.experiments.phrases import listing
from paribus.experiments.plan import Design
from paribus.metrics.cells import Counts, LakeState, Measurement


def data_notes(design: Design, measurement: Measurement) -> tuple[str, ...]:
    """Every row or unit that is not in the analysis as it came, by reason."""
    counts = measurement.counts
    notes = [
        *_rows(counts),
        *_by_name(counts.not_finite, "{n} values of {name} are NaN or infinite and count as missing."),
        *_by_name(counts.null_values, "{n} units have no value of {name} and are left out of it."),
        *_by_name(counts.negative_units, "{n} units have a negative value of {name} (refunds, losses); they are kept."),
        *_by_name(counts.repeated_event_rows, "{n} rows of {name} repeat an event and count once."),
        *_by_name(counts.unmatched_event_rows, "{n} rows of {name} are of units that were never exposed."),
    ]
    if counts.inside_tolerance:
        n = sum(counts.inside_tolerance.values())
        seconds = f"{design.tolerance_seconds:g} s"
        notes.append(f"{count(n)} event rows are less than {seconds} before exposure and are not counted.")
    for name, cells in measurement.cells.items():
        waiting = sum(int(n) for key, n in zip(cells.keys, cells.immature or (), strict=False) if key.attribute is None)
        if waiting:
            notes.append(f"{count(waiting)} units have not matured for {name} and are left out of it.")
    return (*(_singular(note) for note in notes), *_lake(measurement.lake))


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


def _singular(note: str) -> str:
    """The note in the grammar of one: "1 row names", not "1 rows name"."""
    for many, one in (
        ("rows name", "row names"),
        ("rows have", "row has"),
        ("rows do", "row does"),
        ("rows repeat", "row repeats"),
        ("rows of", "row of"),
        ("rows are", "row is"),
        ("units have", "unit has"),
        ("units (", "unit ("),
        ("values of", "value of"),
        ("exposures lie", "exposure lies"),
        ("event rows are", "event row is"),
    ):
        if note.startswith(f"1 {many}"):
            changed = note.replace(many, one, 1)
            return changed.replace("and are left", "and is left").replace("they are kept", "it is kept")
    return note


def _rows(counts: Counts) -> list[str]:
    found = [
        (counts.filtered_rows, "rows do not pass the filter and are left out."),
        (counts.null_unit_rows, "rows name no unit and are left out."),
        (counts.blank_unit_rows, "rows have a blank unit and are left out."),
        (counts.null_variant_rows, "rows name no variant and are left out."),
        (counts.duplicate_rows, "rows repeat a unit; each unit counts once."),
        (counts.conflicting_units, "units have several rows with different values."),
    ]
    notes = [f"{count(n)} {what}" for n, what in found if n]
    if counts.unknown_variant_rows:
        n = sum(counts.unknown_variant_rows.values())
        named = listing([repr(name) for name in sorted(counts.unknown_variant_rows)[:5]])
        notes.append(f"{count(n)} rows are of variants outside the experiment ({named}) and are left out.")
    mixed = sum(counts.mixed_units.values())
    if mixed:
        part = share(mixed / (mixed + sum(counts.units.values())))
        notes.append(f"{count(mixed)} units ({part}) met several variants and are left out of every number.")
    outside = sum(counts.outside_window.values())
    if outside:
        notes.append(f"{count(outside)} exposures lie outside the enrollment window and are left out.")
    apart = {reason: n for reason, n in counts.by_reason.items() if reason != "SPLIT" and n}
    if apart:
        named = listing([f"{count(n)} {reason or 'without reason'}" for reason, n in sorted(apart.items())])
        notes.append(f"Exposures without randomization are counted apart: {named}.")
    return notes


def _by_name(counts: dict[str, int], sentence: str) -> list[str]:
    return [sentence.format(n=count(n), name=name) for name, n in counts.items() if n]


def span(seconds: float) -> str:
    """A length of time in its natural unit.

    >>> span(2.5), span(840), span(7200)
    ('2.5 s', '14 min', '2 h')
    """
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
