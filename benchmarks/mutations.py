"""Small changes of a module's syntax tree, one at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_BUILDERS = {
    "less": "at_most",
    "at_most": "less",
    "greater": "at_least",
    "at_least": "greater",
    "equal": "differ",
    "differ": "equal",
    "is_null": "is_known",
    "is_known": "is_null",
    "smallest": "largest",
    "largest": "smallest",
    "every": "either",
    "either": "every",
    "plus": "minus",
    "minus": "plus",
    "distinct": "known",
    "average": "total",
}
_FIRST_ARGUMENT = {"negate", "or_else", "absolute", "finite", "always"}  # the call is replaced by its first argument


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the node's place in the walk of the module's tree, which of its changes, and words for it.

    `at_import`: it is made outside of all functions, so that every test meets it.
    """

    module: str
    node: int
    choice: int
    line: int
    last_line: int
    change: str
    at_import: bool


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(text)
    untouched = _untouched(tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {inner for function in functions for statement in function.body for inner in ast.walk(statement)}
    for i, node in enumerate(ast.walk(tree)):
        if node in untouched:
            continue
        for choice, new in enumerate(_changes(node)):
            before, after = (" ".join(ast.unparse(n).split()) for n in (node, new))
            placed = node.target if isinstance(node, ast.comprehension) else node
            first, last = getattr(placed, "lineno", 0), getattr(placed, "end_lineno", 0)
            if isinstance(node, ast.If):
                last = node.test.end_lineno or first
            words = f"{_short(before)} → {_short(after)}"
            yield Mutant(module, i, choice, first, last, words, node not in inside)


def changed(text: str, mutant: Mutant) -> ast.Module:
    """The tree of the module with the change."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    old = nodes[mutant.node]
    new = ast.copy_location(list(_changes(old))[mutant.choice], old)
    for parent in nodes:
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if item is old:
                        value[i] = new
    return ast.fix_missing_locations(tree)


def _untouched(tree: ast.Module) -> set[ast.AST]:
    """Nodes of annotations, docstrings, messages of errors, and definitions of fields."""
    out: set[ast.AST] = set()
    for node in ast.walk(tree):
        left: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            left += [node.returns, *(a.annotation for a in (*node.args.args, *node.args.kwonlyargs))]
            left += node.decorator_list
        elif isinstance(node, ast.ClassDef):
            left += [*node.decorator_list, *(item for item in node.body if isinstance(item, ast.AnnAssign))]
        elif isinstance(node, ast.AnnAssign):
            left.append(node.annotation)
        elif (
            isinstance(node, ast.Raise | ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ):
            left.append(node)
        for root in left:
            out |= set(ast.walk(root)) if root is not None else set()
    return out


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        yield ast.Compare(node.left, [_COMPARE[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield from node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield ast.comprehension(node.target, node.iter, node.ifs[1:], node.is_async)
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _builder_changes(node, node.func)


def _builder_changes(node: ast.Call, function: ast.Attribute) -> Iterator[ast.AST]:
    if not (isinstance(function.value, ast.Name) and function.value.id == "sql"):
        return
    if function.attr in _BUILDERS:
        yield ast.Call(ast.Attribute(function.value, _BUILDERS[function.attr], ast.Load()), node.args, node.keywords)
    elif function.attr in _FIRST_ARGUMENT and node.args:
        yield node.args[0]


def _short(text: str) -> str:
    return text if len(text) <= 70 else text[:67] + "..."
