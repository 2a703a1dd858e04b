"""What counts as a number."""

from __future__ import annotations


def is_number(value: object) -> bool:
    """Whether `value` is an integer or float that is a number; booleans are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # noqa: PLR0124  NaN
