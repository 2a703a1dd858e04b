"""Patterns: what could take more than a moment is refused; what passes is matched at once by an engine that goes back.

Python's `re` goes back as PCRE and Java do, so it is the judge of what is slow.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.warehouse.sql.patterns import why_refused


@pytest.mark.parametrize(
    "pattern",
    [
        "^/checkout",
        "checkout$",
        "a|b|cd",
        "^(?:checkout|cart)/[0-9]+$",
        r"\d{3}-\d{4}",
        r"^\w+@\w+\.com$",
        "[^/]*",
        "[]a]x",
        "[0-9a-f]+",
        "(?i)promo",
        "(utm_[a-z]+)=",
        "colou?r",
        "a+?b",
        "ünïcode",
        "(ab)+",
        "(abc){2,5}",
    ],
)
def test_what_analysts_write_is_accepted(pattern: str) -> None:
    assert why_refused(pattern) is None
    re.compile(pattern)


def test_classes_by_name_are_accepted() -> None:
    assert why_refused("^[[:alpha:]_]+$") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|b)+",
        "((a{1,9}){1,9}){1,9}",
        "(?:x+x+)+y",
        "((ab)*)*",
        "(a?){50}",
        ".*.*.*.*.*x",
        "a{101}",
        "a{1,99999}",
        r"(a)\1",
        r"\k<x>",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?R)",
        "(?1)",
        "(?P<x>a)",
        "(?#x)",
        "(*LIMIT_MATCH=9)",
        "(?i:a)",
        "***:a",
        "*a",
        "+",
        "a**",
        "a{",
        "a{,5}",
        "a{2}{3}",
        "a\tb",
        "(",
        ")",
        "(a))",
        "[a",
        "\\",
        r"\Qa\E",
        r"\p{L}+",
        r"\C",
        "a" * 201,
    ],
)
def test_what_is_slow_or_known_to_few_is_refused(pattern: str) -> None:
    assert why_refused(pattern)


@given(
    pattern=st.lists(
        st.sampled_from(
            ["a", "b", ".", "(", ")", "(?:", "|", "*", "+", "?", "{2}", "{1,3}", "{2,}", "[ab]", r"\w", "^", "$"]
        ),
        min_size=1,
        max_size=14,
    ).map("".join)
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_an_accepted_pattern_is_matched_at_once(pattern: str) -> None:
    if why_refused(pattern):
        return
    try:
        compiled = re.compile(pattern)
    except re.error:
        return  # the engine says so
    start = time.process_time()
    compiled.search("a" * 60)
    compiled.search("ab" * 30 + "c")
    assert time.process_time() - start < 1
