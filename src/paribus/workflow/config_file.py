"""paribus.yaml, read with the place of every key, so that a mistake is told where it stands."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from paribus.errors import DefinitionError, InputError, NotFound, did_you_mean
from paribus.experiments.marked_yaml import KeyPath, MarkedTree
from paribus.experiments.marked_yaml import read as read_yaml
from paribus.experiments.problems import Problems
from paribus.experiments.scalars import shown
from paribus.workflow.config import Config

NAME = "paribus.yaml"
_OTHER_WORDS = {
    "alpha": "write confidence_level: 0.95 for alpha 0.05",
    "mde": "write minimum_detectable_effect: 2%",
    "sample_size": "write min_sample_size:",
    "duration_days": "write runtime_days:",
    "flags": "write feature_flags: {provider: …}",
    "provider": "provider stands in feature_flags:",
    "platforms": "write analytics_platforms: […]",
}
_EXPECTED = {
    "model_type": "a mapping of keys to values",
    "tuple_type": "a list, [a, b]",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_PATTERNS = {
    "currency": "three capital letters, such as USD",
    "url": "a URL that begins with http:// or https://",
    "key_variable": "MODEL_KEY, or the name of a variable that ends in _MODEL_KEY",
}


def read(path: Path | str) -> Config:
    """The configuration of a file."""
    try:
        source = Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"there is no file {str(path)!r}", where="paribus.yaml", fix="paribus config init writes one to start from"
        ) from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    return _with_screenshots(parsed(source, str(path)), Path(path).parent)


def _with_screenshots(config: Config, folder: Path) -> Config:
    """The configuration with the pictures of its arms in it, so that it stands alone."""
    from paribus.workflow.screenshot import embedded

    arms = {
        name: arm.model_copy(update={"screenshot": embedded(arm.screenshot, folder)}) if arm.screenshot else arm
        for name, arm in config.arms.items()
    }
    return config.model_copy(update={"arms": arms}) if arms != config.arms else config


def parsed(source: str | bytes, file: str = NAME) -> Config:
    """The configuration that a text states."""
    if not _says_anything(source):
        return Config()
    tree = read_yaml(source, file)
    if not isinstance(tree.value, dict):
        raise DefinitionError(
            f"{shown(tree.value)} stands where keys belong",
            where=str(tree.position(())),
            rule="the file is a mapping of keys to values",
            fix="paribus config init writes one to start from",
        )
    present = {key: value for key, value in tree.value.items() if value is not None}  # `economics:` alone: defaults
    try:
        return Config.model_validate(present)
    except ValidationError as error:
        problems = Problems(tree, file)
        for one in error.errors(include_url=False):
            _add(problems, one, tree)
        problems.raise_any()
        raise


def _says_anything(source: str | bytes) -> bool:
    text = source.decode("utf-8-sig", errors="replace") if isinstance(source, bytes) else source.removeprefix("\ufeff")
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _add(problems: Problems, one: Any, tree: MarkedTree) -> None:
    kind, given, context = one["type"], one.get("input"), one.get("ctx", {})
    path = _written(one["loc"], tree)
    if kind == "extra_forbidden":
        key = str(one["loc"][-1])
        fix = _OTHER_WORDS.get(key) or did_you_mean(key, _model_at(one["loc"][:-1]).model_fields)
        problems.add(path, f"unknown key {key!r}", key=True, rule=_elsewhere(key), fix=fix)
    elif kind == "meaning":
        problems.add(path, context["what"], rule=context.get("rule"), fix=context.get("fix"))
    elif kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected")))
        rule = f"one of {', '.join(allowed)}"
        problems.add(path, f"{shown(given)} is not allowed here", rule=rule, fix=did_you_mean(str(given), allowed))
    elif kind == "string_pattern_mismatch":
        problems.add(path, f"{shown(given)} is not {_PATTERNS.get(str(one['loc'][-1]), 'allowed here')}")
    elif kind in _EXPECTED:
        problems.add(path, f"{shown(given)} is not {_EXPECTED[kind]}")
    elif kind in _BOUNDS:
        name, word = _BOUNDS[kind]
        problems.add(path, f"{shown(given)} is out of range", rule=f"{word} {context[name]:g}")
    else:
        problems.add(path, str(one["msg"]))


def _written(loc: tuple[int | str, ...], tree: MarkedTree) -> KeyPath:
    """The path as it was written: a switch of `monitoring` may stand in the list form."""
    if len(loc) > 1 and loc[0] == "monitoring" and isinstance(tree.value.get("monitoring"), list):
        for i, item in enumerate(tree.value["monitoring"]):
            if isinstance(item, dict) and loc[1] in item:
                return ("monitoring", i, *loc[1:])
    return tuple(loc)


def _model_at(path: tuple[int | str, ...]) -> type[BaseModel]:
    model: Any = Config
    for part in path:
        hint = model.model_fields[str(part)].annotation
        model = next((each for each in (hint, *typing.get_args(hint)) if isinstance(each, type)), Config)
    found: type[BaseModel] = model
    return found


def _elsewhere(key: str) -> str | None:
    """Where a key that is unknown here belongs, when it belongs somewhere."""
    for name, field in Config.model_fields.items():
        hint = field.annotation
        if isinstance(hint, type) and issubclass(hint, BaseModel) and key in hint.model_fields:
            return f"{key} belongs to {name}"
    return None
