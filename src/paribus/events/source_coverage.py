"""Which planned events a source tree sends: calls that name them, or that call their typed client.

Static, so it can stand in CI: an event that no call names is one that nobody sends, whatever the plan says. It proves
no arrival; counting planted events from the door to the lake does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paribus.errors import InputError
from paribus.events.codegen import GENERATED, function_names
from paribus.events.plan import PlanDoc

SCRIPTS = frozenset({".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".html", ".swift", ".kt", ".java", ".go", ".dart"})
SKIPPED = frozenset(
    {"node_modules", "dist", "build", "venv", "site-packages", "__pycache__", "tests", "test", "__tests__"}
)
_TEST = re.compile(r"^(test_.*|.*_test|.*\.(test|spec))$")
_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*|<!--.*?-->", re.DOTALL)
_CALL = re.compile(r"(?<![\w$])(?:function\s+|func\s+|fun\s+)?([A-Za-z_$][\w$]*)\s*\(\s*(?:([\"'`])((?:(?!\2).)*)\2)?")
_ATTRIBUTE = re.compile(r"data-event\s*=\s*[\"']([^\"']+)[\"']")
_DEFINES = ("function ", "func ", "fun ")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a source tree sends of a plan.

    sent       by planned event, the places (file:line) that send it; deprecated events are not asked for
    missing    planned events that no place sends
    unplanned  names that `track` is called with and the plan does not know, with their places
    files      source files read
    """

    sent: dict[str, tuple[str, ...]]
    missing: tuple[str, ...]
    unplanned: dict[str, tuple[str, ...]]
    files: int


def source_coverage(folder: Path, plan: PlanDoc) -> Coverage:
    """What the source files under a folder send; tests, built files and generated clients are left out.

    Raises:
        InputError: the folder is not there, or holds no source file.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", where="folder", fix="name the folder of the product's source code")
    asked = [name for name, event in plan.events.items() if not event.deprecated]
    clients = {function: name for name in plan.events for function in function_names(plan)[name]}
    found: dict[str, list[str]] = {}
    tracked: dict[str, list[str]] = {}
    files = 0
    for path in _sources(folder):
        text = path.read_text(encoding="utf-8", errors="replace")
        if GENERATED in text[:200]:
            continue
        files += 1
        calls = _python_calls(text) if path.suffix == ".py" else _script_calls(text)
        for line, function, literal in calls:
            place = f"{path.relative_to(folder).as_posix()}:{line}"
            name = literal if literal in plan.events else clients.get(function, "")
            if name:
                found.setdefault(name, []).append(place)
            elif literal and function == "track" and not literal.startswith("$"):
                tracked.setdefault(literal, []).append(place)
    if not files:
        raise InputError(
            f"{folder} holds no source file",
            where="folder",
            rule=f"files that end in .py, {', '.join(sorted(SCRIPTS))}",
            fix="name the folder of the product's source code",
        )
    return Coverage(
        {name: tuple(found[name]) for name in asked if name in found},
        tuple(name for name in asked if name not in found),
        {name: tuple(places) for name, places in sorted(tracked.items())},
        files,
    )


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if any(part in SKIPPED or part.startswith(".") for part in inside[:-1]) or _TEST.match(path.stem):
            continue
        if path.is_file() and path.suffix in {".py", *SCRIPTS}:
            yield path


def _python_calls(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, function and first literal text of every call; nothing of a file that does not parse."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [each.value for each in named if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            yield node.lineno, str(function), texts[0] if texts else ""


def _script_calls(text: str) -> Iterator[tuple[int, str, str]]:
    """The same of languages with braces, by their look, comments left out; and elements that carry an event."""
    bare = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    for match in _CALL.finditer(bare):
        if not match.group().startswith(_DEFINES):
            yield bare.count("\n", 0, match.start()) + 1, match.group(1), match.group(3) or ""
    for match in _ATTRIBUTE.finditer(bare):
        yield bare.count("\n", 0, match.start()) + 1, "", match.group(1)
