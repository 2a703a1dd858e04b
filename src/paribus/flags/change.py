"""What people do with a flag, as pure functions from one body to the next; whoever calls them writes the revision."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paribus.errors import DefinitionError, InputError, NotFound, did_you_mean
from paribus.flags.document import WHOLE, Environment, Flag, Rollout, Rule, check

Body = dict[str, Any]
SaltMaker = Callable[[], str]
NAMES_OF_CONTROL = ("control", "ctrl", "baseline", "a", "0", "off", "false")


def random_salt() -> str:
    """64 random bits as text."""
    return secrets.token_hex(8)


def create(
    key: str,
    *,
    environment: str,
    variants: Sequence[str] | Mapping[str, Any] = ("control", "treatment"),
    weights_bp: Sequence[int] | None = None,
    traffic_bp: int = WHOLE,
    default_variant: str | None = None,
    flag_type: str | None = None,
    unit_type: str = "user",
    description: str = "",
    owner: str = "",
    salt: SaltMaker = random_salt,
) -> Body:
    """A new flag that splits everyone in one environment and is off in all others.

    Args:
        key: its name, never changed silently: `renamed` keeps the salts.
        environment: where the split applies.
        variants: names (their values are the names themselves), or names with values.
        weights_bp: basis points in the order of the variants; equal parts without it.
        traffic_bp: how many units take part.
        default_variant: without it the only one named control, ctrl, baseline, a, 0, off or false, else the first.
        flag_type: guessed from the values without it.

    Raises:
        DefinitionError: the document would be wrong.
    """
    values = dict(variants) if isinstance(variants, Mapping) else {name: name for name in variants}
    names = list(values)
    rollout = {
        "traffic_salt": salt(),
        "split_salt": salt(),
        "traffic_bp": traffic_bp,
        "reached_bp": traffic_bp,
        "split": _weights(names, equal_parts(len(names)) if weights_bp is None else weights_bp, key),
    }
    flag = _build(
        key,
        type=flag_type or _type_of(list(values.values())),
        description=description,
        owner=owner,
        unit_type=unit_type,
        variants=[{"name": name, "value": value} for name, value in values.items()],
        default_variant=default_variant or control_of(names),
        environments={environment: {"rules": [{"id": "everyone", "rollout": rollout}]}},
    )
    return check("flag", key, flag)


def killed(key: str, body: Body, environment: str, *, revive: bool = False) -> Body:
    """Everyone gets the default variant from the next evaluation on; `revive` undoes it."""
    return _in_environment(key, body, environment, lambda state: state.model_copy(update={"killed": not revive}))


def enabled(key: str, body: Body, environment: str, *, on: bool) -> Body:
    """The flag's switch in one environment."""
    return _in_environment(key, body, environment, lambda state: state.model_copy(update={"enabled": on}))


def ramped(key: str, body: Body, environment: str, traffic_bp: int, rule: str | None = None) -> Body:
    """Another share of traffic; the split stays as it is, so that no unit changes its variant.

    Raises:
        InputError: the share is outside 0 to 100%.
    """
    if not 0 <= traffic_bp <= WHOLE:
        raise InputError(f"{traffic_bp / 100:g}% is no share of traffic", where=f"flag {key}", rule="0% to 100%")

    def widen(rollout: Rollout) -> Rollout:
        return rollout.model_copy(
            update={"traffic_bp": traffic_bp, "reached_bp": max(rollout.reached_bp, traffic_bp, rollout.traffic_bp)}
        )

    return _in_rollout(key, body, environment, rule, widen)


def resplit(key: str, body: Body, environment: str, weights_bp: Mapping[str, int], rule: str | None = None) -> Body:
    """Another split for units that were never in traffic; the others keep theirs. Opens an epoch.

    Raises:
        InputError: every unit has been in traffic already, so that nobody new is left.
    """

    def split_anew(rollout: Rollout) -> Rollout:
        reached = max(rollout.reached_bp, rollout.traffic_bp)
        split = _weights(list(weights_bp), list(weights_bp.values()), key)
        if reached == 0:
            return Rollout.model_validate(rollout.model_dump() | {"split": split})
        if reached == WHOLE:
            raise InputError(
                "the split cannot change: every unit has been in traffic already",
                where=f"flag {key}, {environment}",
                rule="a split change applies to new units only; who was in traffic keeps the variant",
                fix="start a new experiment with a new salt: paribus flag rerandomize " + key,
            )
        band = {"below_bp": reached, "epoch": rollout.epoch, "split": [part.model_dump() for part in rollout.split]}
        bands = [*(each.model_dump() for each in rollout.bands), band]
        return Rollout.model_validate(
            rollout.model_dump() | {"bands": bands, "epoch": rollout.epoch + 1, "split": split}
        )

    return _in_rollout(key, body, environment, rule, split_anew)


