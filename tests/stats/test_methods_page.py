import ast
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
