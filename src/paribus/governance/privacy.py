"""Whose data a property is, told from its name; and views that show it only as far as its class allows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from paribus.events.plan import PersonalClass

_SENSITIVE = re.compile(
    r"health|diagnos|medical|religio|ethnic|race$|sexual|politic|union_member|biometric|iban|card_number|cvv|passport|ssn"
    r"|salary|password|secret",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"e?mail(_|$)|phone|mobile_number|(first|last|full|sur|user|given|family)_?name|^name$|street|address|postcode|zip"
    r"|birth|(^|_)dob|(^|_)ip(_|$)|latitude|longitude|(^|_)(lat|lng|lon)(_|$)|gender|(^|_)age$|tax_id",
    re.IGNORECASE,
)
_PSEUDONYMOUS = re.compile(
    r"(user|customer|account|member|visitor|client|device|anonymous|session|cookie|person|profile)_?(id|key|uuid|token)s?$"
    r"|user_agent|fingerprint|(^|_)referrer$",
    re.IGNORECASE,
)
IDENTITY: dict[str, PersonalClass] = {
    "unit": "pseudonymous",
    "user_id": "pseudonymous",
    "anonymous_id": "pseudonymous",
    "session_id": "pseudonymous",
    "event_id": "none",
}
MASKED: tuple[PersonalClass, ...] = ("pseudonymous", "personal", "sensitive")
SETTING = "paribus_pepper"  # a variable of the session that reads a masked view; without it ids are missing


def classify(name: str) -> PersonalClass:
    """The personal class that a property's name suggests; a person may know better.

    >>> classify("email"), classify("device_id"), classify("revenue"), classify("diagnosis")
    ('personal', 'pseudonymous', 'none', 'sensitive')
    """
    if name in IDENTITY:
        return IDENTITY[name]
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    if _SENSITIVE.search(words):
        return "sensitive"
    if _PERSONAL.search(words):
        return "personal"
    return "pseudonymous" if _PSEUDONYMOUS.search(words) else "none"


def mask_sql(column: str, personal: PersonalClass, pepper: str) -> str:
    """SQL (DuckDB) that shows a column as far as its class allows.

    none          as it is
    pseudonymous  a keyed hash: the same person is the same text, and nobody can be found from it without the pepper
    personal      whether it is there
    sensitive     nothing

    Args:
        column: the quoted column.
        personal: its class.
        pepper: SQL of the secret that is hashed with the value; never a value in a file.
    """
    if personal == "none":
        return column
    if personal == "pseudonymous":
        return f"CASE WHEN {column} IS NULL THEN NULL ELSE sha256({pepper} || ':' || {column}::VARCHAR) END"
    if personal == "personal":
        return f"CASE WHEN {column} IS NULL THEN NULL ELSE '***' END"
    return "NULL::VARCHAR"


def masked_select(
    relation: str, columns: Mapping[str, PersonalClass], pepper: str = f"getvariable('{SETTING}')"
) -> str:
    """A SELECT that shows every column of a relation as far as its class allows.

    Args:
        relation: SQL name of the table.
        columns: class by column.
        pepper: see `mask_sql`; by default a variable of the session, so that the view itself holds no secret.
    """
    shown = []
    for name, personal in columns.items():
        quoted = '"' + name.replace('"', '""') + '"'
        sql = mask_sql(quoted, personal, pepper)
        shown.append(quoted if sql == quoted else f"{sql} AS {quoted}")
    return f"SELECT {', '.join(shown)} FROM {relation}"
