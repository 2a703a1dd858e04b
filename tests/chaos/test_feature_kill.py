"""The process that makes a feature's steps is killed in every one of them: the dossier is that of an undisturbed run.

python -m tests.chaos.test_feature_kill 2 --seed 7      # prints a report
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.dossiers import Left, differences, left_by
from tests.chaos.features import Kill, Moment, lived, moments, scenario, serving, twin, walk
from tests.workflow.test_model_seat import answering

from paribus.workflow.step import STEPS

SLUGS = tuple(step.slug for step in STEPS)
FEW: dict[tuple[str, int], list[Moment]] = {
    ("design", 0): [("experiment", 1)],
    ("validate", 1): [1.5],  # it waits in its first run
    ("setup", 0): [("flag", 2), ("flag", 5)],
    ("rollout", 0): [("flag", 8)],
    ("rollout", 1): [("flag", 9)],
}
"""Between an effect and its record: the experiment is written and not sealed, the flag killed or revived in its
rehearsal, traffic moved; and while events are planted."""
EARLY: dict[tuple[str, int], list[Moment]] = {
    **{(slug, 0): [0.1] for slug in SLUGS},
    ("hypothesize", 0): [0.0],  # these take hundredths of a second
    ("architect", 0): [0.0],
    ("instrument", 0): [0.0],
    ("frontend", 0): [0.0],
    ("model", 0): [0.0],
    ("validate", 0): [],
    ("validate", 1): [1.0],
    ("setup", 0): [("flag", 5)],
    ("rollout", 0): [("flag", 8)],
}
"""One kill in every step; where a step writes definitions, between two of them."""
APPROVED = ("design", "setup", "impact")
REHEARSED = ["rehearsal of the kill switch: kill", "rehearsal of the kill switch: revive"] * 3


@dataclass
class Report:
    """Which kills fell where, what is left, and what a model was asked beyond once."""

    kills: list[Kill]
    inside: int
    runs: int
    revisions: int
    planted: int
    asked_again: int
    seconds: float


def attack(folder: Path, number: int, seed: int, *, store_url: str = "") -> Report:
    """Kills every step so many times, and compares with a run that nobody disturbed.

    Raises:
        AssertionError: something was doubled, lost, or became something else.
    """
    began = time.monotonic()
    with _model() as (url, asked):
        made = scenario(implementation={"model": True}, model={"url": url, "name": "stub", "timeout_seconds": 10})
        history = lived(folder / "history", made, seed)
        with serving(twin(history, folder / "plain")) as plain:
            undisturbed = walk(plain)
        questions = len(asked)
        kills = moments(undisturbed.seconds, SLUGS, number, seed)
        other = lived(folder / "other", made, seed, store_url=store_url) if store_url else None
        with serving(other or twin(history, folder / "killed")) as killed:
            disturbed = walk(killed, kills)
        again = len(asked) - 2 * questions
    expected, found = left_by(plain), left_by(killed)
    assert undisturbed.stops[-1]["kind"] == disturbed.stops[-1]["kind"] == "done"
    assert len(disturbed.kills) == number * len(SLUGS)
    assert set(found.states) == set(SLUGS)
    assert set(found.states.values()) == {"done"}
    assert sorted(expected.questions.values()) == [1] * questions
    assert again <= sum(kill.during == "hypothesize" for kill in disturbed.kills)  # an answer that nobody got
    compare(expected, found)
    inside = sum(kill.step == kill.during for kill in disturbed.kills)
    assert inside > number * len(SLUGS) / 3
    return Report(
        disturbed.kills,
        inside,
        disturbed.runs,
        len(found.revisions),
        len(found.planted),
        again,
        round(time.monotonic() - began, 1),
    )


def compare(expected: Left, found: Left) -> None:
    """The same dossier, and every effect as often."""
    assert list(differences(expected.facts, found.facts)) == []
    assert found.checks == expected.checks
    assert found.revisions == expected.revisions
    assert found.moves == expected.moves
    assert found.planted == expected.planted
    assert found.alerts == expected.alerts
    assert found.questions == expected.questions
    for left in (expected, found):
        examine(left)


def examine(left: Left) -> None:
    """Every effect once, by what a feature writes down."""
    numbers: dict[str, list[tuple[int, str, str]]] = {}
    for kind, key, number, reason, _ in left.revisions:
        numbers.setdefault(kind, []).append((number, key.rpartition(".")[2], reason))
    assert [(number, slug) for number, slug, _ in numbers["artifact"]] == [(1, slug) for slug in left.facts]
    assert [(number, slug) for number, slug, _ in numbers["approval"]] == [
        (1, slug) for slug in APPROVED if slug in left.facts
    ]
    reasons = [reason for *_, reason in numbers["flag"]]
    assert reasons[0].endswith("draft")
    assert reasons[1 : 1 + len(REHEARSED)] == REHEARSED
    moves = numbers["flag"][1 + len(REHEARSED) :]
    assert len(moves) >= 2
    assert all(reason.startswith("stage ") for *_, reason in moves)
    assert [revision for *_, revision in left.moves] == [number for number, *_ in moves]
    planted = left.facts["validate"]["planted"]
    sent = sum(each["sent"] for each in planted)
    assert len(left.planted) >= sent == sum(each["stored"] for each in planted)
    assert set(left.planted.values()) == {1}
    assert left.open_keys == ["main"]  # the product's own; those of a killed step are taken back when it runs again
    assert left.reconciled["adds_up"]
    assert sum(each["missing"] + each["unexplained_rows"] for each in left.reconciled["dialects"]) == 0
    assert len(left.alerts) == len(set(left.alerts))


def test_after_a_kill_in_every_step_every_effect_stands_once(tmp_path: Path) -> None:
    made = scenario(500, minimum_detectable_effect=0.8)
    with serving(lived(tmp_path / "shop", made, 7)) as shop:
        disturbed = walk(shop, EARLY)
    assert disturbed.stops[-1]["kind"] == "done"
    assert sorted(kill.step for kill in disturbed.kills) == sorted(SLUGS)
    assert sum(kill.step == kill.during for kill in disturbed.kills) >= 12, disturbed.kills
    left = left_by(shop)
    assert set(left.states.values()) == {"done"}
    examine(left)


@pytest.mark.slow
def test_kills_in_four_steps(tmp_path: Path) -> None:
    """In design, validate, setup and rollout, up to the first hold with traffic."""
    with serving(lived(tmp_path / "shop", scenario(), 7)) as shop:
        disturbed = walk(shop, FEW, waits=2)
    assert [kill.step for kill in disturbed.kills] == [step for (step, _), moments_ in FEW.items() for _ in moments_]
    assert all(kill.step == kill.during for kill in disturbed.kills), disturbed.kills
    examine(left_by(shop))


@pytest.mark.slow
def test_a_kill_in_every_step(tmp_path: Path) -> None:
    report = attack(tmp_path, 1, seed=7)
    assert len(report.kills) == 16


@pytest.mark.slow
def test_two_kills_in_every_step(tmp_path: Path) -> None:
    report = attack(tmp_path, 2, seed=11)
    assert len(report.kills) == 32


@pytest.mark.slow
def test_two_kills_in_every_step_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    """The other folder's definitions are in SQLite: the same dossier."""
    report = attack(tmp_path, 2, seed=12, store_url=postgres_url)
    assert len(report.kills) == 32


def _model() -> AbstractContextManager[tuple[str, list[Any]]]:
    """A model that proposes one change for the first bottleneck that it is told of."""

    def say(body: dict[str, Any]) -> tuple[int, str]:
        told = re.search(r"bottleneck_\d+", json.dumps(body["messages"]))
        assert told is not None
        idea = {"change": "keep the address from the last order", "bottleneck": told[0]}
        return 200, json.dumps({"candidates": [idea]})

    return answering(say)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kills", type=int, nargs="?", default=1, help="in each step")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asdict(attack(Path(folder), options.kills, options.seed)), indent=2))


if __name__ == "__main__":
    main()
