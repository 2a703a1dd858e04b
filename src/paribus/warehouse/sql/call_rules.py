"""Rules for calls and reaches that mean one thing on one engine only: differences and texts of times, patterns, fields.

They are accepted where the fragment runs in the dialect it is written in, and refused with a sentence where it would be
written anew for another.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from paribus.warehouse.sql import vocabulary as words
from paribus.warehouse.sql.node_rules import NodeRules
from paribus.warehouse.sql.patterns import why_refused

MAX_PADDING = 1000

_FORMAT = re.compile(r"[\w %:/.,-]{1,60}", re.ASCII)
_COMPOSITE = {"json", "other", None}


class CallRules(NodeRules):
    """The rules of `NodeRules` and of what engines disagree on."""

    def check_here(self, node: exp.Expression) -> None:
        if self.target.name != self.dialect:
            self.refuse(
                f"uses {self.shown(node)}, which {self.dialect} and {self.target.name} read differently",
                "what engines disagree on runs only where it was written for",
                f"write the fragment in {self.target.name}'s words, or compute it in a view",
            )

    # ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_datediff(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_here(node)
        for value in (node.this, node.args.get("expression")):
            if value is None:
                self.refuse("subtracts a time from nothing")
            self.check_time_argument(value)
        unit = node.args.get("unit")
        if unit is not None and not isinstance(unit, exp.Var):
            self.refuse(f"counts in {self.shown(unit)}", "units here are written out: second, minute, hour, day, week")

    check_timestampdiff = check_tsordsdiff = check_datediff

    def check_timetostr(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_here(node)
        self.check_time_argument(node.this)
        written = node.args.get("format")
        if not isinstance(written, exp.Literal) or not _FORMAT.fullmatch(str(written.this)):
            self.refuse("writes a time in a form that is not written out", "forms are texts such as '%Y-%m'")

    def check_timetounix(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if node.args.get("this") is None:
            self.refuse("asks for the current time", "a metric means the same on every day", "name a column")
        self.check_here(node)
        self.check_time_argument(node.this)

    check_unixtotime = check_unixseconds = check_unixmillis = check_unixmicros = check_timetounix
    check_timestrtotime = check_timetounix

    # ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_regexplike(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_here(node)
        if self.target.name in {"sqlite", "tsql"}:
            self.refuse(f"matches a pattern, which {self.target.name} cannot", fix="use LIKE")
        having = {
            "RegexpILike": words.WITH_ILIKE_PATTERNS,
            "RegexpInstr": {"mysql"},
            "RegexpExtract": words.WITH_EXTRACTS,
        }
        own = having.get(type(node).__name__)
        if own is not None and self.dialect not in own:
            self.refuse(f"calls {self.shown(node)}, which {self.dialect} does not have", fix="use a view")
        pattern = node.args.get("expression")
        if not isinstance(pattern, exp.Literal) or not pattern.is_string:
            self.refuse("matches a pattern that is not written out", "patterns are texts such as '^/checkout'")
        wrong = why_refused(str(pattern.this))
        if wrong:
            self.refuse(
                f"matches the pattern {str(pattern.this)[:40]!r}, which {wrong}",
                "a pattern takes no longer than its text, on every engine",
                "use LIKE, or match the pattern in a view",
            )
        flag = node.args.get("flag")
        if flag is not None and (not isinstance(flag, exp.Literal) or str(flag.this) not in {"i", "c"}):
            self.refuse("matches a pattern in a way that is not accepted", "the one flag is 'i'")

    check_regexpilike = check_regexpinstr = check_regexplike

    def check_regexpextract(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_regexplike(node, parent, part)
        group = node.args.get("group")
        if group is not None and _whole(group, 9) is None:
            self.refuse("extracts a group of a pattern that is not a number up to 9")

    def check_arraycontains(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_here(node)
        if not isinstance(node.this, exp.Column | exp.Dot) or not isinstance(node.expression, exp.Literal | exp.Column):
            self.refuse(f"searches something that is no column: {self.shown(node)}", "a list is a column or a field")

    def check_pad(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if _whole(node.args.get("expression"), MAX_PADDING) is None:
            self.refuse(f"pads a text to a length that is not a number up to {MAX_PADDING:,}")
        filling = node.args.get("fill_pattern")
        if filling is not None and not isinstance(filling, exp.Literal):
            self.refuse("pads a text by something that is not written out")

    def check_splitpart(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        delimiter = node.args.get("delimiter")
        index = node.args.get("part_index") or node.args.get("count")
        index = index.this if isinstance(index, exp.Neg) else index
        if not isinstance(delimiter, exp.Literal) or not delimiter.is_string or _whole(index, 1000) is None:
            self.refuse("splits a text by something that is not written out", "SPLIT_PART(name, '-', 1)")

    check_substringindex = check_splitpart

    # ── fields and elements ──────────────────────────────────────────────────────────────────────────────────────────

    def check_dot(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_reach(node)
        if not isinstance(node.args.get("expression"), exp.Identifier):
            self.refuse(f"reads a field that is not written out: {self.shown(node)}")

    def check_bracket(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        self.check_reach(node)
        keys = node.expressions
        if len(keys) != 1 or _whole(keys[0], 10_000) is None:
            self.refuse(f"reads an element by something that is not a position: {self.shown(node)}")

    def check_reach(self, node: exp.Expression) -> None:
        """Fields and elements are those of a column that has them."""
        base: Any = node
        while isinstance(base, exp.Dot | exp.Bracket):
            base = base.this
        if not isinstance(base, exp.Column) or self.dialect not in words.WITH_FIELDS:
            self.refuse(
                f"holds {type(node).__name__.upper()}: {self.shown(node)}", "only scalar expressions are accepted"
            )
        kind = self.kinds.get(self.declared(base.name, bool(base.this.args.get("quoted"))))
        if self.columns is not None and kind not in _COMPOSITE:
            self.refuse(f"reads a part of {base.name!r}, which is a {kind}", "only lists, records and JSON have parts")
        self.check_here(node)

    def check_jsonvalue(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.args.get("path"), exp.JSONPath):
            self.refuse(f"reads JSON by a path that is not written out: {self.shown(node)}")

    # ── functions that the parser does not know ──────────────────────────────────────────────────────────────────────

    def is_untyped(self, node: exp.Expression) -> bool:
        known = words.UNTYPED.get(self.dialect, {}) | words.UNTYPED.get(self.target.name, {})
        wanted = known.get(str(node.this).upper())
        arguments = node.expressions
        if wanted is None:
            return False
        kinds = list(wanted)
        if kinds[-1].endswith("*"):
            last = kinds.pop().rstrip("*")
            kinds += [last] * max(1, len(arguments) - len(kinds))
        if len(arguments) != len(kinds):
            self.refuse(f"calls {node.this} with {len(arguments)} arguments", f"it takes {len(wanted)}")
        if self.dialect != self.target.name and node.this.upper() not in words.UNTYPED.get(self.target.name, {}):
            self.check_here(node)
        for kind, argument in zip(kinds, arguments, strict=True):
            if kind == "time":
                self.check_time_argument(argument)
            elif kind == "part" and not (
                isinstance(argument, exp.Literal) and str(argument.this).upper() in words.PARTS_OF_TIME
            ):
                self.refuse("extracts a part of a time that is not written out")
            elif kind == "key" and not (isinstance(argument, exp.Literal) and _FORMAT.fullmatch(str(argument.this))):
                self.refuse(f"reads JSON by something that is not written out: {self.shown(node)}")
        return True


def _whole(node: object, most: int) -> int | None:
    """A literal that is a whole number from 0 to `most`."""
    if not isinstance(node, exp.Literal) or node.is_string or not re.fullmatch(r"\d{1,6}", str(node.this), re.ASCII):
        return None
    number = int(node.this)
    return number if number <= most else None
