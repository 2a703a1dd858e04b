"""Reads a snapshot of the definitions: each flag is in order, or broken with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from paribus_sdk.condition import BrokenError, ConditionReader
from paribus_sdk.definitions import (
    BASIS_POINTS,
    FORMAT,
    TYPES,
    BrokenFlag,
    Definitions,
    Flag,
    Holdout,
    Layer,
    Prerequisite,
    Problem,
    Rollout,
    Rule,
    Share,
    Variant,
)
from paribus_sdk.prerequisites import broken_prerequisites


def read_snapshot(snapshot: object) -> Definitions:
    """The definitions in a snapshot of format 1; never raises: what cannot be used is among its problems."""
    if not isinstance(snapshot, Mapping):
        return _unusable("snapshot", "a snapshot is an object")
    if snapshot.get("format") != FORMAT or isinstance(snapshot["format"], bool):
        return _unusable("format", f"this version reads format {FORMAT}, not {snapshot.get('format')!r}")
    parts: dict[str, Mapping[str, Any]] = {}
    for name in ("flags", "audiences", "layers", "holdouts"):
        part = snapshot.get(name, {})
        if not isinstance(part, Mapping):
            return _unusable(name, f"{name} is an object, by key")
        parts[name] = part
    reader = _FlagReader(parts)
    flags: dict[str, Flag | BrokenFlag] = {}
    problems: list[Problem] = []
    for key, written in parts["flags"].items():
        if not isinstance(key, str):
            problems.append(Problem(None, "flags", f"the key {key!r} is not text"))
            continue
        flags[key] = reader.read(key, written, problems)
    for problem in list(broken_prerequisites(flags)):
        flags[str(problem.flag)] = _broken(flags[str(problem.flag)], problem)
    problems.extend(flag.problem for flag in flags.values() if isinstance(flag, BrokenFlag))
    project, environment, revision = (snapshot.get(name) for name in ("project", "environment", "revision"))
    return Definitions(
        project if isinstance(project, str) else None,
        environment if isinstance(environment, str) else None,
        _integer_or_none(revision),
        flags,
        tuple(problems),
    )


def _unusable(where: str, why: str) -> Definitions:
    return Definitions(None, None, None, {}, (Problem(None, where, why),), is_usable=False)


def _broken(flag: Flag | BrokenFlag, problem: Problem) -> BrokenFlag:
    if isinstance(flag, BrokenFlag):
        return flag
    return BrokenFlag(
        flag.key,
        problem,
        flag.type,
        flag.revision,
        flag.is_client,
        flag.unit_type,
        flag.unit_attribute,
        True,
        flag.variants,
        flag.default,
    )


class _FlagReader:
    def __init__(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        self._layers = parts["layers"]
        self._holdouts = parts["holdouts"]
        self._conditions = ConditionReader(parts["audiences"])

    def read(self, key: str, written: Any, problems: list[Problem]) -> Flag | BrokenFlag:
        broken = BrokenFlag(key, Problem(key, "flag", "a flag is an object"))
        if not isinstance(written, Mapping):
            return broken
        # What can be read is read first: a broken flag still answers with its default where it has one.
        unit_type, unit_attribute = written.get("unit_type", "user"), written.get("unit_attribute")
        broken = replace(
            broken,
            revision=_integer_or_none(written.get("revision")),
            is_client=written.get("client", False) is True,
            unit_type=unit_type if isinstance(unit_type, str) else None,
            unit_attribute=unit_attribute if isinstance(unit_attribute, str) else None,
            has_unit=unit_attribute is None or isinstance(unit_attribute, str),
        )
        try:
            flag_type = written.get("type")
            if flag_type not in TYPES:
                raise BrokenError("type", f"there is no type {flag_type!r}")
            broken = replace(broken, type=flag_type)
            variants = _variants(written.get("variants"), flag_type)
            broken = replace(broken, variants=tuple(variants.values()))
            default = _known(variants, written.get("default_variant"), "default_variant")
            broken = replace(broken, default=default)
            if broken.unit_type is None or not broken.has_unit:
                raise BrokenError("unit_type", "unit_type is text, unit_attribute is text or null")
            return Flag(
                key=key,
                type=flag_type,
                revision=_optional_integer(written.get("revision"), "revision"),
                is_enabled=_boolean(written, "enabled", True),
                is_killed=_boolean(written, "killed", False),
                is_client=_boolean(written, "client", False),
                unit_type=broken.unit_type,
                unit_attribute=broken.unit_attribute,
                variants=broken.variants,
                default=default,
                prerequisites=tuple(
                    _prerequisite(item, f"prerequisites[{index}]")
                    for index, item in enumerate(_list(written, "prerequisites"))
                ),
                holdouts=tuple(
                    self._holdout(item, f"holdouts[{index}]") for index, item in enumerate(_list(written, "holdouts"))
                ),
                overrides=_assignments(written, "overrides", key, variants, problems),
                sticky=_assignments(written, "sticky", key, variants, problems),
                rules=tuple(
                    self._rule(item, f"rules[{index}]", variants) for index, item in enumerate(_list(written, "rules"))
                ),
            )
        except BrokenError as error:
            return replace(broken, problem=Problem(key, error.where, error.why))

    def _holdout(self, key: Any, where: str) -> Holdout:
        written = self._holdouts.get(key) if isinstance(key, str) else None
        if written is None:
            raise BrokenError(where, f"there is no holdout {key!r}")
        if not isinstance(written, Mapping):
            raise BrokenError(where, f"the holdout {key!r} is not an object")
        return Holdout(key, _text(written, "salt", where), _basis_points(written, "share_bp", where))

    def _rule(self, written: Any, where: str, variants: dict[str, Variant]) -> Rule:
        if not isinstance(written, Mapping):
            raise BrokenError(where, "a rule is an object")
        rule_id = written.get("id")
        if rule_id is not None and not isinstance(rule_id, str):
            raise BrokenError(f"{where}.id", "the id of a rule is text")
        when = None
        if written.get("when") is not None:
            when = self._conditions.read(written["when"], f"{where}.when")
        if ("variant" in written) == ("rollout" in written):
            raise BrokenError(where, "a rule gives a variant or a rollout")
        if "variant" in written:
            return Rule(rule_id, when, _known(variants, written["variant"], f"{where}.variant"))
        return Rule(rule_id, when, self._rollout(written["rollout"], f"{where}.rollout", variants))

    def _rollout(self, written: Any, where: str, variants: dict[str, Variant]) -> Rollout:
        if not isinstance(written, Mapping):
            raise BrokenError(where, "a rollout is an object")
        shares = []
        for index, item in enumerate(_list(written, "split", where)):
            place = f"{where}.split[{index}]"
            if not isinstance(item, Mapping):
                raise BrokenError(place, "a share is an object")
            variant = _known(variants, item.get("variant"), f"{place}.variant")
            shares.append(Share(variant, _basis_points(item, "weight_bp", place)))
        total = sum(share.weight_bp for share in shares)
        if total != BASIS_POINTS:
            raise BrokenError(f"{where}.split", f"the weights sum to {total}, not to {BASIS_POINTS}")
        if len({share.variant.name for share in shares}) < len(shares):
            raise BrokenError(f"{where}.split", "a variant stands twice in the split")
        return Rollout(
            traffic_salt=_text(written, "traffic_salt", where),
            traffic_bp=_basis_points(written, "traffic_bp", where),
            split_salt=_text(written, "split_salt", where),
            epoch=_integer(written.get("epoch"), f"{where}.epoch"),
            split=tuple(shares),
            layer=self._layer(written.get("layer"), f"{where}.layer"),
        )

    def _layer(self, written: Any, where: str) -> Layer | None:
        if written is None:
            return None
        if not isinstance(written, Mapping):
            raise BrokenError(where, "a layer is an object")
        key = written.get("key")
        layer = self._layers.get(key) if isinstance(key, str) else None
        if layer is None:
            raise BrokenError(f"{where}.key", f"there is no layer {key!r}")
        if not isinstance(layer, Mapping):
            raise BrokenError(f"{where}.key", f"the layer {key!r} is not an object")
        start, end = _basis_points(written, "from_bp", where), _basis_points(written, "to_bp", where)
        if start > end:
            raise BrokenError(where, f"from_bp {start} is above to_bp {end}")
        return Layer(str(key), _text(layer, "salt", where), start, end)


def _variants(written: Any, flag_type: str) -> dict[str, Variant]:
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


def _known(variants: Mapping[str, Variant], name: Any, where: str) -> Variant:
    variant = variants.get(name) if isinstance(name, str) else None
    if variant is None:
        raise BrokenError(where, f"there is no variant {name!r}")
    return variant


def _assignments(
    written: Mapping[str, Any], name: str, flag: str, variants: Mapping[str, Variant], problems: list[Problem]
) -> dict[str, Variant]:
    units = written.get(name)
    if units is None:
        return {}
    if not isinstance(units, Mapping):
        raise BrokenError(name, f"{name} is an object, from unit to variant")
    known: dict[str, Variant] = {}
    for unit, variant in units.items():
        if isinstance(variant, str) and variant in variants:
            known[unit] = variants[variant]
        else:
            problems.append(Problem(flag, name, f"a unit is given {variant!r}, which is no variant: ignored", False))
    return known


def _prerequisite(written: Any, where: str) -> Prerequisite:
    flag = written.get("flag") if isinstance(written, Mapping) else None
    variants = written.get("variants") if isinstance(written, Mapping) else None
    if not isinstance(flag, str) or not isinstance(variants, list | tuple):
        raise BrokenError(where, "a prerequisite has a flag and a list of variants")
    if not all(isinstance(name, str) for name in variants):
        raise BrokenError(f"{where}.variants", "a variant is named by text")
    return Prerequisite(flag, frozenset(variants))


def _list(written: Mapping[str, Any], name: str, where: str = "") -> list[Any] | tuple[Any, ...]:
    value = written.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise BrokenError(f"{where}.{name}" if where else name, f"{name} is a list")
    return value


def _text(written: Mapping[str, Any], name: str, where: str) -> str:
    value = written.get(name)
    if not isinstance(value, str):
        raise BrokenError(f"{where}.{name}", f"{name} is text")
    return value


def _boolean(written: Mapping[str, Any], name: str, default: bool) -> bool:
    value = written.get(name, default)
    if not isinstance(value, bool):
        raise BrokenError(name, f"{name} is true or false")
    return value


def _integer_or_none(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value


def _integer(value: Any, where: str) -> int:
    number = _integer_or_none(value)
    if number is None:
        raise BrokenError(where, "a whole number is needed")
    return number


def _optional_integer(value: Any, where: str) -> int | None:
    return None if value is None else _integer(value, where)


def _basis_points(written: Mapping[str, Any], name: str, where: str) -> int:
    number = _integer(written.get(name), f"{where}.{name}")
    if not 0 <= number <= BASIS_POINTS:
        raise BrokenError(f"{where}.{name}", f"{name} is from 0 to {BASIS_POINTS}")
    return number
