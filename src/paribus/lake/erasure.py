"""Erasure: everything of some units leaves the folder, to the last byte.

Delta's own DELETE writes the condition, and so the id, into the log; here the files that hold a unit are copied without
it and the old ones deleted. Nothing that stays behind, the proof included, names the unit.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from paribus.clock import Clock
from paribus.errors import InputError
from paribus.lake.columns import IDENTITY_COLUMNS, TYPED_PREFIX
from paribus.lake.compaction import Rewriter
from paribus.lake.flusher import Flusher, Queue
from paribus.lake.quoting import literal, quoted
from paribus.lake.table import DataFile

ERASED = "[erased]"
_JSON_COLUMNS = ("properties", "context", "body")
_IDS_PER_PASS = 200
_DISTINCTIVE = 8


@dataclass(frozen=True, slots=True)
class Erased:
    """The proof of an erasure; holds no id.

    Attributes:
        request: the caller's reference.
        ids: how many ids were asked for.
        events, quarantined: rows removed.
        mentions: rows of others in which an id stood and was replaced by `[erased]`.
        files_rewritten, files_deleted: Parquet files that held a unit, and files whose bytes were deleted.
        version: the table of events without the units.
    """

    request: str
    time: datetime
    ids: int
    events: int
    quarantined: int
    mentions: int
    files_rewritten: int
    files_deleted: int
    version: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Removes units from events, quarantine and the landing queue.

    A row is the unit's when unit, user_id or anonymous_id is the id. In rows of others the id is replaced where it is
    a whole text value; a distinctive id (8 characters, not all digits) also inside longer text such as a URL. An event
    in quarantine goes as a whole when its text names the id. Ids written as JSON numbers inside properties stay.

    Args:
        also: called with the ids, for tables derived from the events.
    """

    folder: Path
    flusher: Flusher
    landing: Queue
    rewriters: Sequence[Rewriter]
    clock: Clock
    also: Sequence[Callable[[Sequence[str]], object]] = field(default=())

    def erase(self, ids: Iterable[str], request: str) -> Erased:
        """The proof, once no byte of what was acknowledged before is left in tables, log and queue.

        Raises:
            InputError: an empty id.
            StorageError: the disk refused, or a reader kept the queue open; erase again, it goes on where it was.
        """
        wanted = sorted(set(ids))
        if not all(wanted):
            raise InputError("an id to erase is empty", rule="each id is a text of at least one character")
        self.flusher.drain()
        counts: Counter[str] = Counter()
        for start in range(0, len(wanted), _IDS_PER_PASS):
            some = wanted[start : start + _IDS_PER_PASS]
            for rewriter, kind in zip(self.rewriters, ("events", "quarantined"), strict=True):
                with rewriter.exclusive:
                    self._erase_from(rewriter, some, kind, counts)
        for erase_also in self.also:
            erase_also(wanted)
        deleted = 0
        for rewriter in self.rewriters:
            with rewriter.exclusive:
                deleted += len(rewriter.table.vacuum(retention_hours=0))
        self.landing.scrub()
        shutil.rmtree(self.folder / "lake" / "spill", ignore_errors=True)
        return Erased(
            request,
            self.clock(),
            len(wanted),
            counts["events"],
            counts["quarantined"],
            counts["mentions"],
            counts["files"],
            deleted,
            self.rewriters[0].table.version,
        )

    def _erase_from(self, rewriter: Rewriter, ids: Sequence[str], kind: str, counts: Counter[str]) -> None:
        table = rewriter.table
        with table.commit_lock:
            files = table.files()
        if not files:
            return
        columns = table.columns
        patterns = _Patterns.of(ids)
        own = _is_own(ids)
        named = " OR ".join(
            patterns.found(name, is_json=name in _JSON_COLUMNS)
            for name, column_kind in columns.items()
            if column_kind == "string" and (name in _JSON_COLUMNS or name.startswith(TYPED_PREFIX))
        )
        gone = own
        if kind == "quarantined":
            gone = f"({own} OR coalesce({named}, false) OR {self._undecodable(rewriter, files, ids)})"
            named = "false"
        mentioned = f"NOT {gone} AND coalesce({named}, false)"
        held = rewriter.matching(files, f"{gone} OR coalesce({named}, false)", {"mentions": mentioned})
        by_day: dict[date, list[DataFile]] = {}
        for file in files:
            if file.path in held:
                by_day.setdefault(file.day, []).append(file)
        replaced = {
            name: patterns.replaced(name, is_json=name in _JSON_COLUMNS)
            for name, column_kind in columns.items()
            if column_kind == "string" and (name in _JSON_COLUMNS or name.startswith(TYPED_PREFIX))
        }
        for day, affected in sorted(by_day.items()):
            written = rewriter.rewrite(affected, day, selection=f"WHERE NOT {gone}", replaced=replaced)
            added = [written.file] if written.file else []
            table.replace(
                added,
                affected,
                operation="erasure",
                statistics={file.path: written.statistics for file in added},
                details={"paribus.erased": {k: v for k, v in written.dropped.items() if v}},
                is_data_change=True,
            )
            counts[kind] += sum(written.dropped.values())
            counts["files"] += len(affected)
            counts["mentions"] += sum(held[file.path]["mentions"] for file in affected)

    @staticmethod
    def _undecodable(rewriter: Rewriter, files: Sequence[DataFile], ids: Sequence[str]) -> str:
        rows = rewriter.select(files, "landing_id, body", "WHERE reason = 'undecodable'")
        found = [str(landing_id) for landing_id, body in rows if _request_names(body, ids)]
        return f"(reason = 'undecodable' AND landing_id IN ({', '.join(found)}))" if found else "false"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Regular expressions (RE2) for ids as a whole JSON text, as a whole value, and inside longer text."""

    in_json: str
    whole: str
    inside: str | None

    @classmethod
    def of(cls, ids: Sequence[str]) -> _Patterns:
        written = {form for each in ids for form in _json_forms(each)}
        long = [each for each in ids if len(each) >= _DISTINCTIVE and not each.isdecimal()]
        inside = [_bounded(form) for each in long for form in _json_forms(each)]
        return cls(
            '"(?:' + "|".join(re.escape(form) for form in sorted(written)) + ')"',
            "^(?:" + "|".join(re.escape(each) for each in ids) + ")$",
            "|".join(sorted(set(inside))) if inside else None,
        )

    def found(self, column: str, *, is_json: bool) -> str:
        name = quoted(column)
        tests = [self.in_json] + ([] if is_json else [self.whole]) + ([self.inside] if self.inside else [])
        return "(" + " OR ".join(f"regexp_matches({name}, {literal(test)})" for test in tests) + ")"

    def replaced(self, column: str, *, is_json: bool) -> str:
        text = f"regexp_replace({quoted(column)}, {literal(self.in_json)}, {literal(json.dumps(ERASED))}, 'g')"
        for pattern in ([] if is_json else [self.whole]) + ([self.inside] if self.inside else []):
            text = f"regexp_replace({text}, {literal(pattern)}, {literal(ERASED)}, 'g')"
        return text


def _is_own(ids: Sequence[str]) -> str:
    listed = ", ".join(map(literal, ids))
    return "(" + " OR ".join(f"coalesce({name} IN ({listed}), false)" for name in IDENTITY_COLUMNS) + ")"


def _json_forms(text: str) -> set[str]:
    forms = {json.dumps(text, ensure_ascii=True)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return forms | {form.replace("/", "\\/") for form in forms}


def _bounded(text: str) -> str:
    start = r"\b" if re.match(r"[A-Za-z0-9_]", text) else ""
    end = r"\b" if re.search(r"[A-Za-z0-9_]$", text) else ""
    return start + re.escape(text) + end


def _request_names(body: str, ids: Sequence[str]) -> bool:
    raw = base64.b64decode(json.loads(body)["request"])
    with contextlib.suppress(OSError, EOFError):
        raw = gzip.decompress(raw)
    return any(form.encode("utf-8", "replace") in raw for each in ids for form in _json_forms(each))
