"""Registering a plan: `experiment.seal.json` beside the experiment file, and what differs from it later.

The file holds every sealing in order. Each entry is chained to the one before, so a seal can be amended with a reason
but not rewritten unseen; the current plan also stands there as canonical text, by which an edit is named.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from paribus.clock import Clock
from paribus.errors import PlanError, ProofError
from paribus.experiments.canonical import (
    Plain,
    canonical_text,
    design_of,
    differences,
    plan_body,
    sha256,
    with_caps,
    with_caps_as_numbers,
)
from paribus.experiments.document import Document
from paribus.experiments.plain import from_plain, to_plain
from paribus.experiments.plan import Amendment, Design, Seal
from paribus.metrics.definition import DataModel

FORMAT = 1
Caps = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class Readable:
    """What could be read when the plan was sealed.

    watermark  data are complete up to here; None when the source does not say
    rows       rows after exposure (or of units) that were readable: 0 means sealed before data
    """

    watermark: datetime | None = None
    rows: int = 0


def seal_path(document_file: str | Path) -> Path:
    """The seal's place: beside the experiment file.

    >>> seal_path("plans/experiment.yaml").name
    'experiment.seal.json'
    """
    return Path(document_file).with_suffix(".seal.json")


def register(
    document: Document,
    *,
    clock: Clock,
    readable: Readable,
    caps: Caps | None = None,
    author: str | None = None,
    amend: str | None = None,
) -> Seal:
    """Seals the document's plan and writes it beside the file.

    Args:
        document: read from a file.
        clock: gives the time of sealing.
        readable: the data that were there already.
        caps: what the percentile caps came to over the pre-period, by metric: they are sealed as numbers.
        author: who seals; git's user or $USER when omitted.
        amend: the reason for sealing again; only then is an existing seal extended.

    Raises:
        PlanError: it is sealed already, a percentile cap has no number, or there is no file.
        ProofError: the existing seal was edited.
    """
    if document.file is None:
        raise PlanError("only a plan in a file can be sealed", fix="paribus init RESULTS.csv writes an experiment.yaml")
    path = seal_path(document.file)
    content = sealed(
        document,
        _entries(path) if path.exists() else [],
        where=str(path),
        clock=clock,
        readable=readable,
        caps=caps,
        author=author,
        amend=amend,
    )
    _write(path, content)
    return _seal(content["entries"])


def sealed(
    document: Document,
    entries: list[Plain],
    *,
    where: str,
    clock: Clock,
    readable: Readable,
    caps: Caps | None = None,
    author: str | None = None,
    amend: str | None = None,
) -> Plain:
    """What a seal's file holds, or its document in a store: the entries so far and one more.

    Args:
        document: whose plan is sealed.
        entries: of the sealings before, checked by `entries_of`.
        where: how messages name the seal; the rest as for `register`.

    Raises:
        PlanError: it is sealed already, or a percentile cap has no number.
    """
    design = with_caps(document.design, caps or {})
    _check_caps(design, document)
    body = plan_body(design, document.data)
    if entries:
        _check_amendable(entries[-1], body, amend, where)
    elif amend is not None:
        raise PlanError("there is nothing to amend", where=where, fix="seal without --amend")
    entry: Plain = {
        "revision": len(entries) + 1,
        "hash": sha256(body),
        "author": author or default_author(),
        "time": clock().astimezone(UTC).isoformat(),
        "watermark": to_plain(readable.watermark),
        "rows_readable": readable.rows,
        "timing": "sealed after data" if readable.rows else "sealed before data",
        "reason": amend.strip() if amend else "sealed",
        "plan": body,
    }
    entry["chain"] = _chain(entries[-1]["chain"] if entries else "", entry)
    return {"paribus_seal": FORMAT, "canonical": canonical_text(body), "entries": [*entries, entry]}


def seal_of(content: Plain, where: str) -> Seal:
    """The seal that `sealed` gave, after checking every hash in it.

    Raises:
        ProofError: it is no seal, or was edited.
    """
    return _seal(entries_of(content, where))


def read(path: str | Path) -> Seal:
    """The seal in a file, after checking every hash in it.

    Raises:
        ProofError: it cannot be read, or was edited; the message names the edited field where it can be told.
    """
    return _seal(_entries(Path(path)))


def find(document: Document) -> Seal | None:
    """The seal beside the document's file; None when it was never sealed.

    Raises:
        ProofError: the seal was edited.
    """
    if document.file is None or not seal_path(document.file).exists():
        return None
    return read(seal_path(document.file))


def sealed_design(seal: Seal, *, title: str = "") -> Design:
    """The registered design, with its caps as the sealed numbers."""
    return replace(with_caps_as_numbers(design_of(seal.registered)), title=title)


def deviations(seal: Seal, design: Design, data: DataModel | None = None) -> tuple[str, ...]:
    """What differs from the sealed plan, one sentence each: the field, what was sealed, what it is now.

    A percentile cap that was sealed with its number is no deviation, nor is an end worked out from another runtime.
    """
    now = plan_body(design, data if "data" in seal.registered else None)
    then = {key: value for key, value in seal.registered.items() if key in now}
    found = list(differences(then, now))
    runtime_changed = any(path in ("plan.runtime_days", "plan.start") for path, _, _ in found)
    return tuple(
        _sentence(path, before, after)
        for path, before, after in found
        if not (path == "plan.end" and runtime_changed) and not _is_resolved_cap(path, before, after, then)
    )


def default_author(environ: Mapping[str, str] | None = None) -> str:
    """Git's user as "Name <mail>", else $USER, else "unknown"."""
    name, mail = _git("user.name"), _git("user.email")
    if name:
        return f"{name} <{mail}>" if mail else name
    known = os.environ if environ is None else environ
    return known.get("USER") or known.get("USERNAME") or "unknown"


