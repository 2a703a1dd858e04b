"""Checked pieces of a user's SQL: one scalar expression over the columns of one relation, and nothing else.

A fragment is parsed in the user's dialect into exactly one tree. Every node, every part of a node, every type and every
unit must be in `vocabulary`; every column must be declared. What is sent to a database is written anew from that tree,
never the user's text, and reads back as the same tree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from paribus.errors import FragmentError, did_you_mean
from paribus.warehouse.sql import vocabulary as words
from paribus.warehouse.sql.dialects import hooks

MAX_CHARACTERS = 4000
MAX_TOKENS = 1000
MAX_DEPTH = 60  # of the tree; far below Python's limit with the generator's several frames for each level

FragmentKind = Literal["any", "scalar", "boolean"]

_PLAIN_COMMENT = re.compile(r"/\*[\w ,.%()-]*\w[\w ,.%()-]*\*/")
_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_ISO_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?", re.ASCII
)
_MOVING_TIME = re.compile(r"\s*(now|today|tomorrow|yesterday|current)\b", re.IGNORECASE)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,40}|[+-]\d{2}:\d{2}", re.ASCII)
_JSON_KEY = re.compile(r"[\w $.@-]{1,100}")
_ODD_STRINGS = {"NATIONAL_STRING", "HEX_STRING", "BIT_STRING", "BYTE_STRING", "RAW_STRING", "UNICODE_STRING"} | {
    "HEREDOC_STRING"
}


@dataclass(frozen=True, slots=True)
class Fragment:
    """A checked fragment: the user's text, its tree (columns spelled as declared), and the columns it reads."""

    text: str
    dialect: str
    expression: exp.Expression
    columns: tuple[str, ...]

    def sql(self, dialect: str | None = None) -> str:
        """The fragment written anew."""
        return self.expression.sql(dialect=dialect or self.dialect, comments=False)


def parse_fragment(
    text: str,
    *,
    dialect: str,
    columns: Mapping[str, str] | Collection[str] | None,
    kind: FragmentKind = "any",
    where: str | None = None,
    target: str | None = None,
) -> Fragment:
    """The fragment, checked.

    Args:
        text: a scalar SQL expression.
        dialect: the dialect it is written in.
        columns: the relation's columns, best with their kinds; None accepts every name (SQL that is only shown).
        kind: "boolean" for a condition; "any" or "scalar" for a value.
        where: what to call the fragment in errors, for instance "experiment.yaml: metrics.revenue.value".
        target: the dialect it will run in; default the same.

    Raises:
        FragmentError: it is not one scalar expression on the declared columns, in words on the list.

    >>> fragment = parse_fragment("revenue - refund", dialect="duckdb", columns={"revenue": "number", "refund": "number"})
    >>> fragment.columns, fragment.sql()
    (('revenue', 'refund'), '"revenue" - "refund"')
    """
    return _Check(text, dialect, columns, where, target or dialect).run(kind)


