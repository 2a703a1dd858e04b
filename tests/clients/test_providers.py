"""One flag, written for four providers, each read by the provider's own SDK and asked for 10,000 users."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from paribus_sdk.evaluator import Evaluator
from tests.clients.deciders import SDKS, Answer, Json

from paribus.flags.document import check
from paribus.flags.providers import Written, write
from paribus.flags.snapshot import build

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("providers")]

KEY = "one-click-checkout"
USERS = 10_000
STANDARD_ERRORS = 4.5  # one false alarm in 150,000 shares
RETURNING = {"all": [
    {"attribute": "device", "op": "equals", "value": "mobile"},
    {"attribute": "returning", "op": "equals", "value": True},
]}  # fmt: skip
READ = [{"any": [{"attribute": name, "op": "exists", "value": known} for known in (True, False)]}
        for name in ("country", "device")]  # fmt: skip
"""What step 4 adds, so that exposures carry these attributes: it always holds."""
CONDITIONS: dict[str, Json] = {
    "audience": {"all": [{"audience": "returning-mobile"}, *READ]},
    "list": {"attribute": "country", "op": "in", "value": ["NO", "DE"]},
    "not in": {"attribute": "country", "op": "not_in", "value": ["US"]},
    "not equal": {"attribute": "returning", "op": "not_equals", "value": True},
    "at least": {"attribute": "age", "op": "at_least", "value": 40},
    "less than": {"attribute": "age", "op": "less_than", "value": 30},
    "number": {"attribute": "age", "op": "equals", "value": 33},
    "either": {"any": [{"attribute": "country", "op": "equals", "value": "NO"},
                       {"attribute": "age", "op": "greater_than", "value": 60}]},
    "neither": {"not": {"any": [{"attribute": "country", "op": "equals", "value": "NO"},
                                {"attribute": "age", "op": "greater_than", "value": 60}]}},
    "known": {"attribute": "age", "op": "exists", "value": True},
    "contains": {"attribute": "plan", "op": "contains", "value": "pro"},
}  # fmt: skip


def flag_of(
    *,
    kind: str = "boolean",
    values: dict[str, Any] | None = None,
    when: Json | None = None,
    traffic_bp: int = 10_000,
    split: dict[str, int] | None = None,
    variant: str = "",
    **state: Any,
) -> Json:
    values = values or {"control": False, "treatment": True}
    split = split or {"control": 5000, "treatment": 5000}
    rule: Json = {"id": "experiment"} | ({"when": when} if when else {})
    if variant:
        rule["variant"] = variant
    else:
        rule["rollout"] = {
            "traffic_salt": "fa824e3acacd29ef",
            "split_salt": "3cdc802765a5d883",
            "traffic_bp": traffic_bp,
            "split": [{"variant": name, "weight_bp": weight} for name, weight in split.items()],
        }
    return check(
        "flag",
        KEY,
        {
            "type": kind,
            "variants": [{"name": name, "value": value} for name, value in values.items()],
            "default_variant": "control",
            "environments": {"production": {"rules": [rule], **state}},
        },
    )


AUDIENCES: Json = {"returning-mobile": {"when": RETURNING}}


def people(number: int = USERS) -> list[tuple[str, Json]]:
    """Users with attributes, each of them unknown for some."""
    chance = random.Random(7)
    found = []
    for place in range(number):
        whole = {
            "device": chance.choice(["mobile", "desktop"]),
            "country": chance.choice(["NO", "DE", "US", "GB"]),
            "returning": chance.random() < 0.4,
            "age": chance.randrange(18, 80),
            "plan": chance.choice(["free", "pro", "pro-plus", "team"]),
        }
        found.append((f"u{place:06d}", {name: value for name, value in whole.items() if chance.random() < 0.9}))
    return found


PEOPLE = people()


def of_ours(flag: Json, users: list[tuple[str, Json]]) -> list[Answer]:
    """What the SDK of Paribus decides."""
    snapshot = build(
        project="default",
        environment="production",
        revision=1,
        flags={KEY: (1, flag)},
        audiences={key: (1, body) for key, body in AUDIENCES.items()},
        layers={},
        holdouts={},
    )
    evaluator = Evaluator(snapshot)
    decisions = [evaluator.evaluate(KEY, unit, attributes) for unit, attributes in users]
    return [(each.variant, each.value) for each in decisions]


Asked = tuple[Written, list[Answer]]
Ask = Callable[..., Asked]


@pytest.fixture(params=sorted(SDKS))
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Asks one provider's SDK about users; where it gives no variant, the caller's default is the flag's."""

    def asking(flag: Json, users: list[tuple[str, Json]] = PEOPLE) -> Asked:
        written = write(request.param, KEY, flag, "production", AUDIENCES)
        default = next(each for each in flag["variants"] if each["name"] == flag["default_variant"])
        with SDKS[request.param](written, KEY, flag, tmp_path) as decide:
            answers = [decide(unit, attributes) for unit, attributes in users]
        return written, [one if one[0] is not None else (default["name"], default["value"]) for one in answers]

    return asking


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_targeting_agrees_for_every_user(ask: Ask, name: str) -> None:
    flag = flag_of(when=CONDITIONS[name], variant="treatment")
    users = PEOPLE if name == "audience" else PEOPLE[:2000]
    written, theirs = ask(flag, users)
    left_out = [each for each in written.differences if "is left out" in each]
    assert not left_out, left_out
    ours = of_ours(flag, users)
    differ = [(user, a, b) for user, a, b in zip(users, ours, theirs, strict=True) if a != b]
    assert differ == []
    assert {variant for variant, _ in ours} == {"control", "treatment"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("boolean", {"control": False, "treatment": True}),
        ("string", {"control": "as before", "treatment": "one click", "third": "ä \"quoted\""}),
        ("integer", {"control": 0, "treatment": 7}),
        ("float", {"control": 0.25, "treatment": 1e-3}),
        ("json", {"control": {"steps": [1, 2]}, "treatment": {"steps": [], "note": None}}),
    ],
)  # fmt: skip
def test_values_come_back_typed(ask: Ask, kind: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        [answer] = ask(flag_of(kind=kind, values=values, variant=name), PEOPLE[:1])[1]
        assert answer == (name, value)
        assert type(answer[1]) is type(value)


def test_the_same_flag_assigns_10_000_users_and_what_differs_is_explained(ask: Ask) -> None:
    flag = flag_of(when=CONDITIONS["audience"])
    written, theirs = ask(flag)
    ours = of_ours(flag, PEOPLE)
    fixed = of_ours(flag_of(when=CONDITIONS["audience"], variant="treatment"), PEOPLE)
    inside = {unit for (unit, _), (variant, _) in zip(PEOPLE, fixed, strict=True) if variant == "treatment"}
    differ = [unit for (unit, _), a, b in zip(PEOPLE, ours, theirs, strict=True) if a != b]
    assert set(differ) <= inside, "only who is randomized may differ"
    assert len(inside) > 1500
    error = sqrt(0.25 / len(inside))
    assert abs(len(differ) / len(inside) - 0.5) < STANDARD_ERRORS * error, "two unrelated hashes agree on half"
    assert "units are assigned anew" in written.differences[0]
    shares(theirs, PEOPLE, inside, {"treatment": 0.5})


def shares(answers: list[Answer], users: list[tuple[str, Json]], inside: set[str], wanted: dict[str, float]) -> None:
    """The shares among those who take part lie within the binomial's limits."""
    counts = Counter(variant for (unit, _), (variant, _) in zip(users, answers, strict=True) if unit in inside)
    for name, share in wanted.items():
        error = sqrt(share * (1 - share) / len(inside))
        assert abs(counts[name] / len(inside) - share) < STANDARD_ERRORS * error, (name, counts, share)


def test_uneven_shares_and_part_of_the_traffic(ask: Ask) -> None:
    values = {"control": "a", "treatment": "b", "third": "c"}
    split = {"control": 3400, "treatment": 3300, "third": 3300}
    _, theirs = ask(flag_of(kind="string", values=values, traffic_bp=4000, split=split))
    everyone = {unit for unit, _ in PEOPLE}
    shares(theirs, PEOPLE, everyone, {"control": 0.6 + 0.4 * 0.34, "treatment": 0.4 * 0.33, "third": 0.4 * 0.33})


def test_widening_traffic_moves_nobody(ask: Ask) -> None:
    _, at_20 = ask(flag_of(traffic_bp=2000))
    _, at_60 = ask(flag_of(traffic_bp=6000))
    treated = [(a, b) for (a, _), (b, _) in zip(at_20, at_60, strict=True) if a == "treatment"]
    assert 800 < len(treated) < 1200
    assert {b for _, b in treated} == {"treatment"}


@pytest.mark.parametrize("state", [{"killed": True}, {"enabled": False}])
def test_switched_off_everybody_gets_the_default(ask: Ask, state: Json) -> None:
    _, theirs = ask(flag_of(**state), PEOPLE[:200])
    assert set(theirs) == {("control", False)}


def test_a_draft_of_step_4_serves_nobody(ask: Ask) -> None:
    _, theirs = ask(flag_of(when=CONDITIONS["audience"], traffic_bp=0), PEOPLE[:2000])
    assert set(theirs) == {("control", False)}
