"""Start-up repair of a table whose last commits did not reach the disk whole.

After a loss of power the newest log file can be torn or empty, or name Parquet files that are short. Everything above
the noted durable version is still in the queue, so the bad tail of the log is set aside and flushed again.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from paribus.lake.durability import sync_folder
from paribus.lake.table import LOG_FOLDER

_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Repair:
    """Log files set aside, the first bad version (None: nothing was wrong) and why."""

    first_bad_version: int | None
    reason: str | None
    set_aside: tuple[str, ...]


def repair(table: Path, durable_version: int, damaged: Path) -> Repair:
    """Sets aside the log from its first bad commit above the durable version; other commits stay.

    Args:
        durable_version: commits up to it were synced; they are not looked at.
        damaged: the folder that takes what is set aside; made when needed.
    """
    log = table / LOG_FOLDER
    if not log.is_dir():
        return Repair(None, None, ())
    set_aside = _drop_torn_checkpoint(log, damaged)
    for leftover in [*log.glob("*.tmp"), *log.glob("_commit_*")]:
        set_aside.append(_move(leftover, damaged))
    commits: dict[int, list[dict[str, Any]] | None] = {}
    for file in sorted(log.glob("[0-9]" * 20 + ".json")):
        version = int(file.stem)
        if version > durable_version:
            commits[version] = _parsed(file)
    bad, reason = _first_bad(table, commits, durable_version)
    if bad is not None:
        for version in sorted(commits, reverse=True):
            if version >= bad:
                set_aside.append(_move(log / f"{version:020d}.json", damaged))
    if set_aside:
        sync_folder(log)
    if bad == 0:
        shutil.rmtree(log)
        sync_folder(table)
    return Repair(bad, reason, tuple(set_aside))


def _parsed(file: Path) -> list[dict[str, Any]] | None:
    try:
        text = file.read_bytes()
        actions = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, OSError):
        return None
    return actions if actions and all(isinstance(action, dict) for action in actions) else None


def _first_bad(
    table: Path, commits: dict[int, list[dict[str, Any]] | None], durable_version: int
) -> tuple[int | None, str | None]:
    newest_checkpoint = max(
        (int(file.name[:20]) for file in (table / LOG_FOLDER).glob("*.checkpoint*.parquet")), default=-1
    )
    expected = durable_version + 1
    good: list[int] = []
    bad: int | None = None
    reason: str | None = None
    for version in sorted(commits):
        if commits[version] is None:
            bad, reason = version, "its log file is torn"
            break
        if version != expected and version > newest_checkpoint + 1:
            bad, reason = version, "a log file before it is missing"
            break
        good.append(version)
        expected = version + 1
    while True:
        removed_at: dict[str, int] = {}
        for version in good:
            for action in commits[version] or []:
                if "remove" in action:
                    removed_at[action["remove"]["path"]] = version
        lame = next(
            (
                (version, problem)
                for version in good
                for action in commits[version] or []
                if "add" in action
                and removed_at.get(action["add"]["path"], -1) <= version
                and (problem := _file_problem(table, action["add"]))
            ),
            None,
        )
        if lame is None:
            return bad, reason
        bad, reason = lame
        good = [version for version in good if version < bad]


def _file_problem(table: Path, added: dict[str, Any]) -> str | None:
    path = table / unquote(added["path"])
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size != added["size"]:
                return f"{path.name} has {size} bytes of {added['size']}"
            file.seek(-4, os.SEEK_END)
            if file.read() != _PARQUET_MAGIC:
                return f"{path.name} has no Parquet footer"
    except OSError:
        return f"{path.name} is missing"
    return None


def _drop_torn_checkpoint(log: Path, damaged: Path) -> list[str]:
    """Sets aside checkpoints that end early and the pointer to them; the log's JSON files say the same."""
    set_aside: list[str] = []
    for file in log.glob("*.checkpoint*.parquet"):
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(-min(4, size), os.SEEK_END)
            is_whole = size >= 12 and opened.read() == _PARQUET_MAGIC
        if not is_whole:
            set_aside.append(_move(file, damaged))
    pointer = log / "_last_checkpoint"
    if pointer.exists():
        try:
            version = json.loads(pointer.read_bytes())["version"]
            is_whole = any(log.glob(f"{version:020d}.checkpoint*.parquet"))
        except (ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            set_aside.append(_move(pointer, damaged))
    return set_aside


def _move(file: Path, damaged: Path) -> str:
    damaged.mkdir(parents=True, exist_ok=True)
    target = damaged / f"{file.parent.parent.name}-{file.name}"
    attempt = 0
    while target.exists():
        attempt += 1
        target = damaged / f"{file.parent.parent.name}-{file.name}.{attempt}"
    os.replace(file, target)
    sync_folder(damaged)
    return str(target)
