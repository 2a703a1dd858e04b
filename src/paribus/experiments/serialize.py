"""A result as plain JSON values by the published schema (spec/result.schema.json), and back without losing a bit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import paribus
from paribus.errors import ProofError
from paribus.experiments.plain import from_plain, schema, to_plain
from paribus.experiments.result import Result

FORMAT = "urn:paribus:result:1"

# The password in user:password@ of a URL (a ${NAME} is none), and in password=… of a connection string.
_URL_SECRET = re.compile(r"(?<=://)([^/@\s:'\"]*):(?!\$\{\w+\}@)[^/\s'\"]*(?=@)")
_KEY_SECRET = re.compile(r"(?i)\b(password|passwd|pwd)(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;)&]+)")


def result_to_dict(result: Result) -> dict[str, Any]:
    """The result by its published schema. Passwords inside statements and names of sources are blotted out."""
    return {"schema": FORMAT, "version": paribus.__version__, **without_secrets(to_plain(result))}


def result_from_dict(plain: dict[str, Any]) -> Result:
    """The result that `result_to_dict` wrote.

    Raises:
        ProofError: a field is missing, unknown or of another type; `where` is its path.
    """
    if not isinstance(plain, dict) or plain.get("schema") != FORMAT:
        found = plain.get("schema") if isinstance(plain, dict) else type(plain).__name__
        raise ProofError(
            f"this is not a result of Paribus: its schema is {found!r}",
            rule=f"schema is {FORMAT!r}",
            fix="give the file that paribus analyze --json wrote",
        )
    result: Result = from_plain(Result, {k: v for k, v in plain.items() if k not in ("schema", "version")})
    return result


def read_result(path: str | Path) -> dict[str, Any]:
    """The plain values in a result file.

    Raises:
        ProofError: there is no such file, or it is not JSON.
    """
    fix = "give what paribus analyze --save, or --json, wrote"
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ProofError(f"the result cannot be read: {error.strerror or error}", where=str(path), fix=fix) from error
    except ValueError as error:
        raise ProofError(f"the result is not JSON: {error}", where=str(path), fix=fix) from error
    if not isinstance(plain, dict):
        raise ProofError("the file holds no result", where=str(path), fix=fix)
    return plain


def without_secrets(plain: Any) -> Any:
    """The same values with passwords in texts replaced by ***.

    >>> without_secrets("postgresql://ada:pass@db/shop")
    'postgresql://ada:***@db/shop'
    """
    if isinstance(plain, str):
        return _KEY_SECRET.sub(r"\1\2***", _URL_SECRET.sub(r"\1:***", plain))
    if isinstance(plain, list):
        return [without_secrets(item) for item in plain]
    if isinstance(plain, dict):
        return {key: without_secrets(item) for key, item in plain.items()}
    return plain


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a result, as published in spec/result.schema.json."""
    definitions: dict[str, Any] = {}
    schema(Result, definitions)
    top = definitions.pop("Result")
    head = {"schema": {"const": FORMAT}, "version": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": FORMAT,
        "title": "Paribus result",
        **top,
        "properties": {**head, **top["properties"]},
        "required": [*head, *top["required"]],
        "$defs": definitions,
    }


def json_schema_text() -> str:
    """The published file's text."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
