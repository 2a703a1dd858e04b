"""Oracle cases: known answers from other implementations and published tables, run through `paribus.stats`.

`python -m tests.oracles FILE` answers every case of a file. A topic is a module of this package with

    run(method: str, inputs: dict) -> dict        the answers, under the keys that the cases of the method expect

which maps method and keys to public functions of `paribus.stats`, and raises `Unsupported` for what they cannot do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from paribus.stats.estimate import Undetermined

DATA = Path(__file__).parent / "data"
EXACT_TO = 2**53


class Unsupported(Exception):
    """This case cannot be answered, and why."""


def topic_runner(topic: str) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """The `run` function of a topic's module, found by name."""
    name = f"{__name__}.{topic}"
    if not topic.isidentifier() or find_spec(name) is None:
        raise Unsupported(f"no module for the topic {topic!r}")
    run: Callable[[str, dict[str, Any]], dict[str, Any]] = import_module(name).run
    return run


def answer(case: dict[str, Any], topic: str) -> dict[str, Any]:
    """The answers of one case as JSON values, or why there are none."""
    try:
        run = topic_runner(case.get("topic", topic))
        answers = run(case.get("method", ""), whole(case["inputs"]))
        return {key: plain(value) for key, value in answers.items()}
    except Unsupported as unsupported:
        return {"unsupported": str(unsupported)}
    except KeyError as missing:
        return {"unsupported": f"the case has no {missing}"}
    except Exception as failure:  # noqa: BLE001 (one broken case must not hide the answers of the others)
        return {"unsupported": f"{type(failure).__name__}: {failure}"}


def answers(path: str | Path) -> dict[str, dict[str, Any]]:
    """Answers of every case of an oracle file, by case id."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    topic = document.get("topic", Path(path).stem)
    found: dict[str, dict[str, Any]] = {}
    for number, case in enumerate(document.get("cases", []), start=1):
        is_case = isinstance(case, dict)
        name = str(case.get("id", number)) if is_case else str(number)
        found[name] = answer(case, topic) if is_case else {"unsupported": f"{case!r} is not a case"}
    return found


def whole(value: Any) -> Any:
    """Inputs with whole numbers as integers, since writers of JSON differ in 5 and 5.0."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_TO
    return int(value) if is_whole else value


def plain(value: Any) -> Any:
    """A value as JSON: arrays as lists; undefined, undetermined and infinite as null."""
    if value is None or isinstance(value, bool | str | Undetermined):
        return None if isinstance(value, Undetermined) else value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
