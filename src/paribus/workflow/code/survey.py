"""What stands in generated code, counted from its syntax tree: evaluations, exposures, callers of each decision."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

EVALUATIONS = frozenset({"variant", "decide", "value", "peek", "peek_all"})
EXPOSING = frozenset({"variant", "decide", "value", "_expose"})
CLIENTS = frozenset({"_client", "client", "_flags", "flags"})


@dataclass(frozen=True, slots=True)
class Counted:
    """One decision point in the code."""

    function: str
    evaluations: int
    exposures: int
    callers: int


def count_decisions(files: Mapping[str, str], package: str, functions: tuple[str, ...]) -> tuple[Counted, ...]:
    """For each decision function its evaluations, its exposures, and how often the package calls it."""
    modules = {
        path: ast.parse(text) for path, text in files.items() if path.startswith(f"{package}/") and path[-3:] == ".py"
    }
    defined = {
        node.name: node
        for node in ast.walk(modules[f"{package}/decisions.py"])
        if isinstance(node, ast.FunctionDef) and node.name in functions
    }
    callers = [name for module in modules.values() for name in _calls(module, frozenset({"_decisions"}))]
    found = []
    for name in functions:
        inside = list(_calls(defined[name], CLIENTS)) if name in defined else []
        own = list(_calls(defined[name], frozenset({"self"}))) if name in defined else []
        found.append(
            Counted(
                function=name,
                evaluations=sum(_evaluates(call) for call in inside),
                exposures=sum(call in EXPOSING for call in [*inside, *own]),
                callers=callers.count(name),
            )
        )
    return tuple(found)


def stray_evaluations(files: Mapping[str, str], package: str) -> tuple[str, ...]:
    """Modules other than the decisions that ask a flag."""
    return tuple(
        path
        for path, text in sorted(files.items())
        if path.startswith(f"{package}/")
        and path.endswith(".py")
        and not path.endswith("/decisions.py")
        and any(_evaluates(call) for call in _calls(ast.parse(text), CLIENTS))
    )


def _evaluates(call: str) -> bool:
    return call in EVALUATIONS or (call.startswith("get_") and call.endswith("_details"))


def _calls(tree: ast.AST, owners: frozenset[str]) -> list[str]:
    """Names of the methods that are called on an object of one of these names."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in owners:
                found.append(node.func.attr)
    return found
