"""SQL that means the same on every engine, built as a syntax tree and rendered per dialect at the end.

Only these constructs are used by the metric compiler (engines.md lists what goes wrong with the others, most of it
without an error): numbers and values cast to DOUBLE, CASE inside an aggregate instead of FILTER, joins on equality
alone, GROUP BY names, a fresh alias prefix for every level, and division that is never an integer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from paribus.errors import InputError

Expr: TypeAlias = exp.Expression

LARGEST = 1.7976931348623157e308  # the largest finite double: |x| <= LARGEST is false for NaN and infinities everywhere


# ── scalars ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(value: float) -> Expr:
    """A finite number as DOUBLE: some engines type `1.0` as DECIMAL(2,1) and round what it meets.

    >>> number(0.5).sql("duckdb")
    'CAST(5e-1 AS DOUBLE)'
    """
    literal: Expr = exp.Literal(this=_shortest(abs(value)), is_string=False)
    return double(exp.Neg(this=literal) if value < 0 else literal)


def _shortest(value: float) -> str:
    """The fewest digits that read back as the same double, in scientific notation: 12.5 is 1.25e1."""
    text = next(t for t in (f"{value:.{digits}e}" for digits in range(17)) if float(t) == value)
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def integer(value: int) -> Expr:
    return exp.Literal.number(value)


def text(value: str) -> Expr:
    """The string as a literal; escaped by each dialect. NUL is refused: PostgreSQL and SQLite stop there."""
    if "\x00" in value:
        raise InputError("a text value holds a NUL character", where=repr(value), rule="text in SQL has no NUL")
    return exp.Literal.string(value)


def null_text() -> Expr:
    return as_text(exp.Null())


def own(name: str) -> Expr:
    """A column that an earlier level of the same statement named: unquoted, with a prefix no one else uses."""
    return exp.Column(this=exp.Identifier(this=name, quoted=False))


def placeholder(name: str) -> Expr:
    """`:name`: a number that an earlier statement computes, in a statement that is shown and not run."""
    return double(placeholder_rank(name))


def placeholder_rank(name: str) -> Expr:
    """`:name` without a cast: a rank."""
    return exp.Var(this=f":{name}")  # not exp.Placeholder: dialects spell those differently


def double(value: Expr) -> Expr:
    return exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.DOUBLE, nested=False))


def as_text(value: Expr) -> Expr:
    return exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.TEXT, nested=False))


def is_condition(value: Expr) -> bool:
    """True for an expression whose value is true or false by its form (a column's kind is known elsewhere)."""
    return isinstance(value.unnest(), exp.Predicate | exp.Connector | exp.Not | exp.Boolean)


def parenthesized(value: Expr) -> Expr:
    return exp.Paren(this=value) if isinstance(value, exp.Binary | exp.Unary | exp.Between) else value


def minus(a: Expr, b: Expr) -> Expr:
    return exp.Sub(this=parenthesized(a), expression=parenthesized(b))


def portable(value: Expr) -> Expr:
    """The expression with what engines read differently written out: division, and numbers with a point.

    `1/3` is 0 on PostgreSQL and 0.3333 on MariaDB, `x/0` an error, infinite or NULL; here it is a DOUBLE, NULL where
    the divisor is 0. `1.0` is DECIMAL(2,1) on Spark; here every number that is no integer is a DOUBLE.
    """
    root = exp.Paren(this=value.copy())  # a parent, so that the whole can be replaced too
    for literal in list(root.find_all(exp.Literal)):
        inside = isinstance(literal.parent, exp.Cast | exp.DataTypeParam | exp.Interval)
        if not (literal.is_string or literal.this.isdigit() or inside):
            literal.replace(double(literal.copy()))
    for division in reversed(list(root.find_all(exp.Div))):  # the inner ones first
        divisor = exp.Nullif(this=double(division.expression.copy()), expression=number(0))
        division.replace(exp.Div(this=double(division.this.copy()), expression=divisor, typed=True, safe=False))
    whole: Expr = root.this
    return whole


def name_columns(value: Expr, identify: Callable[[str], exp.Identifier]) -> Expr:
    """The expression with its plain lower-case columns as identifiers: no reserved word is left bare.

    For columns that no engine described; names in other cases stay as written, because engines fold them differently.
    """
    named = value.copy()
    for column in named.find_all(exp.Column):
        if not column.this.quoted and column.name == column.name.lower():
            column.set("this", identify(column.name))
    return named


def plus(a: Expr, b: Expr) -> Expr:
    return exp.Add(this=a, expression=parenthesized(b) if not isinstance(b, exp.Column) else b)


def times(*factors: Expr) -> Expr:
    product = parenthesized(factors[0])
    for factor in factors[1:]:
        product = exp.Mul(this=product, expression=parenthesized(factor))
    return product


def remainder(value: Expr, divisor: int) -> Expr:
    """What is left of an integer that is not negative, divided by another."""
    return exp.Mod(this=value, expression=integer(divisor))


def absolute(value: Expr) -> Expr:
    return exp.Abs(this=value)


def function(name: str, *arguments: Expr) -> Expr:
    """A function of one dialect, rendered as written."""
    return exp.Anonymous(this=name, expressions=list(arguments))


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def equal(a: Expr, b: Expr) -> Expr:
    return exp.EQ(this=a, expression=b)


def differ(a: Expr, b: Expr) -> Expr:
    return exp.NEQ(this=a, expression=b)


def less(a: Expr, b: Expr) -> Expr:
    return exp.LT(this=a, expression=b)


def at_most(a: Expr, b: Expr) -> Expr:
    return exp.LTE(this=a, expression=b)


def at_least(a: Expr, b: Expr) -> Expr:
    return exp.GTE(this=a, expression=b)


def greater(a: Expr, b: Expr) -> Expr:
    return exp.GT(this=a, expression=b)


def like(value: Expr, pattern: str) -> Expr:
    return exp.Like(this=value, expression=text(pattern))


def is_null(value: Expr) -> Expr:
    return exp.Is(this=value, expression=exp.Null())


def is_known(value: Expr) -> Expr:
    return exp.Not(this=is_null(value))


def negate(condition: Expr) -> Expr:
    return exp.Not(this=exp.Paren(this=condition))


def one_of(value: Expr, values: Sequence[str]) -> Expr:
    return exp.In(this=value, expressions=[text(v) for v in values])


def in_numbers(value: Expr, numbers: Sequence[int]) -> Expr:
    return in_values(value, [integer(n) for n in numbers])


def in_values(value: Expr, values: Sequence[Expr]) -> Expr:
    return exp.In(this=value, expressions=list(values))


def between_some_and_all(count: Expr, whole: Expr) -> Expr:
    """True where a count is neither zero nor the whole."""
    return always(every([greater(count, integer(0)), less(count, whole)]))


def finite(value: Expr) -> Expr:
    """True for a finite number; false for NaN and infinities on engines that order NaN and on those that do not."""
    return at_most(absolute(value), number(LARGEST))


def every(conditions: Iterable[Expr | None]) -> Expr | None:
    """All conditions together, None when there is none."""
    return _join(exp.And, conditions)


def either(conditions: Iterable[Expr | None]) -> Expr | None:
    """Any of the conditions, None when there is none."""
    return _join(exp.Or, conditions)


def always(condition: Expr | None) -> Expr:
    """The condition, or one that is true when there is none."""
    return equal(integer(1), integer(1)) if condition is None else condition


def _join(kind: type[exp.And] | type[exp.Or], conditions: Iterable[Expr | None]) -> Expr | None:
    joined: Expr | None = None
    for condition in conditions:
        if condition is None:
            continue
        part: Expr = exp.Paren(this=condition) if isinstance(condition, exp.Or) else condition
        joined = part if joined is None else _connected(kind, joined, part)
    return joined


def _connected(kind: type[exp.And] | type[exp.Or], left: Expr, right: Expr) -> Expr:
    joined: Expr = kind(this=left, expression=right)
    return joined


def case(*branches: tuple[Expr | None, Expr], otherwise: Expr | None = None) -> Expr:
    """CASE WHEN … THEN … [ELSE …] END; a single branch whose condition is None is its value."""
    if len(branches) == 1 and branches[0][0] is None:
        return branches[0][1]
    whens = [exp.If(this=condition, true=value) for condition, value in branches]
    return exp.Case(ifs=whens, default=otherwise)


def or_else(value: Expr, fallback: Expr) -> Expr:
    return exp.Coalesce(this=value, expressions=[fallback])


# ── aggregates ───────────────────────────────────────────────────────────────────────────────────────────────────────


def total(value: Expr) -> Expr:
    return exp.Sum(this=value)


def rows() -> Expr:
    return exp.Count(this=exp.Star())


def known(value: Expr) -> Expr:
    return exp.Count(this=value)


def distinct(value: Expr) -> Expr:
    return exp.Count(this=exp.Distinct(expressions=[value]))


def average(value: Expr) -> Expr:
    return exp.Avg(this=value)


def smallest(value: Expr) -> Expr:
    return exp.Min(this=value)


def largest(value: Expr) -> Expr:
    return exp.Max(this=value)


def rank(order: Sequence[Expr], within: Sequence[Expr] = ()) -> Expr:
    """ROW_NUMBER() over rows in order, from 1, within each partition. Values must not be NULL (NULL order differs)."""
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=list(within),
        order=exp.Order(expressions=[exp.Ordered(this=key) for key in order]),
    )


