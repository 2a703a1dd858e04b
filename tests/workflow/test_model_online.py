"""The quality of served scores by arm, from exposures, scores and late labels in a lake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.workflow.launched import KEY, Scene, launched

from paribus.errors import InputError
from paribus.workflow.modelling.online import online_quality

UNITS = 300
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, dict[str, list[tuple[float, int]]]]]:
    """Units scored on the first day and ordering within a day, three days later, or never; and what is true of them."""
    chance = random.Random(3)
    truth: dict[str, list[tuple[float, int]]] = {}
    orders: dict[str, int] = {}
    with launched(tmp_path_factory.mktemp("online")) as scene:
        with scene.client("staging") as client:
            for number in range(UNITS):
                unit = f"u{number}"
                arm = str(client.decide(KEY, unit=unit, context={"device": "mobile", "returning": True}).variant)
                score = chance.random()
                client.track("model_scored", unit, properties={"score": score, "served_by": "m", "fallback": False})
                client.track("model_scored", unit, properties={"score": 1 - score})  # only the first one counts
                informed = score if arm == "treatment" else 0.5  # control's scores say nothing
                orders[unit] = chance.choice([1, 3]) if chance.random() < informed else 0
                truth.setdefault(arm, []).append((score, int(orders[unit] == 1)))
            assert client.flush(30)
        for day in (1, 2, 3):
            scene.pass_time(hours=23 if day == 1 else 24)
            with scene.client("staging") as client:
                for unit, after in orders.items():
                    if after == day:
                        client.track("order_completed", unit, properties={"revenue": 1.0, "items": 1})
                client.track("model_scored", f"young-{day}", properties={"score": 0.5})
                assert client.flush(30)
        scene.settle()
        yield scene, truth


def auc(pairs: list[tuple[float, int]]) -> float:
    """By its definition: the share of pairs of a positive and a negative in the right order."""
    positive, negative = ([score for score, label in pairs if label is wanted] for wanted in (1, 0))
    return sum((a > b) + (a == b) / 2 for a in positive for b in negative) / (len(positive) * len(negative))


def test_scores_are_judged_by_arm_by_labels_within_the_horizon(
    played: tuple[Scene, dict[str, list[tuple[float, int]]]],
) -> None:
    scene, truth = played
    found = online_quality(
        scene.live.lake, KEY, "order_completed", horizon=DAY, until=scene.clock(), environment="staging"
    )
    assert set(found) == set(truth) == {"control", "treatment"}
    for arm, pairs in truth.items():
        assert found[arm].rows == len(pairs)
        assert found[arm].positives == sum(label for _, label in pairs)
        assert found[arm].auc == pytest.approx(auc(pairs))
        assert found[arm].brier == pytest.approx(sum((score - label) ** 2 for score, label in pairs) / len(pairs))
    assert found["treatment"].auc_low > 0.5 > found["control"].auc_low


def test_scores_whose_labels_may_still_come_are_left_out(
    played: tuple[Scene, dict[str, list[tuple[float, int]]]],
) -> None:
    scene, _ = played
    until = scene.clock()
    found = online_quality(
        scene.live.lake, KEY, "order_completed", horizon=30 * DAY, until=until, environment="staging"
    )
    assert found == {}
    with pytest.raises(InputError, match="cannot be judged"):
        online_quality(scene.live.lake, KEY, "never_sent", horizon=DAY, until=until, environment="staging")


def test_the_generated_script_says_the_same(tmp_path: Path) -> None:
    from paribus.workflow.code.rendering import render

    text = render("model/quality.py.j2", {"flag": KEY, "label": "order_completed"})
    compile(text, "quality.py", "exec")
    assert f'FLAG = "{KEY}"' in text
