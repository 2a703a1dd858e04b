"""What people do with a flag: the split, the traffic, the switch; checked against the rules in words."""

import pytest

from paribus.errors import DefinitionError, InputError, NotFound
from paribus.flags import change
from paribus.flags.document import Flag


def salts():
    numbers = iter(range(100))
    return lambda: f"salt-{next(numbers)}"


def checkout(**given):
    return change.create("checkout", environment="dev", salt=salts(), **given)


def rollout(body, environment="dev"):
    return Flag.model_validate(body).environments[environment].rules[0].rollout


def shares(split):
    return {part.variant: part.weight_bp for part in split}


def test_a_new_flag_splits_everyone_equally_in_one_environment():
    body = checkout()
    assert body["default_variant"] == "control"
    assert shares(rollout(body).split) == {"control": 5000, "treatment": 5000}
    assert rollout(body).traffic_bp == 10_000
    assert list(body["environments"]) == ["dev"]


def test_traffic_and_split_have_salts_of_their_own():
    both = rollout(change.create("x", environment="dev"))
    again = rollout(change.create("x", environment="dev"))
    assert len({both.traffic_salt, both.split_salt, again.traffic_salt, again.split_salt}) == 4


@pytest.mark.parametrize(
    ("names", "control"),
    [
        (["treatment", "control"], "control"),
        (["on", "off"], "off"),
        (["A", "B"], "A"),
        (["new", "old"], "new"),  # no usual name: the first
        (["control", "a"], "control"),  # two usual names: the first
        (["b", "baseline"], "baseline"),
    ],
)
def test_the_control_is_the_only_usual_name_else_the_first(names, control):
    assert change.control_of(names) == control


@pytest.mark.parametrize(("count", "parts"), [(2, [5000, 5000]), (3, [3334, 3333, 3333]), (7, [1429] * 4 + [1428] * 3)])
def test_equal_parts_add_up(count, parts):
    assert change.equal_parts(count) == parts
    assert sum(parts) == 10_000


def test_values_decide_the_type():
    kinds = {
        "boolean": {"off": False, "on": True},
        "integer": {"few": 3, "many": 9},
        "float": {"low": 0.5, "high": 1},
        "json": {"a": {"x": 1}, "b": [1]},
        "string": {"a": "red", "b": "blue"},
    }
    for kind, values in kinds.items():
        assert Flag.model_validate(checkout(variants=values)).type == kind


def test_a_ramp_keeps_split_and_salts():
    before = rollout(checkout(traffic_bp=1000))
    after = rollout(change.ramped("checkout", checkout(traffic_bp=1000), "dev", 5000))
    assert after.traffic_bp == 5000
    assert (after.split, after.epoch, after.traffic_salt, after.split_salt) == (
        before.split,
        before.epoch,
        before.traffic_salt,
        before.split_salt,
    )


def test_a_new_split_is_for_new_units_only_and_opens_an_epoch():
    body = change.ramped("checkout", checkout(traffic_bp=1000), "dev", 2000)
    body = change.resplit("checkout", body, "dev", {"control": 2000, "treatment": 8000})
    body = change.ramped("checkout", body, "dev", 6000)
    body = change.resplit("checkout", body, "dev", {"control": 1000, "treatment": 9000})
    now = rollout(body)
    assert [(band.below_bp, band.epoch, shares(band.split)["control"]) for band in now.bands] == [
        (2000, 1, 5000),
        (6000, 2, 2000),
    ]
    assert (now.epoch, shares(now.split)["control"], now.traffic_bp) == (3, 1000, 6000)


def test_who_was_in_traffic_before_a_step_back_keeps_the_split():
    body = change.ramped("checkout", checkout(traffic_bp=5000), "dev", 1000)
    body = change.resplit("checkout", body, "dev", {"control": 2000, "treatment": 8000})
    assert [band.below_bp for band in rollout(body).bands] == [5000]


def test_before_any_traffic_a_split_is_only_replaced():
    body = change.resplit("checkout", checkout(traffic_bp=0), "dev", {"control": 1000, "treatment": 9000})
    assert (rollout(body).epoch, rollout(body).bands) == (1, [])


def test_at_full_traffic_a_split_cannot_change_and_the_way_out_is_said():
    with pytest.raises(InputError, match="every unit has been in traffic") as refused:
        change.resplit("checkout", checkout(), "dev", {"control": 1000, "treatment": 9000})
    assert "rerandomize" in refused.value.fix


def test_rerandomizing_takes_new_salts_and_begins_at_epoch_one():
    body = change.resplit("checkout", checkout(traffic_bp=100), "dev", {"control": 1000, "treatment": 9000})
    fresh = rollout(change.rerandomized("checkout", body, "dev", salt=lambda: "fresh"))
    assert (fresh.traffic_salt, fresh.split_salt, fresh.epoch, fresh.bands) == ("fresh", "fresh", 1, [])


def test_kill_and_revive_touch_nothing_else():
    body = checkout()
    killed = change.killed("checkout", body, "dev")
    assert Flag.model_validate(killed).environments["dev"].killed
    assert change.killed("checkout", killed, "dev", revive=True) == body


def test_an_environment_that_does_not_exist_is_named():
    with pytest.raises(NotFound, match="'prd'"):
        change.killed("checkout", checkout(), "prd")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights_bp": [5000, 4000]}, "does not fit"),
        ({"weights_bp": [10_000]}, "does not fit"),
        ({"default_variant": "nobody"}, "none of the variants"),
        ({"flag_type": "integer"}, "not a value of type integer"),
        ({"variants": ["a", "b c"]}, "pattern"),
    ],
)
def test_a_wrong_flag_is_refused_with_the_reason(given, said):
    with pytest.raises(DefinitionError, match=said):
        checkout(**given)


def test_a_key_is_a_name():
    with pytest.raises(DefinitionError, match="cannot be the key"):
        change.create("../etc/passwd", environment="dev")
