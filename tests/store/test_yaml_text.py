"""A body written as YAML is read back as itself, by our reader and by a plain YAML 1.1 one."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paribus.experiments import marked_yaml
from paribus.store.canonical import body_of, canonical_text
from paribus.store.yaml_text import yaml_text

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5)


def read(text: str) -> dict:
    value = marked_yaml.read(text.encode(), "x.yaml").value
    return body_of(canonical_text(value, "x"))


@settings(max_examples=150, deadline=None)
@given(BODIES)
@example({"a": "line one\n  indented\n\ttab\n\n"})
@example({"a": " \n", "b": "x\n", "c": "\n", "d": "a\r\nb", "e": "a\u2028b\x85c", "f": "\ufeff"})
@example({"k" * 200: 1, "two\nlines": 2, "": 3})
@example({"e": 1e20, "f": 1e-7, "g": 5e-324})
def test_our_reader_reads_what_was_written(body: dict) -> None:
    plain = body_of(canonical_text(body, "x"))
    assert read(yaml_text(plain)) == plain


WORDS = (
    "on off yes no y n true True TRUE null ~ 1 1.0 1e3 1E3 .5 5. +1 -0 0x1F 0o17 017 1_000 12:30 190:20:30 2026-01-02 "
    "2026-01-02T03:04:05Z .inf -.Inf .nan << = - ? : # & * ! | > @ ` % {} [] a:b a: #x"
)


@pytest.mark.parametrize("word", WORDS.split(" "))
def test_a_word_stays_a_word_for_any_reader(word: str) -> None:
    text = yaml_text({word: [word]})
    assert read(text) == {word: [word]}
    assert yaml.safe_load(text) == {word: [word]}


def test_equal_bodies_have_one_spelling() -> None:
    assert yaml_text({"b": 1, "a": [2, 1]}) == yaml_text({"a": [2, 1], "b": 1}) == "a:\n  - 2\n  - 1\nb: 1\n"


def test_repeated_values_are_written_out() -> None:
    shared = {"x": 1}
    assert "&" not in yaml_text({"a": shared, "b": shared})
