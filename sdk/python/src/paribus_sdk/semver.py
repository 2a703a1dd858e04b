"""Semantic versions: the precedence of SemVer 2.0.0, section 11."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

Precedence: TypeAlias = tuple[int, int, int, tuple[tuple[int, int, str], ...]]

MAXIMUM_LENGTH = 256
_NUMBER = "(0|[1-9][0-9]*)"
_IDENTIFIER = "(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = (
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
# A release comes after each of its pre-releases, whose identifiers rank 0 (a number) or 1 (text).
_RELEASE = ((2, 0, ""),)


@lru_cache(maxsize=4096)
def precedence(text: str) -> Precedence | None:
    """A key that sorts versions by precedence; None when `text` is no semantic version.

    A leading `v` is allowed, build metadata is ignored.

    >>> precedence("1.0.0-alpha") < precedence("1.0.0-alpha.1") < precedence("1.0.0") < precedence("v1.0.1+build")
    True
    >>> precedence("1.2") is None
    True
    """
    if len(text) > MAXIMUM_LENGTH:
        return None
    match = re.fullmatch(_VERSION, text)
    if match is None:
        return None
    major, minor, patch, identifiers = match.groups()
    ranked = _RELEASE if identifiers is None else tuple(_rank(part) for part in identifiers.split("."))
    return int(major), int(minor), int(patch), ranked


def _rank(identifier: str) -> tuple[int, int, str]:
    return (0, int(identifier), "") if identifier.isdigit() else (1, 0, identifier)
