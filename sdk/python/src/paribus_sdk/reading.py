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
    Band,
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
from paribus_sdk.written import (
    basis_points,
    boolean,
    integer,
    integer_or_none,
    known_variant,
    listed,
    optional_integer,
    text,
    variants_of,
)


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
        integer_or_none(revision),
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
            revision=integer_or_none(written.get("revision")),
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
            variants = variants_of(written.get("variants"), flag_type)
            broken = replace(broken, variants=tuple(variants.values()))
            default = known_variant(variants, written.get("default_variant"), "default_variant")
            broken = replace(broken, default=default)
            if broken.unit_type is None or not broken.has_unit:
                raise BrokenError("unit_type", "unit_type is text, unit_attribute is text or null")
            return Flag(
                key=key,
                type=flag_type,
                revision=optional_integer(written.get("revision"), "revision"),
                is_enabled=boolean(written, "enabled", True),
                is_killed=boolean(written, "killed", False),
                is_client=boolean(written, "client", False),
                unit_type=broken.unit_type,
                unit_attribute=broken.unit_attribute,
                variants=broken.variants,
                default=default,
                prerequisites=tuple(
                    _prerequisite(item, f"prerequisites[{index}]")
                    for index, item in enumerate(listed(written, "prerequisites"))
                ),
                holdouts=tuple(
                    self._holdout(item, f"holdouts[{index}]") for index, item in enumerate(listed(written, "holdouts"))
                ),
                overrides=_assignments(written, "overrides", key, variants, problems),
                sticky=_assignments(written, "sticky", key, variants, problems),
                rules=tuple(
                    self._rule(item, f"rules[{index}]", variants) for index, item in enumerate(listed(written, "rules"))
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
        return Holdout(key, text(written, "salt", where), basis_points(written, "share_bp", where))

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
            return Rule(rule_id, when, known_variant(variants, written["variant"], f"{where}.variant"))
        return Rule(rule_id, when, self._rollout(written["rollout"], f"{where}.rollout", variants))

    def _rollout(self, written: Any, where: str, variants: dict[str, Variant]) -> Rollout:
        if not isinstance(written, Mapping):
            raise BrokenError(where, "a rollout is an object")
        earlier = listed(written, "bands", where) if written.get("bands") is not None else ()
        bands: list[Band] = []
        for index, item in enumerate(earlier):
            place = f"{where}.bands[{index}]"
            if not isinstance(item, Mapping):
                raise BrokenError(place, "a band is an object")
            below = basis_points(item, "below_bp", place)
            if below <= (bands[-1].below_bp if bands else 0):
                raise BrokenError(f"{place}.below_bp", "each band ends above the one before")
            bands.append(_band(item, below, place, variants))
        bands.append(_band(written, BASIS_POINTS, where, variants))
        return Rollout(
            traffic_salt=text(written, "traffic_salt", where),
            traffic_bp=basis_points(written, "traffic_bp", where),
            split_salt=text(written, "split_salt", where),
            bands=tuple(bands),
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
        start, end = basis_points(written, "from_bp", where), basis_points(written, "to_bp", where)
        if start > end:
            raise BrokenError(where, f"from_bp {start} is above to_bp {end}")
        return Layer(str(key), text(layer, "salt", where), start, end)


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


def _band(written: Mapping[str, Any], below_bp: int, where: str, variants: dict[str, Variant]) -> Band:
    shares = []
    for index, item in enumerate(listed(written, "split", where)):
        place = f"{where}.split[{index}]"
        if not isinstance(item, Mapping):
            raise BrokenError(place, "a share is an object")
        variant = known_variant(variants, item.get("variant"), f"{place}.variant")
        shares.append(Share(variant, basis_points(item, "weight_bp", place)))
    total = sum(share.weight_bp for share in shares)
    if total != BASIS_POINTS:
        raise BrokenError(f"{where}.split", f"the weights sum to {total}, not to {BASIS_POINTS}")
    if len({share.variant.name for share in shares}) < len(shares):
        raise BrokenError(f"{where}.split", "a variant stands twice in the split")
    return Band(below_bp, integer(written.get("epoch"), f"{where}.epoch"), tuple(shares))
