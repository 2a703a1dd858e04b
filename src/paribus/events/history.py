"""Historical files brought in: exports of Amplitude, Mixpanel and Segment, and CSV with declared columns.

Times are trusted, however old. Event ids are those of the export, else derived from the content, so an import that is
repeated brings the same events; a journal lets one that was cut off go on where it stopped.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from paribus.clock import Clock
from paribus.errors import InputError, NotFound
from paribus.events.check import tally
from paribus.events.compile import CompiledPlan
from paribus.events.dialects import dialect_named
from paribus.events.history_csv import CsvColumns, csv_events
from paribus.events.hygiene import Flaw, Unreadable, clean
from paribus.events.request import Verdict
from paribus.lake.record import LandingRow, microseconds

__all__ = ["FORMATS", "CsvColumns", "Format", "Progress", "import_history"]

Format = Literal["amplitude", "mixpanel", "segment", "csv"]
FORMATS: tuple[Format, ...] = ("amplitude", "mixpanel", "segment", "csv")
BATCH = 1000
MAX_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: lines = accepted + quarantined + rejected, by file and in all."""

    path: str
    lines: int = 0
    accepted: int = 0
    unplanned: int = 0
    quarantined: int = 0
    rejected: int = 0
    skipped: int = 0
    """Lines that an earlier run had brought in already."""
    problems: tuple[str, ...] = ()
    """The first reasons for rejection, with their line."""


def import_history(
    paths: Sequence[Path],
    kind: Format,
    *,
    append: Callable[[Sequence[LandingRow]], Any],
    plan: CompiledPlan,
    key_id: str,
    clock: Clock,
    columns: CsvColumns | None = None,
    journal: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Progress]:
    """Bring files into the landing queue, a thousand events a row; the progress of each file.

    Args:
        paths: files, plain or gzip'd by their first bytes.
        kind: who exported them.
        append: the queue's `append`: returns when the rows are durable.
        plan: the tracking plan to judge by.
        key_id: the key whose label becomes the events' source.
        clock: for the receipt.
        columns: meaning of the columns, for CSV.
        journal: where done lines are remembered, so that the next call goes on after them.
        progress: called after each row of a thousand events.

    Raises:
        NotFound: a file is not there.
        InputError: an unknown format, or CSV without its columns.
    """
    if kind not in FORMATS:
        raise InputError(f"no export format {kind!r}", rule="one of " + ", ".join(FORMATS))
    if (kind == "csv") != (columns is not None):
        raise InputError(
            "CSV needs to be told what its columns mean" if kind == "csv" else f"{kind} has no columns to declare",
            rule="columns go with --format csv",
        )
    done = _Journal(journal)
    results = []
    for path in paths:
        if not path.is_file():
            raise NotFound("no such file", where=str(path), fix="name the export's files")
        state = Progress(str(path))
        fingerprint = _fingerprint(path, kind)
        start = done.lines(fingerprint)
        for first_line, lines in _batches(_lines(path, kind, columns), start):
            now = microseconds(clock())
            row, state = _row(state, first_line, lines, kind, plan, key_id, now)
            if row is not None:
                append([row])
            done.note(fingerprint, state.lines + start)
            if progress is not None:
                progress(replace(state, skipped=start))
        results.append(replace(state, skipped=start))
    return results


def _row(
    state: Progress, first_line: int, lines: list[bytes], kind: Format, plan: CompiledPlan, key_id: str, now: int
) -> tuple[LandingRow | None, Progress]:
    dialect = dialect_named(f"history.{kind}")
    document, flaws = _document(lines)
    batch = dialect.read(document, flaws)
    counted = tally(batch, plan, now, MAX_LINE, is_trusted=True)
    quarantined = counted.verdicts.count(Verdict.QUARANTINED)
    rejected = len(counted.rejected)
    problems = [f"line {first_line + (part.index or 0)}: {part.what}" for part in counted.rejected]
    state = replace(
        state,
        lines=state.lines + len(lines),
        accepted=state.accepted + len(lines) - quarantined - rejected,
        unplanned=state.unplanned + counted.verdicts.count(Verdict.UNPLANNED),
        quarantined=state.quarantined + quarantined,
        rejected=state.rejected + rejected,
        problems=(*state.problems, *problems)[:20],
    )
    if rejected == len(lines):
        return None, state
    return LandingRow(0, now, dialect.name, key_id, plan.revision, counted.verdicts, document), state


def _document(lines: list[bytes]) -> tuple[bytes, Any]:
    """The lines as one clean document; a line that is no JSON becomes null."""
    whole = b'{"batch":[' + b",".join(lines) + b"]}"
    try:
        checked = clean(whole, "batch")
        if len(msgspec.json.decode(checked.document, type=dict[str, list[msgspec.Raw]])["batch"]) == len(lines):
            return checked.document, checked.flaws
    except (Unreadable, msgspec.MsgspecError, ValueError):
        pass
    good, flaws = [], {}
    for index, line in enumerate(lines):
        try:
            one = clean(line, None)
            msgspec.json.decode(one.document, type=dict[str, msgspec.Raw])
            good.append(one.document)
        except (Unreadable, msgspec.MsgspecError, ValueError, RecursionError) as error:
            problem = error if isinstance(error, Unreadable) else Unreadable("not a JSON object", "one event a line")
            flaws[index] = Flaw(problem.what, problem.rule)
            good.append(b"null")
    return b'{"batch":[' + b",".join(good) + b"]}", flaws


def _lines(path: Path, kind: Format, columns: CsvColumns | None) -> Iterator[bytes]:
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        if columns is None:
            for line in stream:
                stripped = line.strip()
                if stripped:
                    yield stripped if len(stripped) <= MAX_LINE else b"null"
        else:
            yield from csv_events(io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline=""), columns, path)


def _batches(lines: Iterator[bytes], start: int) -> Iterator[tuple[int, list[bytes]]]:
    held: list[bytes] = []
    number = 0
    for number, line in enumerate(lines, 1):
        if number <= start:
            continue
        held.append(line)
        if len(held) == BATCH:
            yield number - BATCH + 1, held
            held = []
    if held:
        yield number - len(held) + 1, held


def _fingerprint(path: Path, kind: Format) -> str:
    """Names the file by its content's beginning and size, so that moving it changes nothing."""
    with path.open("rb") as stream:
        head = stream.read(1 << 20)
    return hashlib.sha256(f"{kind}:{path.stat().st_size}:".encode() + head).hexdigest()


class _Journal:
    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._done: dict[str, int] = {}
        if path is not None and path.exists():
            try:
                self._done = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
            except (msgspec.MsgspecError, ValueError) as error:
                raise InputError(
                    "the journal of the import cannot be read",
                    where=str(path),
                    fix="remove it: importing again brings the same events, not new ones",
                ) from error

    def lines(self, fingerprint: str) -> int:
        return self._done.get(fingerprint, 0)

    def note(self, fingerprint: str, lines: int) -> None:
        self._done[fingerprint] = lines
        if self._path is not None:
            partial = self._path.with_name(self._path.name + ".partial")
            partial.write_bytes(msgspec.json.encode(self._done))
            os.replace(partial, self._path)
