import ast
import re
from pathlib import Path

import paribus.stats as stats

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
RUNNERS = [path for path in (ROOT / "tests" / "oracles").glob("*.py") if not path.stem.startswith("test_")]


def called(path):
    """Names of `paribus.stats` that a module imports or reads from the package, functions and classes."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paribus.stats."):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"stats", "confseq"}:
            found.add(node.attr)
    return found


# What functions take and give: described where they are.
TYPES = {"Alternative", "Arm", "Boundary", "Estimates", "Fixed"}
TYPES |= {"GroupSequentialDesign", "Outcome", "Rule", "Undetermined"}


def test_every_method_that_known_cases_call_is_public_and_on_the_page():
    names = set().union(*(called(path) for path in RUNNERS)) - TYPES
    assert len(names) > 80
    assert names <= set(stats._EXPORTS)
    assert {name for name in names if f"`{name}`" not in PAGE} == set()
    assert all(getattr(stats, name).__doc__ for name in names if callable(getattr(stats, name)))


def test_every_method_on_the_page_is_called_from_outside():
    """By names alone, from what other rooms import: no row holds a function that no command and no key reaches."""
    package = ROOT / "src" / "paribus"
    uses = {}
    for path in (package / "stats").glob("[a-z]*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            for target in getattr(node, "targets", [getattr(node, "target", node)]):
                uses[getattr(target, "name", getattr(target, "id", ""))] = names
    imported = set()
    for path in package.rglob("*.py"):
        if path.parent.name != "stats":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paribus.stats"):
                    imported |= {name.name for name in node.names}
    reached, waiting = set(), imported & uses.keys()
    while waiting:
        reached |= waiting
        waiting = set().union(*(uses[name] for name in waiting)) & uses.keys() - reached
    rows = [line.split("|") for line in PAGE.split("| question | functions | reached from |")[1].splitlines()]
    listed = {name for row in rows if len(row) == 5 for name in re.findall(r"`(\w+)`", row[2])}
    assert len(listed) > 100
    assert listed - reached == set()
