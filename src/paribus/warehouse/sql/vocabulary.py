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
        "Nvl2": "this true false",
        "DecodeCase": "expressions",
        "WidthBucket": "this min_value max_value num_buckets",
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
        "Reverse": "this",
        "Pad": "this expression fill_pattern is_left",
        "SplitPart": "this delimiter part_index",
        "SubstringIndex": "this delimiter count",
        "RegexpLike": "this expression flag",
        "RegexpILike RegexpInstr": "this expression",
        "RegexpExtract": "this expression group",
        # time
        "Interval": "this unit",
        "Extract": "this expression",
        "DateTrunc TimestampTrunc": "this unit",
        "WeekStart": "this",
        "Year Month Day Hour Minute Second Quarter Week DayOfWeek DayOfYear DayOfMonth": "this",
        "Date Timestamp TsOrDsToDate TsOrDsToTimestamp": "this default_date",
        "DateAdd DateSub TimestampAdd TimestampSub TsOrDsAdd": "this expression unit",
        "AtTimeZone": "this zone",
        "DateDiff TimestampDiff TsOrDsDiff": "this expression unit",
        "TimeToStr": "this format",
        "TimeStrToTime TimeToUnix UnixSeconds UnixMillis UnixMicros DayOfWeekIso": "this",
        "UnixToTime": "this scale",
        # types
        "Cast TryCast": "this to",
        "Convert": "this expression",
        "ToDouble": "this",
        "ToNumber": "this precision scale",
        # JSON by a path that is written out
        "JSONExtract JSONExtractScalar": "this expression",
        "JSONValue": "this path",
        "JSONPath": "expressions",
        "JSONPathRoot": "",
        "JSONPathKey JSONPathSubscript": "this",
        # a field of a record, an element of a list
        "Dot": "this expression",
        "Bracket": "this expressions offset",
        "ArrayContains": "this expression",
    }.items()
    for name in names.split()
}

# Functions that a dialect's parser does not know and that are safe, with what each argument is: a time is a column or
# ISO 8601, a part is a part of a time, a key is a text that is written out; the last repeats where it has a star.
_VALUE: tuple[str, ...] = ("value",)
_TIME: tuple[str, ...] = ("time",)
_PART: tuple[str, ...] = ("part", "time")
_TWO: tuple[str, ...] = ("value", "value")
_JSON: tuple[str, ...] = ("value", "key*")
UNTYPED: dict[str, dict[str, tuple[str, ...]]] = {
    "sqlite": dict.fromkeys(words("DATETIME JULIANDAY UNIXEPOCH"), _TIME) | {"TYPEOF": _VALUE},
    "mysql": {"JSON_UNQUOTE": _VALUE} | dict.fromkeys(words("UNIX_TIMESTAMP WEEKDAY"), _TIME),
    "duckdb": dict.fromkeys(words("DATE_PART DATEPART"), _PART)
    | dict.fromkeys(words("EPOCH_US EPOCH_NS"), _TIME)
    | dict.fromkeys(words("PREFIX SUFFIX"), _TWO),
    "clickhouse": dict.fromkeys(
        words(
            "TOSTRING TOFLOAT64 TOFLOAT32 TOINT64 TOINT32 TOINT16 TOINT8 TOUINT64 TOUINT32 TOUINT16 TOUINT8 "
            "TOFLOAT64ORNULL TOFLOAT64ORZERO TOINT64ORNULL TOINT64ORZERO TOINT32ORNULL LOWERUTF8 UPPERUTF8 LENGTHUTF8 "
            "EMPTY NOTEMPTY ISNULL ISNOTNULL ASSUMENOTNULL"
        ),
        _VALUE,
    )
    | dict.fromkeys(
        words(
            "TODATE TODATETIME TOYEAR TOQUARTER TOMONTH TODAYOFMONTH TOHOUR TOMINUTE TOSECOND TOUNIXTIMESTAMP "
            "TOYYYYMM TOYYYYMMDD"
        ),
        _TIME,
    )
    | dict.fromkeys(words("INTDIV POSITIONCASEINSENSITIVE"), _TWO)
    | dict.fromkeys(words("JSONEXTRACTFLOAT JSONEXTRACTINT JSONEXTRACTUINT JSONEXTRACTBOOL JSONHAS"), _JSON)
    | {"MULTIIF": ("value", "value", "value*")},
}

# Those of them that are true or false.
CONDITIONS = words("PREFIX SUFFIX EMPTY NOTEMPTY ISNULL ISNOTNULL JSONHAS JSONEXTRACTBOOL")

# Dialects with records (`payload.price`) and lists (`items[1]`).
WITH_FIELDS = words("duckdb clickhouse bigquery spark databricks trino athena")
WITH_EXTRACTS = words("duckdb bigquery snowflake spark databricks trino athena")
WITH_ILIKE_PATTERNS = words("postgres redshift duckdb snowflake")

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
OTHER_TYPE_NAMES = words(
    "STRING INTEGER INT2 INT4 INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 FLOAT4 FLOAT8 FLOAT32 FLOAT64 REAL "
    "NUMERIC NUMBER DEC BOOL CHARACTER LONG SHORT BYTE SIGNED UNSIGNED UINTEGER UBIGINT HUGEINT LOGICAL BPCHAR "
    "BIGNUMERIC"
)
TYPES = NUMBER_TYPES | TEXT_TYPES | TIME_TYPES | {"BOOLEAN"}

WEEKDAYS = words("SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY")
PARTS_OF_TIME = words(
    "YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND DOW ISODOW DAYOFWEEK DOY DAYOFYEAR ISOYEAR ISOWEEK EPOCH "
    "DATE WEEKDAY YY YYYY MM DD HH MI SS DW DY WK QQ"
)
LENGTHS_OF_DIFFERENCE = words("MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR")
LENGTHS_OF_TIME = words("WEEK DAY HOUR MINUTE SECOND WEEKS DAYS HOURS MINUTES SECONDS")

# For suggestions when a function is not in the list.
FUNCTIONS = sorted(
    words(
        "abs ceil floor sqrt exp ln log round trunc power mod sign greatest least coalesce nullif case lower upper "
        "length trim ltrim rtrim substring left right concat concat_ws replace starts_with ends_with contains "
        "strpos extract date_trunc year month day hour cast try_cast"
    )
)

# What to write instead of functions that analysts miss.
INSTEAD = {
    "split": "use SPLIT_PART(name, '-', 1)",
    "regexp_replace": "use REPLACE, or match the pattern in a view",
    "lpad": "use LPAD(name, 8, '0')",
}
