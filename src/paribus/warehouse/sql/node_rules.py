"""Rules for every node of a fragment's tree: on the list, no part that is not, and what each part may hold.

`NodeRules` walks the tree of one fragment. A node's own rule is the method `check_<name of its class>`; nodes without
one need no more than the list in `vocabulary`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from paribus.errors import FragmentError, did_you_mean
from paribus.warehouse.sql import vocabulary as words
from paribus.warehouse.sql.dialects import hooks

MAX_GROWTH = 100  # of a text by nested replacements: 'a' by 'aaaaaaaaaa', nine times, is a gigabyte from one letter
MAX_DEPTH = 60  # of the tree; far below Python's limit with the generator's several frames for each level

NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_ISO_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?", re.ASCII
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,40}|[+-]\d{2}:\d{2}", re.ASCII)
_JSON_KEY = re.compile(r"[\w $.@-]{1,100}")


class NodeRules:
    """One fragment under examination; exists so that every refusal knows the text and where it is."""

    def __init__(
        self,
        text: str,
        dialect: str,
        columns: Mapping[str, str] | Collection[str] | None,
        where: str | None,
        target: str,
    ) -> None:
        self.text = text
        self.where = where
        self.target = hooks(target)
        self.dialect = hooks(dialect).name
        self.columns = columns
        self.growth = 1.0
        self.kinds: Mapping[str, str] = columns if isinstance(columns, Mapping) else {}

    def declared(self, name: str, is_quoted: bool) -> str:
        """The column as it was declared."""
        raise NotImplementedError

    def refuse(self, what: str, rule: str | None = None, fix: str | None = None) -> NoReturn:
        shown = self.text if isinstance(self.text, str) else repr(self.text)
        shown = "".join(c if c.isprintable() else "·" for c in shown)
        shown = shown if len(shown) <= 80 else shown[:77] + "…"
        raise FragmentError(f"the fragment {shown!r} {what}", where=self.where, rule=rule, fix=fix) from None

    def check_tree(self, tree: exp.Expression) -> None:
        if isinstance(tree, exp.Interval | exp.Tuple | exp.DataType):
            self.refuse("is not a value of one row", "a fragment is a number, a text, a time or a condition")
        self.growth = 1.0
        stack: list[tuple[exp.Expression, exp.Expression | None, str, int]] = [(tree, None, "", 1)]
        while stack:
            node, parent, part, depth = stack.pop()
            if depth > MAX_DEPTH:
                raise RecursionError
            self.check_node(node, parent, part)
            node.comments = None
            for name, value in node.args.items():
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, exp.Expression):
                        stack.append((child, node, name, depth + 1))

    def check_node(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        name = type(node).__name__
        if name == "Anonymous" and self.is_untyped(node):
            return
        allowed = words.NODES.get(name)
        if allowed is None or type(node).__module__.partition(".")[0] != "sqlglot":
            self.refuse_node(node)
        for key, value in node.args.items():
            if value is None or value is False or value == [] or key in allowed:
                continue
            if value is True and name not in {"Identifier", "Column", "DataType"}:
                continue  # how the parser read it, such as `safe`; no part of the text
            if key in {"is_string", "quoted"} and name in {"Literal", "Identifier", "JSONPathKey"}:
                continue
            if (name, key) == ("DataType", "nullable"):
                continue
            if (name, key) == ("Column", "table"):
                self.refuse(
                    f"names a table: {self.shown(node)}",
                    "columns are written without a table",
                    f"write {node.name}",
                )
            if name == "DataType":
                self.refuse_type(node)
            self.refuse(f"uses a part of {name.upper()} that is not accepted ({key.strip('_')})")
        check = getattr(self, f"check_{name.lower()}", None)
        if check is not None:
            check(node, parent, part)
        if name in words.AT_LEAST_TWO and _count_arguments(node) < 2:
            self.refuse(f"calls {name.upper()} with one argument", f"{name.upper()} takes two or more")

    def is_untyped(self, node: exp.Expression) -> bool:
        """Whether a function that the parser does not know is on the list."""
        return False

    def shown(self, node: exp.Expression) -> str:
        """A part of the fragment for a message; the class of what the dialect cannot write."""
        try:
            written = node.sql(self.dialect, comments=False, unsupported_level=sqlglot.ErrorLevel.IGNORE)
        except (SqlglotError, ValueError, AttributeError, TypeError, KeyError):
            return type(node).__name__
        return written if len(written) <= 60 else written[:57] + "…"

    def refuse_node(self, node: exp.Expression) -> NoReturn:
        """The reason in a person's words."""
        sql = self.shown(node)
        if isinstance(node, exp.Query | exp.Subquery | exp.Exists | exp.DML | exp.DDL | exp.Command):
            self.refuse(f"holds a statement: {sql}", "a fragment reads one row", "put it in a view")
        if isinstance(node, exp.DataType | exp.ObjectIdentifier | exp.PseudoType):
            self.refuse_type(node)
        if isinstance(node, exp.Window):
            self.refuse(f"looks at other rows: {sql}", "a fragment reads one row", "put the window in a view")
        if isinstance(node, exp.AggFunc):
            self.refuse(
                f"aggregates rows: {sql}", "a fragment is the value of one row", "Paribus sums and counts rows itself"
            )
        if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime | exp.CurrentDatetime):
            self.refuse(
                f"depends on when it runs: {sql}",
                "a metric means the same on every day",
                "compare with a literal such as TIMESTAMP '2026-03-01 00:00:00', or use the metric's window",
            )
        if isinstance(node, exp.Parameter | exp.Placeholder | exp.SessionParameter):
            self.refuse(f"holds a parameter or a variable: {sql}", "a fragment has no parameters", "write the value")
        if isinstance(node, exp.Func):
            called = str(node.this) if isinstance(node, exp.Anonymous) else node.sql_name().lower()
            self.refuse(
                f"calls {called}",
                "functions outside the list are not accepted",
                words.INSTEAD.get(called) or f"{did_you_mean(called, words.FUNCTIONS)} Otherwise compute it in a view",
            )
        self.refuse(f"holds {type(node).__name__.upper()}: {sql}", "only scalar expressions are accepted")

    # ── rules of single nodes, found by name ─────────────────────────────────────────────────────────────────────────

    def check_column(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, exp.Identifier):
            self.refuse(f"holds {self.shown(node)}", "name the columns one by one")

    def check_identifier(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        is_field = isinstance(parent, exp.Dot) and part == "expression"
        if not (isinstance(parent, exp.Column) or is_field) or not isinstance(node.this, str):
            self.refuse(f"holds a name that is no column: {self.shown(node)}")

    def check_literal(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not node.is_string and not NUMBER.fullmatch(str(node.this)):
            self.refuse(f"holds the number {node.this}", "numbers are written 12, 1.5 or 1e6")

    def check_var(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        name = str(node.this).upper()
        kind = type(parent).__name__
        if kind in {"Interval", "DateAdd", "DateSub", "TimestampAdd", "TimestampSub", "TsOrDsAdd"}:
            accepted = words.LENGTHS_OF_TIME
        elif kind in {"Extract", "DateTrunc", "TimestampTrunc"}:
            accepted = words.PARTS_OF_TIME
        elif kind in {"DateDiff", "TimestampDiff", "TsOrDsDiff"}:
            accepted = words.LENGTHS_OF_DIFFERENCE
        else:
            accepted = words.WEEKDAYS if kind == "WeekStart" else frozenset()
        if name not in accepted:
            self.refuse(
                f"uses the word {node.this} where it is not accepted",
                f"units here: {', '.join(sorted(accepted))}".lower() if accepted else None,
                "months have no fixed length: write days" if name.startswith(("MONTH", "YEAR")) else None,
            )

    def check_datetrunc(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        unit = node.args.get("unit")
        if isinstance(unit, exp.Literal) and str(unit.this).upper() in words.PARTS_OF_TIME:
            return
        if type(unit).__name__ not in {"Var", "WeekStart"}:
            self.refuse(f"truncates a time to {unit}", "the unit is written out, such as 'day'")

    check_timestamptrunc = check_datetrunc

    def check_extract(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, exp.Var):
            self.refuse("extracts a part of a time that is not written out")

    def check_interval(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        amount = node.this
        fits = isinstance(amount, exp.Literal) and re.fullmatch(r"\d{1,5}", str(amount.this), re.ASCII)
        if not fits or not isinstance(node.args.get("unit"), exp.Var):
            self.refuse(
                f"holds an interval that is not a number of one unit: {self.shown(node)}",
                "intervals are written INTERVAL '7' DAY",
            )
        is_shift = isinstance(parent, exp.Add | exp.Sub | exp.DateAdd | exp.DateSub) and part == "expression"
        is_bound = isinstance(parent, exp.LT | exp.LTE | exp.GT | exp.GTE) and isinstance(parent.this, exp.Sub)
        if not (is_shift or is_bound):
            self.refuse("uses an interval by itself", "an interval is added to a time, or bounds a difference of times")
        if self.target.name in {"sqlite", "tsql"}:
            self.refuse(
                f"uses an interval, which {self.target.name} does not have",
                fix="compare with a literal time, or add the interval in a view",
            )

    def check_dateadd(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        amount = node.args.get("expression")
        if isinstance(amount, exp.Interval):
            return
        amount = amount.this if isinstance(amount, exp.Neg) else amount
        if not isinstance(amount, exp.Literal) or not re.fullmatch(r"\d{1,5}", str(amount.this), re.ASCII):
            self.refuse("adds to a time an amount that is not a number", "the amount is written out")
        if not isinstance(node.args.get("unit"), exp.Var):
            self.refuse("adds to a time without a unit", "units: second, minute, hour, day, week")

    check_datesub = check_timestampadd = check_timestampsub = check_tsordsadd = check_dateadd

    def check_attimezone(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        zone = node.args.get("zone")
        if not isinstance(zone, exp.Literal) or not _ZONE.fullmatch(str(zone.this)):
            self.refuse("converts to a time zone that is not written out", "zones are names such as 'Europe/Berlin'")

    def check_escape(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        sign = node.args.get("expression")
        if not isinstance(node.this, exp.Like | exp.ILike) or not isinstance(sign, exp.Literal) or len(sign.this) != 1:
            self.refuse("uses ESCAPE without a pattern and one sign")

    def check_is(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.expression, exp.Null | exp.Boolean):
            self.refuse("uses IS with a value", "IS NULL, IS NOT NULL, IS TRUE, IS FALSE", "use = instead")

    def check_in(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not node.expressions:
            self.refuse("uses IN without a list of values", "IN ('a', 'b')")

    def check_substring(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        for name in ("start", "length"):  # a text there is a regular expression to PostgreSQL
            value = node.args.get(name)
            if value is not None and not self.is_number(value):
                self.refuse(f"takes a substring by {self.shown(value)}", "start and length are numbers")

    def is_number(self, node: exp.Expression) -> bool:
        while isinstance(node, exp.Paren | exp.Neg):
            node = node.this
        if isinstance(node, exp.Literal):
            return not node.is_string
        if isinstance(node, exp.Column):
            return self.kinds.get(node.name) in {"integer", "number"}
        return isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.StrPosition | exp.Length | exp.Greatest | exp.Least)

    def check_replace(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        searched, replacement = node.args.get("expression"), node.args.get("replacement")
        texts = [value for value in (searched, replacement) if value is not None]
        if not all(isinstance(value, exp.Literal) and value.is_string for value in texts) or searched is None:
            self.refuse("replaces text that is not written out", "REPLACE(name, 'a', 'b')")
        self.growth *= max(1.0, len(replacement.this if replacement else "") / max(1, len(searched.this)))
        if self.growth > MAX_GROWTH:
            self.refuse("makes texts grow beyond measure", f"replacements may lengthen a text {MAX_GROWTH} times")

    def check_trim(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if str(node.args.get("position") or "BOTH").upper() not in {"BOTH", "LEADING", "TRAILING"}:
            self.refuse("uses TRIM in a way that is not accepted")

    def refuse_type(self, node: exp.Expression) -> NoReturn:
        self.refuse(
            f"casts to {self.shown(node)}",
            "types: numbers, text, date, timestamp, boolean",
            "convert it in a view",
        )

    def check_datatype(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        kind = getattr(node.this, "name", str(node.this)).upper()
        is_place = isinstance(parent, exp.Cast) or type(parent).__name__ in {"TryCast", "Convert"}
        if kind not in words.TYPES or node.args.get("nested") or not is_place:
            self.refuse_type(node)
        for parameter in node.expressions:
            value = parameter.this if isinstance(parameter, exp.DataTypeParam) else None
            if (
                not isinstance(value, exp.Literal)
                or value.is_string
                or not re.fullmatch(r"\d{1,3}", value.this, re.ASCII)
            ):
                self.refuse(f"casts to {self.shown(node)}", "a type's parameters are numbers below 1,000")

    def check_cast(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.args.get("to"), exp.DataType):
            self.refuse(f"casts to {node.args.get('to')}", "types: numbers, text, date, timestamp, boolean")
        kind = getattr(node.args["to"].this, "name", "").upper()
        if kind in words.TIME_TYPES:
            self.check_time_argument(node.this)

    check_trycast = check_cast

    def check_convert(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, exp.DataType):
            self.refuse("converts to something that is no type")
        if getattr(node.this.this, "name", "").upper() in words.TIME_TYPES:
            self.check_time_argument(node.expression)

    def check_date(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if node.args.get("this") is None:
            self.refuse("asks for the current date", "a metric means the same on every day", "name a column")
        self.check_time_argument(node.this)

    check_timestamp = check_tsordstodate = check_tsordstotimestamp = check_date

    def check_time_argument(self, value: object) -> None:
        """A literal that becomes a time is ISO 8601: 'now' and 'today' would change with the day of the run."""
        while isinstance(value, exp.Paren):
            value = value.this
        if isinstance(value, exp.Literal) and not (value.is_string and _ISO_TIME.fullmatch(str(value.this))):
            self.refuse(
                f"holds the time {value.this!r}",
                "a time is written 2026-03-01 or 2026-03-01 12:00:00",
                "write the date out: a metric means the same on every day",
            )

    def check_jsonextract(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.expression, exp.JSONPath):
            self.refuse(f"reads JSON by a path that is not written out: {self.shown(node)}")

    check_jsonextractscalar = check_jsonextract

    def check_jsonpathkey(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, str) or not _JSON_KEY.fullmatch(node.this):
            self.refuse(f"reads the JSON key {node.this}", "keys hold letters, digits, blanks and _ $ . @ -")

    def check_jsonpathsubscript(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, int) or node.this < 0:
            self.refuse("reads a JSON list by something that is not a position", "positions are 0, 1, 2, …")


def _count_arguments(node: exp.Expression) -> int:
    first: Any = node.args.get("this")
    return (first is not None) + len(node.expressions)
