"""Settings of one installation: read once from the environment and the command line, then passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from paribus.errors import InputError, did_you_mean

PREFIX = "PARIBUS_"
DEFAULT_FOLDER = Path("paribus-data")
# Of Parquet, in all files of an event table: up to it, opening its many files for each statement costs more than
# keeping in memory what is read of them.
SMALL_TABLE_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen; the defaults need nothing installed."""

    data: Path = DEFAULT_FOLDER
    """The data folder."""
    store_url: str = ""
    """Database of the definitions (PostgreSQL URL); SQLite in the data folder without it."""
    landing_url: str = ""
    """kafka://host:port/topic; the local queue in the data folder without it."""
    host: str = "127.0.0.1"
    port: int = 8400
    flagd_port: int = 0
    """Port of flagd's sync service (gRPC, 8015 by custom); 0 serves none."""
    cors_origins: tuple[str, ...] = ("*",)
    """Origins whose pages may evaluate flags and send events."""
    max_body_megabytes: float = 20.0
    """Largest request body, unpacked."""
    max_depth: int = 20
    """Deepest nesting of JSON."""
    requests_per_second: int = 2_000
    """Per key; beyond it 429."""
    max_queue_megabytes: int = 4_096
    """Events waiting for the lake; beyond it intake answers 503 and clients retry."""
    flush_seconds: float = 2.0
    flush_events: int = 20_000
    retention_days: int = 0
    """Days that events are kept; 0 keeps them."""
    keep_seconds: float = 60.0
    """How often the tables that many analyses read are brought up to the lake; 0 keeps none."""
    log_level: str = "info"


def from_environment(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from PARIBUS_… variables, overridden by what is given (None means not given).

    Raises:
        InputError: a variable is unknown or not of its type.
    """
    environment = os.environ if environment is None else environment
    known = {each.name: each for each in fields(Settings)}
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or name in _OF_OTHERS:
            continue
        if name not in known:
            raise InputError(
                f"{variable} is no setting",
                where="environment",
                fix=did_you_mean(variable, [PREFIX + each.upper() for each in known]),
            )
        found[name] = _parsed(name, text)
    found |= {name: value for name, value in given.items() if value is not None}
    return replace(Settings(), **found)


_OF_OTHERS = {"url", "key", "cache_dir", "model_key"}  # read by the client and by roles, in the same environment


def _parsed(name: str, text: str) -> Any:
    default = getattr(Settings(), name)
    try:
        if isinstance(default, tuple):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return type(default)(text)
    except ValueError as error:
        kind = {"int": "a whole number", "float": "a number"}.get(type(default).__name__, "a value")
        raise InputError(f"{text!r} is not {kind}", where=PREFIX + name.upper()) from error
