"""Random SQL expressions as text, without more parentheses than a person would write: the text decides what binds."""

from __future__ import annotations

import random

KINDS = {"a": "number", "b": "integer", "c": "integer", "s": "text", "u": "text"}
ROWS = {
    "id": [0, 1, 2, 3, 4],
    "a": [1.5, -2.0, None, 0.5, 3.0],
    "b": [2, 1, 3, None, -2],
    "c": [1, 2, 2, 3, 5],
    "s": ["x", "xy", None, "a'b", "%y"],
    "u": ["X", "x", "yy", None, ""],
}


class Writer:
    """Writes expressions for one dialect from a seeded source of chance."""

    def __init__(self, dialect: str, seed: int) -> None:
        self.dialect = dialect
        self.chance = random.Random(seed)

    def expression(self) -> str:
        write = self.chance.choice((self.number, self.condition, self.text))
        return write(self.chance.choice((1, 2, 3)))

    def number(self, depth: int) -> str:
        if depth == 0:
            return self.chance.choice(("a", "b", "c", "2", "3", "1.5"))
        x, y = self.number(depth - 1), self.number(depth - 1)
        forms = [f"{x} {sign} {y}" for sign in ("+", "-", "*", "/", "%")]
        forms += [f"- {x}", f"({x})", f"ABS({x})", f"COALESCE({x}, {y})", f"NULLIF({x}, 2)"]
        forms += [f"CASE WHEN {self.condition(depth - 1)} THEN {x} ELSE {y} END"]
        if self.dialect in {"duckdb", "postgres"}:
            forms += [f"{x} ^ 2", f"{x} ^ -1"]
        if self.dialect == "mysql":
            forms += [f"{x} DIV 2"]
        return self.chance.choice(forms)

    def text(self, depth: int) -> str:
        if depth == 0:
            return self.chance.choice(("s", "u", "'x'", "'a''b'"))
        x, y = self.text(depth - 1), self.text(depth - 1)
        joined = f"CONCAT({x}, {y})" if self.dialect == "mysql" else f"{x} || {y}"
        return self.chance.choice((joined, f"UPPER({x})", f"REPLACE({x}, 'x', 'y')", f"SUBSTRING({x}, 1, 2)", x))

    def condition(self, depth: int) -> str:
        if depth == 0:
            return self.chance.choice(
                ("a > 1", "b = 2", "c <> b", "s = 'x'", "a IS NULL", "b IN (1, 2)", "s LIKE 'x%'")
            )
        p, q = self.condition(depth - 1), self.condition(depth - 1)
        x, y = self.number(depth - 1), self.number(depth - 1)
        s, t = self.text(depth - 1), self.text(depth - 1)
        forms = [
            f"{p} AND {q}",
            f"{p} OR {q}",
            f"NOT {p}",
            f"({p})",
            f"{s} NOT LIKE '%y'",
            f"{s} IS NULL",
            f"{s} = {t}",
        ]
        forms += [f"{x} {sign} {y}" for sign in (">", "<=", "=", "<>")]
        forms += [f"{x} BETWEEN {y} AND 3", f"{x} IN ({y}, 3)", f"{x} NOT IN (1, 2)", f"{x} IS NULL"]
        forms += [f"{x} <=> {y}" if self.dialect == "mysql" else f"{x} IS DISTINCT FROM {y}"]
        return self.chance.choice(forms)
