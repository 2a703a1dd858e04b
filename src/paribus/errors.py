"""The errors that Paribus raises, under one root.

    ParibusError
    ├── InputError          what the caller passed: an argument, a column, a file, a row
    │   ├── DefinitionError a document (experiment.yaml, a metric): points at line and key
    │   └── FragmentError   a SQL fragment that is not a scalar expression on the declared columns
    ├── NotFound            a document, record or file that is named does not exist
    ├── Conflict            a stale write: someone else changed the document meanwhile; nothing was written
    ├── AccessError         no valid key, or one that may not do this
    ├── LimitError          too large, too deep, or too often; says when to try again
    ├── LockedError         another process holds the data folder
    ├── StorageError        the disk or folder refused: full, unreadable, of a newer format
    ├── PlanError           a question the registered plan does not allow
    ├── ProofError          a result file that cannot be read as a proof
    ├── EngineError         the database or file reader failed
    │   └── TransientError  the same, but trying again later may work
    └── MissingExtra        an optional dependency is not installed

An error says four things: what happened, where, the rule, and what to do. The doors (command line, HTTP, MCP) draw
the same four fields; no error knows a status code or an exit code.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class ParibusError(Exception):
    """Root of every error Paribus raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str | None = None, rule: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.rule = rule
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.rule:
            lines.append(f"  rule: {self.rule}")
        if self.fix:
            lines.append(f"  fix:  {self.fix}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, str]:
        """The error as plain fields, the same for the command line's --json, HTTP and MCP."""
        fields = {"code": self.code, "what": self.what, "where": self.where, "rule": self.rule, "fix": self.fix}
        return {name: value for name, value in fields.items() if value}


class InputError(ParibusError):
    """Something the caller passed cannot be used."""

    code = "input"


class DefinitionError(InputError):
    """A document breaks its schema or contradicts itself; `where` is file:line and key."""

    code = "definition"


class FragmentError(InputError):
    """A SQL fragment is not a scalar expression on the declared columns."""

    code = "fragment"


class NotFound(ParibusError):
    """What was named does not exist."""

    code = "not_found"


class Conflict(ParibusError):
    """The document changed since it was read; nothing was written, nothing was lost."""

    code = "conflict"


class AccessError(ParibusError):
    """The caller is unknown (`authenticated` False), or known and not allowed (True)."""

    code = "access"

    def __init__(
        self,
        what: str,
        *,
        authenticated: bool,
        where: str | None = None,
        rule: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, where=where, rule=rule, fix=fix)
        self.authenticated = authenticated


class LimitError(ParibusError):
    """Too large, too deep, or too often; `retry_after` in seconds when waiting helps."""

    code = "limit"

    def __init__(
        self,
        what: str,
        *,
        retry_after: float | None = None,
        where: str | None = None,
        rule: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, where=where, rule=rule, fix=fix)
        self.retry_after = retry_after


class LockedError(ParibusError):
    """Another process holds the data folder."""

    code = "locked"


class StorageError(ParibusError):
    """The disk or the data folder refused: full, unreadable, damaged, or written by a newer version."""

    code = "storage"


class PlanError(ParibusError):
    """The registered plan forbids what was asked."""

    code = "plan"


class ProofError(ParibusError):
    """A result file is not a readable proof."""

    code = "proof"


class EngineError(ParibusError):
    """The database, or a reader of files, refused or failed."""

    code = "engine"


class TransientError(EngineError):
    """An engine failure that may pass when tried again."""

    code = "transient"


class MissingExtra(ParibusError):
    """An optional dependency is needed and not installed."""

    code = "missing_extra"

    def __init__(self, package: str, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the package {package!r}, which is not installed",
            fix=f'pip install "paribus[{extra}]"',
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known spelling, or lists what is known."""
    names = sorted(known)
    close = get_close_matches(name.lower(), [known_name.lower() for known_name in names], n=1, cutoff=0.6)
    if close:
        spelled = next(known_name for known_name in names if known_name.lower() == close[0])
        return f"did you mean {spelled!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is known"