class _Check:
    """One fragment under examination; exists so that every refusal knows where it is."""

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
        self.kinds: Mapping[str, str] = columns if isinstance(columns, Mapping) else {}

    def run(self, kind: FragmentKind) -> Fragment:
        try:
            self.check_characters()
            self.check_tokens()
            tree = self.parse(self.text, self.dialect)
            self.check_tree(tree)
            self.check_fixpoint(tree, self.dialect)
            used = self.bind_columns(tree)
            self.check_moving_times(tree, used)
            self.check_kind(tree, kind)
            self.check_fixpoint(tree, self.target.name)
        except RecursionError:
            self.refuse("is nested too deeply", "a fragment is one readable expression", "split it with a view")
        return Fragment(self.text, self.dialect, tree, used)

    def refuse(self, what: str, rule: str | None = None, fix: str | None = None) -> NoReturn:
        shown = self.text if isinstance(self.text, str) else repr(self.text)
        shown = "".join(c if c.isprintable() else "·" for c in shown)
        shown = shown if len(shown) <= 80 else shown[:77] + "…"
        raise FragmentError(f"the fragment {shown!r} {what}", where=self.where, rule=rule, fix=fix) from None

    def check_characters(self) -> None:
        if not isinstance(self.text, str):
            self.refuse("is not text", "a fragment is SQL text", "put quotes around it in YAML")
        if not self.text.strip():
            self.refuse("is empty", fix="name a column or write an expression")
        if len(self.text) > MAX_CHARACTERS:
            self.refuse(f"has {len(self.text):,} characters", f"at most {MAX_CHARACTERS:,}", "put it in a view")
        for character in self.text:
            # control, invisible, private and line-separating characters, and blanks that are not the blank
            if unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"} and (
                character not in " \t\n\r"
            ):
                self.refuse(
                    f"holds the character U+{ord(character):04X}",
                    "characters that cannot be seen are not accepted",
                    "type the fragment anew instead of copying it",
                )

    def check_tokens(self) -> None:
        """The number of tokens, the kinds of strings, and that nothing but blanks and plain comments lies between."""
        try:
            tokens = Dialect.get_or_raise(self.dialect).tokenize(self.text)
        except SqlglotError:
            self.refuse("cannot be read as SQL", fix="look for a quote that is not closed")
        if len(tokens) > MAX_TOKENS:
            self.refuse(f"has {len(tokens):,} words", f"at most {MAX_TOKENS:,}", "put it in a view")
        end = 0
        for token in tokens:
            gap = self.text[end : token.start]
            if _PLAIN_COMMENT.sub(" ", gap).strip():
                self.refuse(
                    f"holds a comment or a sign that is not SQL: {gap.strip()[:30]!r}",
                    "comments are /* plain words */",
                    "remove it; YAML has comments of its own",
                )
            end = token.end + 1
            if token.token_type.name in _ODD_STRINGS:
                self.refuse(
                    f"holds a string in a special form: {self.text[token.start : end][:30]!r}",
                    "strings are written 'like this'",
                    "use plain single quotes",
                )
        if _PLAIN_COMMENT.sub(" ", self.text[end:]).strip():
            self.refuse(
                f"ends with a comment or a sign that is not SQL: {self.text[end:].strip()[:30]!r}",
                "comments are /* plain words */",
                "remove it; YAML has comments of its own",
            )

    def parse(self, sql: str, dialect: str) -> exp.Expression:
        try:
            trees = sqlglot.Dialect.get_or_raise(dialect).parse_into(exp.Condition, sql)
        except SqlglotError as error:
            details = getattr(error, "errors", None) or []
            near = next((d["highlight"] for d in reversed(details) if d.get("highlight")), None)
            self.refuse(
                f"is not one expression in the {dialect} dialect" + (f", near {near!r}" if near else ""),
                "a fragment is a single scalar expression, such as revenue - refund",
                "check parentheses and quotes; statements, lists and semicolons are not accepted",
            )
        except (ValueError, AttributeError, TypeError, KeyError, IndexError, AssertionError):
            # a parser that gives up on garbage in its own way
            self.refuse(f"is not one expression in the {dialect} dialect")
        if len(trees) != 1 or not isinstance(trees[0], exp.Expression):
            self.refuse("is not one expression", "exactly one expression, without semicolons")
        return trees[0]

    # ── the tree ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_tree(self, tree: exp.Expression) -> None:
        if isinstance(tree, exp.Interval | exp.Tuple | exp.DataType):
            self.refuse("is not a value of one row", "a fragment is a number, a text, a time or a condition")
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
                    f"names a table: {node.sql(self.dialect)}",
                    "columns are written without a table",
                    f"write {node.name}",
                )
            self.refuse(f"uses a part of {name.upper()} that is not accepted ({key.strip('_')})")
        check = getattr(self, f"check_{name.lower()}", None)
        if check is not None:
            check(node, parent, part)
        if name in words.AT_LEAST_TWO and _count_arguments(node) < 2:
            self.refuse(f"calls {name.upper()} with one argument", f"{name.upper()} takes two or more")

    def is_untyped(self, node: exp.Expression) -> bool:
        names = words.UNTYPED.get(self.dialect, set()) | words.UNTYPED.get(self.target.name, set())
        arguments = node.expressions
        if str(node.this).upper() not in names or len(arguments) != 1:
            return False
        self.check_time_argument(arguments[0])
        return True

    def refuse_node(self, node: exp.Expression) -> NoReturn:
        """The reason in a person's words."""
        sql = node.sql(self.dialect)[:60]
        if isinstance(node, exp.Query | exp.Subquery | exp.Exists | exp.DML | exp.DDL | exp.Command):
            self.refuse(f"holds a statement: {sql}", "a fragment reads one row", "put it in a view")
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
                f"{did_you_mean(called, words.FUNCTIONS)} Otherwise compute it in a view",
            )
        self.refuse(f"holds {type(node).__name__.upper()}: {sql}", "only scalar expressions are accepted")

    # ── rules of single nodes, found by name ─────────────────────────────────────────────────────────────────────────

    def check_column(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, exp.Identifier):
            self.refuse(f"holds {node.sql(self.dialect)}", "name the columns one by one")

    def check_identifier(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(parent, exp.Column) or not isinstance(node.this, str):
            self.refuse(f"holds a name that is no column: {node.sql(self.dialect)}")

    def check_literal(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not node.is_string and not _NUMBER.fullmatch(str(node.this)):
            self.refuse(f"holds the number {node.this}", "numbers are written 12, 1.5 or 1e6")

    def check_var(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        name = str(node.this).upper()
        kind = type(parent).__name__
        if kind in {"Interval", "DateAdd", "DateSub", "TimestampAdd", "TimestampSub", "TsOrDsAdd"}:
            accepted = words.LENGTHS_OF_TIME
        elif kind in {"Extract", "DateTrunc", "TimestampTrunc"}:
            accepted = words.PARTS_OF_TIME
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
        if not isinstance(unit, exp.Var | exp.WeekStart):
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
                f"holds an interval that is not a number of one unit: {node.sql(self.dialect)[:40]}",
                "intervals are written INTERVAL '7' DAY",
            )
        if not isinstance(parent, exp.Add | exp.Sub) or isinstance(parent.this, exp.Interval):
            self.refuse("uses an interval by itself", "an interval is added to a time or taken from it")
        if self.target.name in {"sqlite", "tsql"}:
            self.refuse(
                f"uses an interval, which {self.target.name} does not have",
                fix="compare with a literal time, or add the interval in a view",
            )

    def check_dateadd(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        amount = node.args.get("expression")
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

    def check_trim(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if str(node.args.get("position") or "BOTH").upper() not in {"BOTH", "LEADING", "TRAILING"}:
            self.refuse("uses TRIM in a way that is not accepted")

    def check_datatype(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        kind = getattr(node.this, "name", str(node.this)).upper()
        is_place = isinstance(parent, exp.Cast) or type(parent).__name__ in {"TryCast", "Convert"}
        if kind not in words.TYPES or node.args.get("nested") or not is_place:
            self.refuse(
                f"casts to {node.sql(self.dialect)}",
                "types: numbers, text, date, timestamp, boolean",
                "convert it in a view",
            )
        for parameter in node.expressions:
            value = parameter.this if isinstance(parameter, exp.DataTypeParam) else None
            if not isinstance(value, exp.Literal) or value.is_string:
                self.refuse(f"casts to {node.sql(self.dialect)}", "a type's parameters are numbers")

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
            self.refuse(f"reads JSON by a path that is not written out: {node.sql(self.dialect)[:60]}")

    check_jsonextractscalar = check_jsonextract

    def check_jsonpathkey(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, str) or not _JSON_KEY.fullmatch(node.this):
            self.refuse(f"reads the JSON key {node.this}", "keys hold letters, digits, blanks and _ $ . @ -")

    def check_jsonpathsubscript(self, node: exp.Expression, parent: exp.Expression | None, part: str) -> None:
        if not isinstance(node.this, int) or node.this < 0:
            self.refuse("reads a JSON list by something that is not a position", "positions are 0, 1, 2, …")

    # ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_fixpoint(self, tree: exp.Expression, dialect: str) -> None:
        """What is written from the tree reads back as the same text: no quoting or precedence is lost on the way."""
        try:
            first = tree.sql(dialect=dialect, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
        except SqlglotError as error:
            self.refuse(f"cannot be written for {dialect}: {error}", fix="use a more common function")
        again = self.parse(first, dialect)
        if again.sql(dialect=dialect, comments=False) != first or _column_names(again) != _column_names(tree):
            self.refuse(
                "does not read back as the same expression", "fragments mean one thing only", "add parentheses"
            )

    def bind_columns(self, tree: exp.Expression) -> tuple[str, ...]:
        """Gives every column its declared spelling, as the target dialect quotes it."""
        used: dict[str, None] = {}
        for node in list(_columns(tree)):
            written = node.this
            name = self.declared(str(written.this), bool(written.args.get("quoted")))
            used[name] = None
            if self.columns is not None:
                node.set("this", self.target.identify(name))
        return tuple(used)

    def declared(self, name: str, is_quoted: bool) -> str:
        if self.columns is None or name in self.columns:
            return name
        folded = [column for column in self.columns if column.lower() == name.lower()]
        if len(folded) == 1:
            return folded[0]
        fix = did_you_mean(name, self.columns)
        if is_quoted and f'"{name}"' in self.text:
            fix = f"a text is written with single quotes: '{name}'; or {fix}"
        self.refuse(f"names the column {name!r}, which the relation does not have", "columns must exist", fix)

    def check_moving_times(self, tree: exp.Expression, used: tuple[str, ...]) -> None:
        """'now' compared with a time is the time of the run; compared with a text it is a text."""
        moving = [n for n in tree.find_all(exp.Literal) if n.is_string and _MOVING_TIME.match(str(n.this))]
        if not moving:
            return
        known = self.kinds and all(self.kinds.get(name) in {"text", "number", "integer", "boolean"} for name in used)
        if not known or not used:
            self.refuse(
                f"holds the text {moving[0].this!r}, which databases read as the time of the run",
                "a metric means the same on every day",
                "write the date out, such as '2026-03-01'",
            )

    def check_kind(self, tree: exp.Expression, kind: FragmentKind) -> None:
        if kind != "boolean":
            return
        root = tree
        while isinstance(root, exp.Paren):
            root = root.this
        if isinstance(root, exp.Column):
            found = self.kinds.get(self.declared(root.name, True)) if self.columns is not None else None
            if found in {None, "boolean", "other"}:
                return
            self.refuse(f"is a {found} and no condition", "a filter is true or false", f"compare it: {self.text} = 1")
        if isinstance(root, exp.Cast):
            is_condition = getattr(root.to.this, "name", "") == "BOOLEAN"
        else:
            is_condition = type(root).__name__ in _CONDITIONS
        if not is_condition:
            self.refuse("is a value and no condition", "a filter is true or false", "compare it, for instance with > 0")


_CONDITIONS = frozenset(
    "And Or Xor Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Like ILike Escape Between In Boolean StartsWith "
    "EndsWith Contains IsNan Case If Coalesce".split()
)


def _columns(tree: exp.Expression) -> Iterator[exp.Column]:
    yield from tree.find_all(exp.Column)


def _column_names(tree: exp.Expression) -> list[str]:
    return sorted({column.name.lower() for column in _columns(tree)})


def _count_arguments(node: exp.Expression) -> int:
    first: Any = node.args.get("this")
    return (first is not None) + len(node.expressions)