def _git(key: str) -> str:
    try:
        # The command is fixed; git is found on the user's own path, as in their shell.
        asked = subprocess.run(["git", "config", key], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git: the next source of a name is asked
    return asked.stdout.strip()


def _check_caps(design: Design, document: Document) -> None:
    for i, metric in enumerate(design.metrics):
        cap = metric.cap
        if cap is None or cap.over == "pooled":
            continue
        for side in ("lower", "upper"):
            if getattr(cap, f"{side}_percentile") is not None and getattr(cap, side) is None:
                raise PlanError(
                    f"the {side} cap of {metric.name!r} is a percentile without its number",
                    where=document.position(f"metrics[{i}].cap"),
                    rule="a cap over the pre-period is sealed as a number",
                    fix="make the data of the pre-period readable, or write a number",
                )


def _check_amendable(last: Plain, body: Plain, amend: str | None, where: str) -> None:
    same = last["hash"] == sha256(body)
    when = f"{last['time'][:19]} by {last['author']}"
    if same:
        raise PlanError(f"this very plan was sealed on {when}", where=where, fix="nothing to do")
    if amend is None:
        changed = [path_ for path_, _, _ in differences(last["plan"], body)]
        raise PlanError(
            f"a plan was sealed on {when}, and this one differs in {', '.join(changed[:5])}",
            where=where,
            rule="a sealed plan is not replaced; it is amended with a reason that stays in the file",
            fix='--amend "why it changed"',
        )
    if not amend.strip():
        raise PlanError("the reason is blank", where=where, rule="an amendment says why", fix='--amend "why"')


def _entries(path: Path) -> list[Plain]:
    """The file's entries after checking them."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProofError(f"the seal cannot be read: {error.strerror or error}", where=str(path)) from error
    except ValueError as error:
        raise ProofError(f"the seal is not JSON: {error}", where=str(path), fix="restore it from git") from error
    return entries_of(content, str(path))


def entries_of(content: Any, where: str) -> list[Plain]:
    """Every sealing in order, after checking the hashes.

    Raises:
        ProofError: it is no seal, or was edited.
    """
    if not isinstance(content, dict) or content.get("paribus_seal") != FORMAT or not content.get("entries"):
        raise ProofError("this is not a seal of a known format", where=where, fix="restore it from git")
    entries: list[Plain] = content["entries"]
    before = ""
    try:
        for i, entry in enumerate(entries):
            _check_entry(entry, before, content["canonical"] if i == len(entries) - 1 else None, where)
            before = entry["chain"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ProofError(f"the seal lacks {error}", where=where, fix="restore it from git") from error
    return entries


def _check_entry(entry: Plain, before: str, canonical: str | None, where: str) -> None:
    number = entry["revision"]
    if sha256(entry["plan"]) != entry["hash"]:
        edited = _edited_fields(canonical, entry) if canonical is not None else []
        named = f": {'; '.join(edited)}" if edited else ""
        raise ProofError(
            f"the plan of revision {number} was edited after sealing{named}",
            where=where,
            rule="the hash of a sealed plan is that of its canonical text",
            fix="restore the file from git, or seal again with --amend",
        )
    if canonical is not None and canonical_text(entry["plan"]) != canonical:
        raise ProofError("the canonical text was edited after sealing", where=where, fix="restore the file from git")
    if _chain(before, entry) != entry["chain"]:
        raise ProofError(
            f"the record of revision {number} (author, time, watermark, rows, reason, order) was edited",
            where=where,
            rule="each entry's chain hash covers it and all entries before it",
            fix="restore the file from git",
        )


def _edited_fields(canonical: str, entry: Plain) -> list[str]:
    """The fields in which the plan differs from its canonical text, when that text still has the sealed hash."""
    if hashlib.sha256(canonical.encode()).hexdigest() != entry["hash"]:
        return []
    return [_sentence(*found) for found in differences(json.loads(canonical), entry["plan"])]


def _chain(before: str, entry: Plain) -> str:
    return sha256({"before": before, **{k: v for k, v in entry.items() if k not in ("plan", "chain")}})


def _seal(entries: list[Plain]) -> Seal:
    last = entries[-1]
    amendments = [
        {
            **{k: entry[k] for k in ("time", "author", "reason", "timing")},
            "changed": [_sentence(*each, "before") for each in differences(before["plan"], entry["plan"])],
        }
        for before, entry in pairwise(entries)
    ]
    fields: dict[str, Any] = {
        **{k: last[k] for k in ("hash", "author", "time", "watermark", "rows_readable", "timing", "chain")},
        "registered": last["plan"],
        "amendments": amendments,
    }
    seal: Seal = from_plain(Seal, fields, "seal")
    return seal


def _write(path: Path, content: Plain) -> None:
    """Writes whole or not at all: a half-written seal would read as an edited one."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def _is_resolved_cap(path: str, before: Any, after: Any, then: Plain) -> bool:
    """True when a cap's number is new in the seal only because its percentile was worked out when sealing."""
    for side in ("lower", "upper"):
        if path.endswith(f".cap.{side}") and after is None and before is not None:
            name = path.removeprefix("metrics[").removesuffix(f"].cap.{side}")
            metrics = then["metrics"]
            sealed = next((m for m in metrics if m["name"] == name), None)
            return sealed is not None and sealed["cap"][f"{side}_percentile"] is not None
    return False


def _sentence(path: str, before: Any, after: Any, then: str = "sealed") -> str:
    if before is None:
        return f"{path}: added, {_words(after)}"
    if after is None:
        return f"{path}: removed, was {_words(before)}"
    return f"{path}: {then} {_words(before)}, now {_words(after)}"


def _words(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        return repr(value["name"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


__all__ = [
    "Amendment",
    "Readable",
    "default_author",
    "deviations",
    "entries_of",
    "find",
    "read",
    "register",
    "seal_of",
    "seal_path",
    "sealed",
    "sealed_design",
]