def rerandomized(
    key: str, body: Body, environment: str, rule: str | None = None, *, salt: SaltMaker = random_salt
) -> Body:
    """New salts: every unit is assigned afresh, which is a new experiment."""

    def afresh(rollout: Rollout) -> Rollout:
        return rollout.model_copy(
            update={
                "traffic_salt": salt(),
                "split_salt": salt(),
                "epoch": 1,
                "bands": [],
                "reached_bp": rollout.traffic_bp,
            }
        )

    return _in_rollout(key, body, environment, rule, afresh)


def archived(key: str, body: Body) -> Body:
    """No longer delivered; callers get their own default. History stays."""
    return check("flag", key, body | {"archived": True})


def rollout_of(key: str, body: Body, environment: str, rule: str | None = None) -> tuple[Rule, Rollout]:
    """The rule that randomizes, and its rollout: the one named, or the only one there is.

    Raises:
        NotFound: no such environment or rule.
        InputError: several rules randomize and none was named.
    """
    state = _state(key, Flag.model_validate(body), environment)
    where = f"flag {key}, {environment}"
    found = [(each, each.rollout) for each in state.rules if each.rollout is not None and rule in (None, each.id)]
    if not found:
        known = [each.id for each in state.rules if each.rollout is not None]
        wanted = f"no rule {rule!r} that splits" if rule else "no rule that splits"
        raise NotFound(f"there is {wanted}", where=where, fix=did_you_mean(rule or "", known) if known else None)
    if len(found) > 1:
        raise InputError(
            "several rules split their units", where=where, fix="name one: --rule " + " | ".join(r.id for r, _ in found)
        )
    return found[0]


def control_of(names: Sequence[str]) -> str:
    """The control among variants: the only one with a control's usual name, else the first."""
    usual = [name for name in names if name.lower() in NAMES_OF_CONTROL]
    return usual[0] if len(usual) == 1 else names[0]


def equal_parts(count: int) -> list[int]:
    """10,000 basis points in equal parts; the first ones take what does not divide."""
    part, rest = divmod(WHOLE, count)
    return [part + (index < rest) for index in range(count)]


def _build(key: str, **fields: Any) -> Body:
    return check("flag", key, {name: value for name, value in fields.items() if value not in ("", None)})


def _weights(names: Sequence[str], weights_bp: Sequence[int], key: str) -> list[Body]:
    if len(names) != len(weights_bp) or sum(weights_bp) != WHOLE or min(weights_bp) < 0:
        shown = "/".join(f"{weight / 100:g}" for weight in weights_bp)
        raise DefinitionError(
            f"the split {shown} does not fit the variants {', '.join(names)}",
            where=f"flag {key}",
            rule="one share per variant, in their order, adding up to 100%",
            fix="--split " + "/".join(f"{part / 100:g}" for part in equal_parts(len(names))),
        )
    return [{"variant": name, "weight_bp": weight} for name, weight in zip(names, weights_bp, strict=True)]


def _type_of(values: Sequence[Any]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return "integer"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "float"
    return "string" if all(isinstance(value, str) for value in values) else "json"


def _state(key: str, flag: Flag, environment: str) -> Environment:
    if environment not in flag.environments:
        raise NotFound(
            f"the flag has no environment {environment!r}",
            where=f"flag {key}",
            fix=did_you_mean(environment, flag.environments),
        )
    return flag.environments[environment]


def _in_environment(key: str, body: Body, environment: str, change: Callable[[Environment], Environment]) -> Body:
    flag = Flag.model_validate(body)
    changed = change(_state(key, flag, environment))
    environments = {**flag.environments, environment: changed}
    return check("flag", key, flag.model_copy(update={"environments": environments}).model_dump(exclude_defaults=True))


def _in_rollout(key: str, body: Body, environment: str, rule: str | None, change: Callable[[Rollout], Rollout]) -> Body:
    chosen, rollout = rollout_of(key, body, environment, rule)
    changed = chosen.model_copy(update={"rollout": change(rollout)})

    def in_state(state: Environment) -> Environment:
        rules = [changed if each.id == chosen.id else each for each in state.rules]
        return state.model_copy(update={"rules": rules})

    return _in_environment(key, body, environment, in_state)
