"""Checked pieces of a user's SQL: one scalar expression over the columns of one relation, and nothing else.

A fragment is parsed in the user's dialect into exactly one tree. Every node, every part of a node, every type and every
unit must be in `vocabulary`; every column must be declared. What is sent to a database is written anew from that tree,
never the user's text, and reads back as the same tree.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token  # type: ignore[attr-defined]  # re-exported in all versions

from paribus.errors import did_you_mean
from paribus.warehouse.sql import vocabulary as words
from paribus.warehouse.sql.call_rules import CallRules
from paribus.warehouse.sql.node_rules import NUMBER

MAX_CHARACTERS = 4000
MAX_TOKENS = 1000

FragmentKind = Literal["any", "scalar", "boolean"]

_PLAIN_COMMENT = re.compile(r"/\*[\w ,.%()-]*\w[\w ,.%()-]*\*/")
_MOVING_TIME = re.compile(r"\s*(now|today|tomorrow|yesterday|current)\b", re.IGNORECASE)
_ODD_STRINGS = {"NATIONAL_STRING", "HEX_STRING", "BIT_STRING", "BYTE_STRING", "UNICODE_STRING", "HEREDOC_STRING"}
_NOTHING_BEFORE = {"(", ","}
_NOTHING_AFTER = {")", ","}

# Words that mean the same when they are gone from what is written anew: types and functions have other names there.
_REWRITTEN = words.words(
    "AND OR XOR NOT ISNULL NOTNULL IS NULL TRUE FALSE UNKNOWN DISTINCT FROM BOTH LEADING TRAILING IN ESCAPE END "
    "ILIKE LIKE RLIKE REGEXP MOD DIV BETWEEN SYMMETRIC ASYMMETRIC INTERVAL TIMESTAMP DATE TIME DATETIME AT ZONE WITH "
    "WITHOUT PRECISION VARYING CAST AS OFFSET FOR"
)

_REFUSED_SIGNS = {
    "?": ("a fragment has no parameters", "write CASE WHEN, or the value"),
    "@": ("a fragment has no parameters and no variables", "write the value, or ABS"),
    "!": ("it means NOT to some engines only", "write NOT"),
    "(+)": ("joins are none of a fragment", "remove it"),
    "!!": ("it means different things to different engines", "write NOT"),
    "#": ("it means different things to different engines", "write the operation in words"),
    "$": ("a fragment has no parameters", "write the value"),
    "{": ("a fragment has no parameters and no maps", "write the value"),
    "}": ("a fragment has no parameters and no maps", "write the value"),
    "??": ("it is known to few engines", "write COALESCE"),
}
_SIZED_TEXTS = words.TEXT_TYPES | {"STRING", "CHARACTER"}


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

    >>> fragment = parse_fragment("revenue - refund", dialect="duckdb", columns=["revenue", "refund"])
    >>> fragment.columns, fragment.sql()
    (('revenue', 'refund'), '"revenue" - "refund"')
    """
    return _Check(text, dialect, columns, where, target or dialect).run(kind)


