"""Parts of a definition as written: each is of its type, or the flag is broken with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus_sdk.condition import BrokenError
from paribus_sdk.definitions import BASIS_POINTS, Variant


def variants_of(written: Any, flag_type: str) -> dict[str, Variant]:
    """The variants by name, in their order; each name once, each value of the flag's type."""
    if not isinstance(written, list | tuple) or not written:
        raise BrokenError("variants", "a flag has a list of variants, at least one")
    variants: dict[str, Variant] = {}
    for index, item in enumerate(written):
        where = f"variants[{index}]"
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or not name or "value" not in item:
            raise BrokenError(where, "a variant has a name and a value")
        if name in variants:
            raise BrokenError(where, f"the name {name!r} is given twice")
        variants[name] = Variant(name, _typed(item["value"], flag_type, f"{where}.value"))
    return variants


def _typed(value: Any, flag_type: str, where: str) -> Any:
    is_right: object = True
    if flag_type == "boolean":
        is_right = isinstance(value, bool)
    elif flag_type == "string":
        is_right = isinstance(value, str)
    elif flag_type in {"integer", "float"}:
        number = _finite(value)
        if flag_type == "float" and number is not None:
            return number
        is_right = number is not None and number.is_integer()
        value = int(value) if is_right else value
    if not is_right:
        raise BrokenError(where, f"the value is not of the flag's type, {flag_type}")
    return value


def _finite(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < float("inf") else None


def known_variant(variants: Mapping[str, Variant], name: Any, where: str) -> Variant:
    """The variant of that name."""
    variant = variants.get(name) if isinstance(name, str) else None
    if variant is None:
        raise BrokenError(where, f"there is no variant {name!r}")
    return variant


def listed(written: Mapping[str, Any], name: str, where: str = "") -> list[Any] | tuple[Any, ...]:
    """A list, empty when it is not given."""
    value = written.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise BrokenError(f"{where}.{name}" if where else name, f"{name} is a list")
    return value


def text(written: Mapping[str, Any], name: str, where: str) -> str:
    """Text that must be given."""
    value = written.get(name)
    if not isinstance(value, str):
        raise BrokenError(f"{where}.{name}", f"{name} is text")
    return value


def boolean(written: Mapping[str, Any], name: str, default: bool) -> bool:
    """A boolean, `default` when it is not given."""
    value = written.get(name, default)
    if not isinstance(value, bool):
        raise BrokenError(name, f"{name} is true or false")
    return value


def integer_or_none(value: Any) -> int | None:
    """A whole number, also when written as 7.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value


def integer(value: Any, where: str) -> int:
    """A whole number that must be given."""
    number = integer_or_none(value)
    if number is None:
        raise BrokenError(where, "a whole number is needed")
    return number


def optional_integer(value: Any, where: str) -> int | None:
    """A whole number, or None when it is not given."""
    return None if value is None else integer(value, where)


def basis_points(written: Mapping[str, Any], name: str, where: str) -> int:
    """A share from 0 to 10000 that must be given."""
    number = integer(written.get(name), f"{where}.{name}")
    if not 0 <= number <= BASIS_POINTS:
        raise BrokenError(f"{where}.{name}", f"{name} is from 0 to {BASIS_POINTS}")
    return number
