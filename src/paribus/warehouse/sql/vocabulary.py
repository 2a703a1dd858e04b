"""The words a fragment may use: syntax nodes with their parts, types, units. What is not listed is refused.

Names are those of sqlglot's node classes, so that one list serves all its versions. A part that is not listed must be
absent (or a plain flag): `CAST(x AS DATE FORMAT …)` has a part `format` and is refused.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Node → parts that may hold further nodes. Every part is checked in turn.
NODES: dict[str, frozenset[str]] = {
    name: frozenset(parts.split())
    for names, parts in {
        # leaves; `Column`, `Identifier`, `Literal`, `Interval`, `Var` and JSON paths have rules of their own besides
        "Boolean Null": "this",
        "Literal": "this",
        "Identifier": "this",
        "Column": "this",
        "Var": "this",
        "DataType": "this expressions",
        "DataTypeParam": "this",
        # conditions
        "And Or Xor": "this expression",
        "Not Paren Neg": "this",
        "EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is": "this expression",
        "Like ILike Escape": "this expression",
        "Between": "this low high",
        "In": "this expressions",
        # arithmetic
        "Add Sub Mul Div IntDiv Mod Pow SafeDivide": "this expression",
        "Abs Ceil Floor Sqrt Cbrt Exp Ln Sign IsNan": "this",
        "Log": "this expression",
        "Round Trunc": "this decimals",
        "Greatest Least Coalesce": "this expressions",
        "Nullif": "this expression",
        "Case": "this ifs default",
        "If": "this true false",
        # text
        "Lower Upper Length": "this",
        "Trim": "this expression position",
        "Substring": "this start length",
        "Left Right": "this expression",
        "Concat": "expressions",
        "ConcatWs": "expressions",
        "DPipe": "this expression",
        "Replace": "this expression replacement",
        "StartsWith EndsWith Contains": "this expression",
        "StrPosition": "this substr",
        # time
        "Interval": "this unit",
        "Extract": "this expression",
        "DateTrunc TimestampTrunc": "this unit",
        "WeekStart": "this",
        "Year Month Day Hour Minute Second Quarter Week DayOfWeek DayOfYear DayOfMonth": "this",
        "Date Timestamp TsOrDsToDate TsOrDsToTimestamp": "this default_date",
        "DateAdd DateSub TimestampAdd TimestampSub TsOrDsAdd": "this expression unit",
        "AtTimeZone": "this zone",
        # types
        "Cast TryCast": "this to",
        "Convert": "this expression",
        # JSON by a path that is written out
        "JSONExtract JSONExtractScalar": "this expression",
        "JSONPath": "expressions",
        "JSONPathRoot": "",
        "JSONPathKey JSONPathSubscript": "this",
    }.items()
    for name in names.split()
}

# Functions that a dialect's parser does not know and that are safe with one argument.
UNTYPED = {"sqlite": {"DATETIME"}}

# With one argument these are the value itself, or on SQLite an aggregate over rows (MAX).
AT_LEAST_TWO = frozenset({"Greatest", "Least", "Coalesce", "Concat", "ConcatWs"})

NUMBER_TYPES = words(
    "TINYINT SMALLINT MEDIUMINT INT BIGINT INT128 UTINYINT USMALLINT UMEDIUMINT UINT UBIGINT FLOAT DOUBLE "
    "DECIMAL DECIMAL32 DECIMAL64 DECIMAL128 BIGDECIMAL MONEY SMALLMONEY BIT"
)
TEXT_TYPES = words("CHAR NCHAR VARCHAR NVARCHAR TEXT TINYTEXT MEDIUMTEXT LONGTEXT")
TIME_TYPES = words(
    "DATE DATE32 DATETIME DATETIME2 DATETIME64 SMALLDATETIME TIMESTAMP TIMESTAMPTZ TIMESTAMPLTZ TIMESTAMPNTZ "
    "TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS"
)
TYPES = NUMBER_TYPES | TEXT_TYPES | TIME_TYPES | {"BOOLEAN"}

WEEKDAYS = words("SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY")
PARTS_OF_TIME = words(
    "YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND DOW ISODOW DAYOFWEEK DOY DAYOFYEAR ISOYEAR ISOWEEK EPOCH "
    "DATE WEEKDAY YY YYYY MM DD HH MI SS DW DY WK QQ"
)
LENGTHS_OF_TIME = words("WEEK DAY HOUR MINUTE SECOND WEEKS DAYS HOURS MINUTES SECONDS")

# For suggestions when a function is not in the list.
FUNCTIONS = sorted(
    words(
        "abs ceil floor sqrt exp ln log round trunc power mod sign greatest least coalesce nullif case lower upper "
        "length trim ltrim rtrim substring left right concat concat_ws replace starts_with ends_with contains "
        "strpos extract date_trunc year month day hour cast try_cast"
    )
)

# What to write instead of functions that analysts miss and engines disagree on.
_DIFFERENCE = "engines count days differently: compare times, as in ts < signup + INTERVAL '7' DAY"
INSTEAD = {
    "datediff": _DIFFERENCE,
    "date_diff": _DIFFERENCE,
    "timestampdiff": _DIFFERENCE,
    "timestamp_diff": _DIFFERENCE,
    "regexp_like": "use LIKE, or match the pattern in a view",
    "regexp_ilike": "use LOWER and LIKE, or match the pattern in a view",
}
