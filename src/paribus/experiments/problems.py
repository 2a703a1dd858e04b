"""What is wrong with a document, collected with the place of each thing, and raised together."""

from __future__ import annotations

import re
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from paribus.errors import DefinitionError, did_you_mean
from paribus.experiments import schema
from paribus.experiments.document import DocumentError
from paribus.experiments.marked_yaml import KeyPath, MarkedTree, Position, spelled
from paribus.experiments.scalars import shown

MOST_SHOWN = 20

# Words from other tools, and what they are called here.
_OTHER_WORDS = {
    "alpha": "write confidence_level: 0.95 for alpha 0.05",
    "significance_level": "write confidence_level: 0.95 for alpha 0.05",
    "name": "the experiment's key is experiment:, the words about it title:",
    "id": "the experiment's key is experiment:",
    "weights": "weights stand in variants: {control: 50, treatment: 50}",
    "baseline": "the baseline arm is control:",
    "mde": "smallest_worthwhile: {METRIC: 1%} stands in plan:",
    "sql": "the expression is value:, a condition filter:",
    "numerator": "the numerator is value:",
    "where": "the condition is filter:",
    "duration_days": "write runtime_days:",
    "file": "the file or table is table:",
    "percentile": "write upper_percentile: 99.9",
}


class Problems:
    """Errors found so far in one document."""

    def __init__(self, tree: MarkedTree, file: str) -> None:
        self.tree = tree
        self.file = file
        self._found: list[tuple[Position, DefinitionError]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(
        self, path: KeyPath, what: str, *, key: bool = False, rule: str | None = None, fix: str | None = None
    ) -> None:
        """Notes an error of the value (or key) at `path`."""
        position = self.tree.position(path, key=key)
        where = f"{position} ({spelled(path)})" if path else str(position)
        self._found.append((position, DefinitionError(what, where=where, rule=rule or None, fix=fix or None)))

    def raise_any(self) -> None:
        """Raises what was found, in the order of the file.

        Raises:
            DefinitionError: one error, or `DocumentError`.
        """
        if not self._found:
            return
        in_order = sorted(self._found, key=lambda found: (found[0].line, found[0].column))
        errors = tuple(error for _, error in in_order)
        if len(errors) == 1:
            raise errors[0]
        raise DocumentError(errors[:MOST_SHOWN], self.file)


def add_schema_errors(problems: Problems, error: ValidationError, value: dict[str, Any]) -> None:
    """Notes every error that the schema found, in the document's words."""
    found = [(*_path_and_tag(one["loc"], value), one) for one in error.errors(include_url=False)]
    unknown = [path for path, _, one in found if one["type"] == "extra_forbidden"]
    for path, tag, one in found:
        # A misspelled required key is one mistake, not two: the unknown key already says what was meant.
        if one["type"] == "missing" and any(_means(other, path) for other in unknown):
            continue
        _add_one(problems, one["type"], path, tag, one)


def _means(written: KeyPath, meant: KeyPath) -> bool:
    same_place = written[:-1] == meant[:-1]
    return same_place and did_you_mean(str(written[-1]), [str(meant[-1])]).startswith("did")


def _add_one(problems: Problems, kind: str, path: KeyPath, tag: str | None, one: Any) -> None:
    context: dict[str, Any] = one.get("ctx", {})
    given = one.get("input")
    if kind == "meaning":
        problems.add(path, context["what"], rule=context.get("rule"), fix=context.get("fix"))
    elif kind == "extra_forbidden":
        key = str(path[-1])
        problems.add(path, f"unknown key {key!r}", key=True, **_unknown_key(path, key, tag))
    elif kind == "missing":
        _add_missing(problems, path)
    elif kind == "union_tag_not_found":
        problems.add((*path, "type"), "the key 'type' is missing", rule=f"one of {', '.join(schema.METRIC_TYPES)}")
    elif kind == "union_tag_invalid":
        word = str(context.get("tag"))
        problems.add(
            (*path, "type"),
            f"{word!r} is not a type of metric",
            rule=f"one of {', '.join(schema.METRIC_TYPES)}",
            fix=did_you_mean(word, schema.METRIC_TYPES),
        )
    elif kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected")))
        fix = did_you_mean(str(given), allowed) if allowed else f"write {context.get('expected')}"
        rule = f"one of {', '.join(allowed)}" if allowed else None
        problems.add(path, f"{shown(given)} is not allowed here", rule=rule, fix=fix)
    elif kind == "string_pattern_mismatch" and path == ("experiment",):
        suggested = re.sub(r"[^A-Za-z0-9._-]+", "-", str(given)).strip("-._") or "my-experiment"
        problems.add(path, f"{shown(given)} is not a key", rule="letters, digits, . _ -", fix=f"write {suggested}")
    else:
        problems.add(path, _words(kind, given, one["msg"], context))


def _add_missing(problems: Problems, path: KeyPath) -> None:
    key = str(path[-1])
    holder = spelled(path[:-1]) or "the experiment"
    examples = {
        "paribus": "write paribus: 1 in the first line",
        "experiment": "write experiment: my-key",
        "interference": "write interference: none because …, cluster: KEY, switchback or shared_resource",
        "variants": "write variants: {control: 50, treatment: 50}",
        "metrics": "write a list of metrics, - {name: …, type: mean, …}",
        "unit": "name the column with the unit's id",
        "variant": "name the column with the variant",
        "time": "name the column with the time",
        "table": "name the file or table",
        "quantile": "write for instance quantile: 0.95",
    }
    problems.add(path, f"the key {key!r} is missing from {holder}", fix=examples.get(key))


def _words(kind: str, given: Any, message: str, context: dict[str, Any]) -> str:
    expected = {
        "model_type": "a mapping of keys to values",
        "model_attributes_type": "a mapping of keys to values",
        "dict_type": "a mapping of keys to values",
        "list_type": "a list, [a, b]",
        "string_type": "text",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "greater_than": f"above {context.get('gt')}",
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than": f"below {context.get('lt')}",
        "less_than_equal": f"at most {context.get('le')}",
        "too_short": f"at least {context.get('min_length')} values",
        "too_long": f"at most {context.get('max_length')} values",
        "string_too_short": "some text",
    }
    if kind in expected:
        return f"{shown(given)} is not {expected[kind]}" if "too_" not in kind else f"expected {expected[kind]}"
    return message


def _unknown_key(path: KeyPath, key: str, tag: str | None) -> dict[str, str]:
    model = model_at(path[:-1], tag)
    known = set(model.model_fields)
    if tag is not None and len(path) == 3:
        others = [name for name, other in schema.METRIC_TYPES.items() if key in other.model_fields]
        if others:
            return {"rule": f"{key} belongs to {' and '.join(others)} metrics; this one is a {tag}"}
    if key in _OTHER_WORDS and (len(path) == 1 or key not in ("name", "id")):
        return {"fix": _OTHER_WORDS[key]}
    return {"fix": did_you_mean(key, known)}


def model_at(path: KeyPath, tag: str | None) -> type[BaseModel]:
    """The model that describes the mapping at `path`; `tag` is the type of the metric that the path goes through."""
    model: Any = schema.ExperimentDoc
    rest = list(path)
    if tag is not None and len(rest) >= 2:
        model, rest = schema.METRIC_TYPES[tag], rest[2:]
    for part in rest:
        if isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            model = model.model_fields[str(part)].annotation
        else:
            model = typing.get_args(model)[-1]  # the values of a mapping, the items of a list
        model = _stripped(model)
    found: type[BaseModel] = model
    return found


def _stripped(hint: Any) -> Any:
    """The type without `Annotated` and without None."""
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    args = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    if type(None) in typing.get_args(hint) and len(args) == 1:
        return _stripped(args[0])
    return hint


def _path_and_tag(loc: tuple[int | str, ...], value: dict[str, Any]) -> tuple[KeyPath, str | None]:
    """The key path of a pydantic location: without the tag of the metric's type and without marks for keys."""
    parts = [part for part in loc if part != "[key]"]
    tag = None
    if len(parts) > 2 and parts[0] == "metrics" and parts[2] in schema.METRIC_TYPES:
        tag = str(parts.pop(2))
    # Short forms (weights, margins) are read as their long form: the last part may not stand in the file.
    while len(parts) > 1 and isinstance(parts[-1], str) and not isinstance(_at(value, parts[:-1]), dict | list):
        parts.pop()
    return tuple(parts), tag


def _at(value: Any, path: list[int | str]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None  # the path leads out of what was written
    return value
