"""Every operator against attributes of every type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.sdk.snapshots import compare, flag, gives, snapshot

MISSING = object()
STRANGE = {
    "missing": MISSING,
    "null": None,
    "an object": {"a": 1},
    "a list": ["SE"],
    "empty text": "",
    "a boolean": True,
    "a number": 12,
}

# operator: (value, {what the attribute is: attribute})
TABLE: dict[str, list[tuple[Any, dict[str, Any]]]] = {
    "equals": [
        ("SE", {"same": "SE", "other case": "se", "other": "NO", **STRANGE}),
        ("1", {"the number": 1, "the text": "1"}),
        ("\u00e9", {"composed": "\u00e9", "decomposed": "e\u0301"}),
        (1, {"integer": 1, "float": 1.0, "text": "1", "true": True, "other": 2, "missing": MISSING}),
        (0, {"zero": 0, "false": False, "empty text": "", "null": None}),
        (1.5, {"same": 1.5, "other": 1.25}),
        (True, {"true": True, "false": False, "one": 1, "text": "true", "missing": MISSING}),
        (False, {"false": False, "zero": 0, "null": None, "missing": MISSING}),
    ],
    "not_equals": [
        ("SE", {"same": "SE", "other": "NO", **STRANGE}),
        (1, {"float": 1.0, "other": 2, "true": True, "text": "1"}),
        (True, {"true": True, "false": False, "one": 1}),
    ],
    "in": [
        (["SE", "NO"], {"first": "SE", "last": "NO", "other": "DK", **STRANGE}),
        ([1, 2], {"integer": 1, "float": 2.0, "other": 3, "true": True, "text": "1"}),
        (
            ["a", 1, True],
            {"text": "a", "number": 1, "true": True, "other text": "b", "other number": 2, "false": False},
        ),
        (["a", 1], {"true": True, "other number": 0}),
        ([], {"text": "a", "number": 1, "boolean": False, "a list": [], "missing": MISSING}),
    ],
    "not_in": [
        (["SE", "NO"], {"first": "SE", "other": "DK", **STRANGE}),
        ([1, 2], {"float": 2.0, "other": 3, "true": True}),
        ([], {"text": "a", "missing": MISSING}),
    ],
    "less_than": [(18, {"below": 17, "just below": 17.999, "equal": 18, "above": 19, "text": "17", **STRANGE})],
    "at_most": [(18, {"below": 17, "equal": 18.0, "above": 18.001, "text": "17", "boolean": False, "null": None})],
    "greater_than": [
        (18, {"below": 17, "equal": 18, "above": 18.5, "text": "19", "missing": MISSING}),
        (-0.5, {"negative": -1, "zero": 0, "boolean": True}),
        (1e300, {"large": 1.5e300, "small": 1e-300}),
    ],
    "at_least": [(18, {"below": 17.5, "equal": 18, "above": 1e15, "text": "18", "a list": [18]})],
    "before": [
        (
            "2026-01-31T12:00:00Z",
            {
                "earlier": "2026-01-31T11:59:59.999Z",
                "equal": "2026-01-31T12:00:00Z",
                "equal in another zone": "2026-01-31T13:00:00+01:00",
                "earlier in another zone": "2026-01-31T13:59:59+02:00",
                "later in another zone": "2026-01-31T06:00:01-06:00",
                "half an hour's zone": "2026-01-31T17:29:00+05:30",
                "lower case": "2026-01-31t11:00:00z",
                "milliseconds, earlier": 1769860799999,
                "milliseconds, equal": 1769860800000,
                "before 1970": "1969-12-31T23:59:59Z",
                "negative milliseconds": -1,
                "year 0000": "0000-02-29T00:00:00Z",
                "no offset": "2026-01-31T11:00:00",
                "a date alone": "2026-01-31",
                "a space for the T": "2026-01-31 11:00:00Z",
                "no such day": "2026-02-30T00:00:00Z",
                "no such month": "2025-13-01T00:00:00Z",
                "hour 24": "2026-01-30T24:00:00Z",
                "a leap second": "2016-12-31T23:59:60Z",
                "no such offset": "2026-01-31T11:00:00+24:00",
                "an offset without colon": "2026-01-31T11:00:00+0100",
                "seconds missing": "2026-01-31T11:00Z",
                "text around": " 2026-01-31T11:00:00Z",
                "a line break after": "2026-01-31T11:00:00Z\n",
                "digits of another script": "２０２６-01-31T11:00:00Z",
                "boolean": True,
                "missing": MISSING,
                "a list": [],
            },
        ),
        ("2026-01-31T12:00:00.5Z", {"digits beyond milliseconds": "2026-01-31T12:00:00.4999999Z"}),
        ("2000-03-01T00:00:00Z", {"milliseconds, earlier": 951868799999, "milliseconds, equal": 951868800000}),
        ("0400-01-01T00:00:00Z", {"milliseconds, earlier": -49544438400001, "milliseconds, equal": -49544438400000}),
        ("2024-03-01T00:00:00Z", {"a leap day": "2024-02-29T23:59:59Z", "no leap day": "2023-02-29T00:00:00Z"}),
    ],
    "after": [
        (
            "2026-01-31T12:00:00+01:00",
            {
                "earlier": "2026-01-31T10:59:59Z",
                "equal": "2026-01-31T11:00:00.000Z",
                "later": "2026-01-31T11:00:00.001Z",
                "milliseconds, later": 1769857200001,
                "milliseconds, a half later": 1769857200000.5,
                "digits beyond milliseconds": "2026-01-31T11:00:00.0009Z",
                "year 9999": "9999-12-31T23:59:59Z",
                "no offset": "2026-01-31T12:00:00",
                "null": None,
            },
        ),
    ],
    "starts_with": [
        (
            "ann",
            {
                "starts": "anna",
                "equal": "ann",
                "other case": "Anna",
                "ends": "joann",
                "empty text": "",
                "a list": ["ann"],
            },
        ),
        (["+46", "+47"], {"first": "+4670", "second": "+4790", "none": "+4530", "a number": 46}),
        ("", {"any text": "x", "empty text": "", "missing": MISSING}),
        ([], {"text": "x", "missing": MISSING}),
    ],
    "ends_with": [
        ("@example.org", {"ends": "ann@example.org", "equal": "@example.org", "starts": "@example.org.", "null": None}),
        ([".se", ".no"], {"first": "a.se", "second": "a.no", "none": "a.dk"}),
        ("👦", {"the whole emoji": "x👦", "a family": "👩‍👩‍👧‍👦"}),
    ],
    "contains": [
        (
            "bet",
            {
                "inside": "alphabet",
                "absent": "alpha",
                "a list with it": ["bet"],
                "a list of longer": ["beta"],
                "empty": "",
            },
        ),
        (
            ["x", "y"],
            {"one": "oxo", "none": "abc", "a list with one": ["a", "y"], "a list with none": ["a"], "empty list": []},
        ),
        ("1", {"a list of numbers": [1], "a list of all types": [None, True, 1.5, {}, ["1"], "1"], "a number": 1}),
        ("a", {"an object": {"a": 1}, "missing": MISSING, "a nested list": [["a"]]}),
        ([], {"text": "a", "a list": ["a"]}),
    ],
    "exists": [
        (
            True,
            {
                "text": "x",
                "empty text": "",
                "false": False,
                "zero": 0,
                "empty list": [],
                "null": None,
                "missing": MISSING,
            },
        ),
        (False, {"text": "x", "false": False, "null": None, "missing": MISSING}),
    ],
}
ASCENDING = ["0.0.4", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
ASCENDING += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0", "10.0.0"]
VERSIONS = {
    **{text: text for text in ASCENDING},
    "a leading v": "v1.0.0",
    "a leading V": "V1.0.0",
    "build metadata": "1.0.0+20130313144700",
    "build metadata with dashes": "1.0.0+21AF26D3---117B344092BD",
    "pre-release and build": "1.0.0-beta.2+exp.sha.5114f85",
    "a dash in a pre-release": "1.0.0-x-y-z.-",
    "digits and letters": "1.0.0-0A.is.legal",
    "numbers beyond 2^53": "1.0.0-90071992547409930",
    "two numbers": "1.0",
    "four numbers": "1.0.0.0",
    "a leading zero": "1.01.0",
    "a leading zero in a pre-release": "1.0.0-01",
    "an empty pre-release": "1.0.0-",
    "an empty identifier": "1.0.0-a..b",
    "empty build metadata": "1.0.0+",
    "a space": "1.0.0 ",
    "digits of another script": "１.0.0",
    "empty text": "",
    "a number": 1,
    "257 characters": "1.0.0-" + "a" * 251,
    "256 characters": "1.0.0-" + "a" * 250,
    "missing": MISSING,
    "a list": ["1.0.0"],
}
EXPRESSIONS = [
    ("^a.*z$", {"whole": "abcz", "part": "xabcz", "missing": MISSING, "a number": 5}),
    ("b+", {"inside": "abbc", "absent": "ac", "empty text": ""}),
    ("(?i)ann", {"other case": "JOANNA"}),
    ("\u00e9", {"composed": "caf\u00e9", "decomposed": "cafe\u0301"}),
    ("", {"any text": "x", "empty text": ""}),
    (r"^[^@]+@example\.(org|com)$", {"matches": "ann@example.com", "does not": "ann@examplexcom"}),
    ("(a+)+$", {"a small bomb": "a" * 12 + "!"}),
]


def suites() -> Iterator[dict[str, Any]]:
    """Each comparison asked as it is and under `not`, which tells false from unknown."""
    for op, rows in TABLE.items():
        yield from _suite(f"operator {op}", op, rows)
    for op in ("semver_equals", "semver_less_than", "semver_at_most", "semver_greater_than", "semver_at_least"):
        yield from _suite(f"operator {op}", op, [("v1.0.0-beta.2", VERSIONS)])
    yield from _suite(
        "operator semver_equals, values", "semver_equals", [("1.0.0+a", {"release": "1.0.0", "v": "v1.0.0+b"})]
    )
    numbers = {"text after a number": "1.0.0-2.a", "number": "1.0.0-10", "text": "1.0.0-a", "upper case": "1.0.0-A"}
    yield from _suite(
        "operator semver_less_than, identifiers", "semver_less_than", [("1.0.0-a", numbers), ("1.0.0-9", numbers)]
    )
    yield from _suite("operator matches", "matches", EXPRESSIONS, browser=False)


def _suite(
    name: str, op: str, rows: list[tuple[Any, dict[str, Any]]], browser: bool = True
) -> Iterator[dict[str, Any]]:
    flags: dict[str, Any] = {}
    cases: list[dict[str, Any]] = []
    for index, (value, attributes) in enumerate(rows):
        condition = compare("it", op, value)
        flags[f"is-{index}"] = flag(
            gives("treatment", condition, "is"), gives("treatment", {"not": condition}, "is-not")
        )
        for what, attribute in attributes.items():
            context = {} if attribute is MISSING else {"it": attribute}
            cases.append({"name": f"{op} {value!r}: {what}", "flag": f"is-{index}", "unit": "u1", "context": context})
    yield {"name": name, "browser": browser, "snapshot": snapshot(flags), "cases": cases}