class _Check(CallRules):
    """The examination of one fragment from its characters to its kind."""

    def run(self, kind: FragmentKind) -> Fragment:
        try:
            self.check_characters()
            tokens = self.check_tokens()
            tree = self.parse(self.text, self.dialect).copy()  # without its parent, the parentheses
            self.check_tree(tree)
            self.check_fixpoint(tree, self.dialect)
            self.check_nothing_lost(tree, tokens)
            used = self.bind_columns(tree)
            self.check_moving_times(tree, used)
            self.check_kind(tree, kind)
            tree = _settled(exp.Paren(this=tree), self.target.name, self.columns).this
            self.check_fixpoint(tree, self.target.name)
        except RecursionError:
            self.refuse("is nested too deeply", "a fragment is one readable expression", "split it with a view")
        return Fragment(self.text, self.dialect, tree, used)

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

    def check_tokens(self) -> list[Token]:
        """The text's tokens: not too many, in balance, with nothing but blanks and plain comments between them."""
        wrapped = f"({self.text})"
        try:
            tokens = Dialect.get_or_raise(self.dialect).tokenize(wrapped)
        except SqlglotError:
            self.refuse("cannot be read as SQL", fix="look for a quote that is not closed")
        if len(tokens) > MAX_TOKENS:
            self.refuse(f"has {len(tokens):,} words", f"at most {MAX_TOKENS:,}", "put it in a view")
        if tokens[-1].end != len(wrapped) - 1:
            self.refuse(
                "ends in a comment", "comments are /* plain words */", "remove it; YAML has comments of its own"
            )
        end = depth = 0
        for i, token in enumerate(tokens):
            depth += {"(": 1, ")": -1}.get(wrapped[token.start : token.end + 1], 0)
            if (depth == 0) != (i == len(tokens) - 1):
                self.refuse("has parentheses that do not match", fix="balance them")
            gap = wrapped[end : token.start]
            if _PLAIN_COMMENT.sub(" ", gap).strip():
                self.refuse(
                    f"holds a comment or a sign that is not SQL: {gap.strip()[:30]!r}",
                    "comments are /* plain words */",
                    "remove it; YAML has comments of its own",
                )
            end = token.end + 1
            if token.token_type.name in _ODD_STRINGS:
                self.refuse(
                    f"holds a string in a special form: {wrapped[token.start : end][:30]!r}",
                    "strings are written 'like this'",
                    "use plain single quotes",
                )
            if token.token_type.name == "SEMICOLON":
                self.refuse("holds a semicolon", "a fragment is one expression, not a statement", "remove it")
            if token.token_type.name == "NUMBER" and not NUMBER.fullmatch(wrapped[token.start : end]):
                self.refuse(f"holds the number {wrapped[token.start : end]}", "numbers are written 12, 1.5 or 1e6")
            sign = wrapped[token.start : end]
            is_no_match = sign == "!" and wrapped[end : end + 1] == "~" and self.dialect in {"postgres", "redshift"}
            if sign in _REFUSED_SIGNS and not is_no_match:
                self.refuse(f"holds the sign {sign}", *_REFUSED_SIGNS[sign])
        self.check_places([wrapped[token.start : token.end + 1].upper() for token in tokens])
        return tokens[1:-1]

    def check_places(self, signs: list[str]) -> None:
        """Nothing that parsers pass over in silence: a comma with nothing on one side, AS before nothing, ()."""
        for before, sign, after in zip(signs, signs[1:], signs[2:], strict=False):
            dangles = (
                (sign == "," and (before in _NOTHING_BEFORE or after in _NOTHING_AFTER))
                or (sign in {"AS", ":", "."} and not re.match(r"[\w\"`\[(']", after))
                or (sign in {"AS", "::"} and after[:1] in {'"', "`", "["})  # a type of somebody's own
                or (sign == "(" and after == ")")
                or (sign == "+" and before == "(" and after == ")")
                or (sign == "~" and self.dialect not in {"postgres", "duckdb", "redshift"})
            )
            if dangles:
                self.refuse(f"holds {before} {sign} {after}, where something is missing", fix="complete or remove it")

    def parse(self, sql: str, dialect: str) -> exp.Expression:
        """The one tree of the text. Read in parentheses: at the start of a text some words begin a statement."""
        try:
            trees = Dialect.get_or_raise(dialect).parse_into(exp.Condition, f"({sql})")
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
        if len(trees) != 1 or not isinstance(trees[0], exp.Paren | exp.Subquery | exp.Tuple):
            self.refuse("is not one expression", "exactly one expression, without semicolons")
        return _settled(trees[0].copy(), dialect, self.columns).this if isinstance(trees[0], exp.Paren) else trees[0]

    # ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_fixpoint(self, tree: exp.Expression, dialect: str) -> None:
        """What is written from the tree reads back as the same text, and is itself made of words on the list."""
        try:
            first = tree.sql(dialect=dialect, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
        except SqlglotError as error:
            self.refuse(f"cannot be written for {dialect}: {error}", fix="use a more common function")
        again = self.parse(first, dialect).copy()
        self.check_tree(again)
        if again.sql(dialect=dialect, comments=False) != first or _column_names(again) != _column_names(tree):
            self.refuse("does not read back as the same expression", "fragments mean one thing only", "add parentheses")

    def check_nothing_lost(self, tree: exp.Expression, tokens: list[Token]) -> None:
        """Every string, number and word of the text is in what is written: parsers drop odd arguments in silence."""
        written = tree.sql(dialect=self.dialect, comments=False).casefold()
        self.check_no_word_lost(written, tokens)
        for i, token in enumerate(tokens):
            if token.token_type.name == "NUMBER":
                called = tokens[i - 2].text.upper() if i > 1 else ""
                if (called in _SIZED_TEXTS and len(token.text) < 4) or (called, token.text) == ("LOG", "10"):
                    continue  # VARCHAR(20): engines without lengths of text write VARCHAR
                lost = [] if token.text.casefold() in written else [token.text]
            elif token.token_type.name == "STRING":
                lost = [word for word in re.findall(r"\w+", token.text) if word.casefold() not in written]
            else:
                continue
            if lost:
                self.refuse(
                    f"holds {token.text!r} where it has no meaning in the {self.dialect} dialect",
                    fix="check the arguments of the function around it",
                )

    def check_no_word_lost(self, written: str, tokens: list[Token]) -> None:
        """Words that are not called, are no type and have no other form stay as often as they were."""
        kept = Counter(re.findall(r"\w+", written))
        for i, token in enumerate(tokens):
            word = token.text.casefold()
            if not re.fullmatch(r"\w+", word) or token.token_type.name in {"NUMBER", "STRING", "IDENTIFIER"}:
                continue
            after, before = (tokens[j].text.upper() if 0 <= j < len(tokens) else "" for j in (i + 1, i - 1))
            if kept[word] > 0:
                kept[word] -= 1
            elif not (after == "(" or before in {"AS", "::"} or word.upper() in _REWRITTEN or _is_type(word)):
                self.refuse(
                    f"holds the word {token.text} where it has no meaning in the {self.dialect} dialect",
                    fix="remove it",
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
        elif isinstance(root, exp.Anonymous):
            is_condition = str(root.this).upper() in words.CONDITIONS
        else:
            is_condition = type(root).__name__ in _CONDITIONS
        if not is_condition:
            self.refuse("is a value and no condition", "a filter is true or false", "compare it, for instance with > 0")


_CONDITIONS = words.words(
    "And Or Xor Not EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Like ILike Escape Between In Boolean "
    "StartsWith EndsWith Contains IsNan Case If Coalesce RegexpLike RegexpILike Dot Bracket Nvl2 DecodeCase "
    "ArrayContains"
)


def _is_type(word: str) -> bool:
    return word.upper() in words.TYPES or word.upper() in words.OTHER_TYPE_NAMES or word.upper() in words.PARTS_OF_TIME


def _settled(tree: exp.Expression, dialect: str, columns: Collection[str] | None) -> exp.Expression:
    """The tree with one form for what parsers read in several.

    `payload.price` is a field of a column and no column of a table, where the dialect has records; a raw string is the
    pattern that it holds; and MySQL's patterns are matched by the function that MariaDB has too. PostgreSQL rounds to a
    number of digits, and takes a logarithm to a base, of NUMERIC only.
    """
    for node in list(tree.find_all(exp.Column)):
        parts = node.parts
        is_whole = len(parts) > 1 and all(isinstance(part, exp.Identifier) for part in parts)
        is_known = columns is None or parts[0].name.lower() in {name.lower() for name in columns}
        if dialect in words.WITH_FIELDS and is_whole and is_known:
            reached: exp.Expression = exp.Column(this=parts[0].copy())
            for part in parts[1:]:
                reached = exp.Dot(this=reached, expression=exp.Identifier(this=part.name, quoted=True))
            node.replace(reached)
    if dialect == "postgres":
        for log in list(tree.find_all(exp.Log)):
            base = log.this
            if log.args.get("expression") is not None and isinstance(base, exp.Literal) and base.this == "10":
                log.replace(exp.Log(this=log.expression))
        for rounded in list(tree.find_all(exp.Round)):
            if rounded.args.get("decimals") is not None and not _is_decimal(rounded.this):
                rounded.set("this", exp.Cast(this=rounded.this, to=exp.DataType.build("decimal")))
    for match in list(tree.find_all(exp.RegexpLike, exp.RegexpExtract)):
        if isinstance(match.expression, exp.RawString):
            match.set("expression", exp.Literal.string(match.expression.name))
        if dialect == "mysql" and isinstance(match, exp.RegexpLike) and match.args.get("flag") is None:
            found = exp.RegexpInstr(this=match.this, expression=match.expression)
            match.replace(exp.Paren(this=exp.GT(this=found, expression=exp.Literal.number(0))))
    return tree


def _is_decimal(value: exp.Expression) -> bool:
    return isinstance(value, exp.Cast) and getattr(value.to.this, "name", "") == "DECIMAL"


def _columns(tree: exp.Expression) -> Iterator[exp.Column]:
    yield from tree.find_all(exp.Column)


def _column_names(tree: exp.Expression) -> list[str]:
    return sorted({column.name.lower() for column in _columns(tree)})
