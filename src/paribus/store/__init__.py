"""Definitions as versioned documents in a hash chain, and erasable records, on SQLite or PostgreSQL."""

from paribus.store.address import DEFAULT_PROJECT, Address, Change, Revision, StaleWrite
from paribus.store.chain import Anchor, ChainReport
from paribus.store.record_type import Claim, RecordType
from paribus.store.records import Records
from paribus.store.restoration import restore
from paribus.store.store import Erased, Store, open_store

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
