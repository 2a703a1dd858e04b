"""Sample values that fill a generated form: each is valid by the tracking plan, none is anybody's."""

from __future__ import annotations

import json

from paribus.events.plan import PropertyDoc

WORDS = {"currency": "USD", "country": "US", "language": "en"}


def sample_text(name: str, declared: PropertyDoc) -> str:
    """A valid value of the property, as text of a form field.

    >>> sample_text("quantity", PropertyDoc(type="integer", minimum=1))
    '1'
    """
    if declared.enum is not None:
        return str(declared.enum[0])
    if declared.type in ("integer", "number"):
        value = declared.minimum if declared.minimum is not None else 1
        if declared.maximum is not None:
            value = min(max(value, 1), declared.maximum) if declared.minimum is None else value
        return str(int(value)) if declared.type == "integer" else str(float(value))
    if declared.type == "boolean":
        return "true"
    if declared.type == "datetime":
        return "2026-01-01T00:00:00Z"
    if declared.type == "json":
        return json.dumps({})
    return WORDS.get(name, f"sample-{'-'.join(name.split())}"[:100].lower())
