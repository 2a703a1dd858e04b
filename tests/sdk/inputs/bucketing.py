"""Salts and units whose buckets the vectors fix."""

from __future__ import annotations

UNITS = {
    "one letter": "u",
    "two letters": "u1",
    "three letters": "u12",
    "four letters": "u123",
    "five letters": "u1234",
    "a uuid": "0b1f6a3e-8f6c-4a5e-9b57-6f0a1c0f4d11",
    "an integer's digits": "1234567890",
    "zero": "0",
    "a negative integer's digits": "-7",
    "a space": " ",
    "a colon": "a:b",
    "a line break": "a\nb",
    "a NUL": "a\x00b",
    "Latin letters with accents": "Åsa Öberg",
    "an accent as one character": "\u00e9",
    "an accent as two characters": "e\u0301",
    "Greek": "Ωμέγα",
    "Chinese": "用户一",
    "Arabic": "مستخدم",
    "an emoji": "😀",
    "a family of emoji": "👩‍👩‍👧‍👦",
    "a flag and a letter": "🇸🇪x",
    "upper case": "USER-1",
    "lower case": "user-1",
    "200 letters": "abcdefghij" * 20,
}
SALTS = {"a salt": "checkout-traffic", "an empty salt": "", "a salt in Chinese": "结账", "a random salt": "f3a9c1d27b"}


def cases() -> list[dict[str, str]]:
    return [
        {"name": f"{unit_name}, {salt_name}", "salt": salt, "unit": unit}
        for salt_name, salt in SALTS.items()
        for unit_name, unit in UNITS.items()
    ] + [{"name": f"user {number}", "salt": "homepage-split", "unit": f"user-{number}"} for number in range(20)]
