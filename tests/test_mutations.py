"""Mutants are single changes that run, and leave what no test could tell alone."""

from __future__ import annotations

import ast

from benchmarks.mutations import changed, mutants

TEXT = '''"""A module."""
LIMIT: int = 3


def inside(x: float, low: float = 0.0) -> bool:
    """Whether x is inside."""
    if x < low:
        raise ValueError("below" + " 1")
    return low <= x and not x == LIMIT
'''


def test_every_mutant_is_another_module_that_compiles() -> None:
    found = list(mutants("m", TEXT))
    texts = {ast.unparse(changed(TEXT, mutant)) for mutant in found}
    assert len(texts) == len(found) >= 8
    assert ast.unparse(ast.parse(TEXT)) not in texts
    for mutant in found:
        compile(changed(TEXT, mutant), "m", "exec")


def test_changes_are_what_they_say_and_messages_stay() -> None:
    words = {mutant.change for mutant in mutants("m", TEXT)}
    assert {"x < low → x <= low", "low <= x → low < x", "not x == LIMIT → x == LIMIT", "0.0 → 1.0", "3 → 4"} <= words
    assert not any("below" in change and "→ 'below' -" in change for change in words)


def test_a_change_at_import_meets_every_test() -> None:
    at_import = {mutant.change for mutant in mutants("m", TEXT) if mutant.at_import}
    assert at_import == {"3 → 4", "0.0 → 1.0"}
