"""Definitions as versioned documents in a hash chain, and erasable records, on SQLite or PostgreSQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paribus.store.address import DEFAULT_PROJECT, Address, Change, Revision, StaleWrite
from paribus.store.chain import Anchor, ChainReport
from paribus.store.record_type import Claim, RecordType
from paribus.store.store import Erased, Store, open_store

if TYPE_CHECKING:
    from paribus.store.records import Records
    from paribus.store.restoration import restore

__all__ = [
    "DEFAULT_PROJECT",
    "Address",
    "Anchor",
    "ChainReport",
    "Change",
    "Claim",
    "Erased",
    "RecordType",
    "Records",
    "Revision",
    "StaleWrite",
    "Store",
    "open_store",
    "restore",
]

_LATER = {"Records": "paribus.store.records", "restore": "paribus.store.restoration"}  # they import SQLAlchemy


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