def running_total(value: Expr, order: Expr, within: Sequence[Expr]) -> Expr:
    """The sum over a partition's rows up to this one, in order. No two rows of a partition may be equal in order."""
    return exp.Window(
        this=exp.Sum(this=value),
        partition_by=list(within),
        order=exp.Order(expressions=[exp.Ordered(this=order)]),
        spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )


def rows_within(within: Sequence[Expr] = ()) -> Expr:
    return exp.Window(this=rows(), partition_by=list(within))


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Join:
    """A join on equality alone: `left` of what stands before, `right` of the joined relation."""

    relation: Expr
    left: Expr
    right: Expr
    outer: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT: columns by alias, in order."""

    columns: Mapping[str, Expr]
    source: Expr
    joins: Sequence[Join] = ()
    where: Expr | None = None
    group: Sequence[Expr] = ()
    order: Sequence[Expr] = ()
    limit: int | None = None
    cross: Expr | None = None


@dataclass(slots=True)
class Statement:
    """A chain of named levels (WITH) and a last SELECT."""

    levels: dict[str, Expr] = field(default_factory=dict)

    def level(self, name: str, query: Select | Expr) -> Expr:
        """Adds a level and returns the relation that reads it; a name is given once."""
        if name in self.levels:
            raise ValueError(f"the statement has a level {name} already")
        self.levels[name] = tree(query) if isinstance(query, Select) else query
        return relation(name)

    def sql(self, last: Select | Expr, dialect: str) -> str:
        """The whole statement as text."""
        query = (tree(last) if isinstance(last, Select) else last).copy()
        if self.levels:
            ctes = [
                exp.CTE(this=level.copy(), alias=exp.TableAlias(this=exp.Identifier(this=name, quoted=False)))
                for name, level in self.levels.items()
            ]
            query.set("with_" if "with_" in query.arg_types else "with", exp.With(expressions=ctes))
        if dialect == "druid":  # Calcite's name for text; sqlglot writes STRING
            query = query.transform(_druid_text)
        return query.sql(dialect=dialect, pretty=True, comments=False, copy=False)


def _druid_text(node: Expr) -> Expr:
    return exp.DataType.build("varchar") if isinstance(node, exp.DataType) and node.is_type("text") else node


def relation(name: str) -> Expr:
    """A level of the same statement."""
    return exp.Table(this=exp.Identifier(this=name, quoted=False))


def verbatim(sql: str) -> Expr:
    """Text that an engine gave for its own relation: rendered untouched."""
    return exp.Table(this=exp.Var(this=sql))


def tree(query: Select) -> Expr:
    """The syntax tree of one SELECT."""
    select = exp.Select(
        expressions=[
            exp.Alias(this=value, alias=exp.Identifier(this=alias, quoted=False))
            for alias, value in query.columns.items()
        ]
    )
    select.set("from_" if "from_" in select.arg_types else "from", exp.From(this=query.source))
    joins = [
        exp.Join(
            this=join.relation,
            on=equal(join.right, join.left),
            side="LEFT" if join.outer else None,
            kind=None if join.outer else "INNER",
        )
        for join in query.joins
    ]
    if query.cross is not None:
        joins.append(exp.Join(this=query.cross, kind="CROSS"))
    if joins:
        select.set("joins", joins)
    if query.where is not None:
        select.set("where", exp.Where(this=query.where))
    if query.group:
        select.set("group", exp.Group(expressions=list(query.group)))
    if query.order:
        select.set("order", exp.Order(expressions=[exp.Ordered(this=key) for key in query.order]))
    if query.limit is not None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(query.limit)))
    return select


def constant_rows(alias: str, count: int) -> Expr:
    """A relation with one column holding 0, 1, … count - 1, by UNION ALL, which every engine has."""
    parts: list[Expr] = [
        exp.Select(expressions=[exp.Alias(this=exp.Literal.number(i), alias=exp.Identifier(this=alias, quoted=False))])
        for i in range(count)
    ]
    union = parts[0]
    for part in parts[1:]:
        union = exp.Union(this=union, expression=part, distinct=False)
    return union


def union_all(queries: Sequence[Select]) -> Expr:
    """The rows of several SELECTs with the same columns."""
    union = tree(queries[0])
    for query in queries[1:]:
        union = exp.Union(this=union, expression=tree(query), distinct=False)
    return union
