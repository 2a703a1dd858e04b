"""What a feature left in its data folder, in a form that two folders can be compared in."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.features import environment_of
from tests.chaos.installation import ROOT

from paribus.app.feature import workshop
from paribus.app.simulation import Simulation
from paribus.governance.access import list_keys
from paribus.lake.rows import ask
from paribus.monitoring.alert import ALERTS
from paribus.rollout.record import ENTERED
from paribus.store import DEFAULT_PROJECT
from paribus.workflow.roles.use import USES
from paribus.workflow.validation.planting import LABEL
from paribus.workflow.validation.staging import STAGING

Json = dict[str, Any]
MEASURED = ("kill_seconds", "revive_seconds", "slowest_kill_seconds", "p50_ms", "p99_ms")
"""Facts that a stopwatch gave."""
OF_THE_FOLDER = ("result",)
"""Facts of the analysis that name the folder, the lake's version and hashes of every digit; the rest says the same."""
RELATIVE = 1e-6
"""Sums of floating-point numbers depend on their order in the last digits; p-values some digits more."""


@dataclass(frozen=True)
class Left:
    """Everything that a feature wrote.

    states      of each step
    facts       of each artifact, without what a stopwatch gave
    checks      of each artifact: name and status
    revisions   kind, key, number, reason and author of every revision, in their order
    moves       place, time and revision of each stage that was entered
    alerts      what fired, for which arm
    planted     id and how many rows in the lake, of the events that validation planted
    open_keys   source labels of staging keys that nobody took back
    questions   digests of what a model was asked, by step
    reconciled  of the whole lake
    """

    states: dict[str, str]
    facts: dict[str, Json]
    checks: dict[str, list[tuple[str, str]]]
    revisions: list[tuple[str, str, int, str, str]]
    moves: list[tuple[int, str, int]]
    alerts: list[tuple[str, str]]
    planted: dict[str, int]
    open_keys: list[str]
    questions: Counter[str]
    reconciled: Json


def left_by(simulation: Simulation) -> Left:
    """What stands in the shop's data folder.

    Raises:
        AssertionError: a history has a gap, or the chain of revisions is broken.
    """
    key = simulation.scenario.feature.key
    with workshop(simulation.settings, create=False) as shop:
        store = shop.operations.store
        artifacts = shop.dossier.artifacts(key)
        revisions = store.changes(DEFAULT_PROJECT, 0, 10_000)
        assert [each.sequence for each in revisions] == list(range(1, len(revisions) + 1))
        seen: Counter[tuple[str, str]] = Counter()
        for each in revisions:
            seen[each.address.kind, each.address.key] += 1
            assert each.number == seen[each.address.kind, each.address.key], each.address
        reader = shop.operations.lake()
        assert reader is not None
        planted = ask(
            reader,
            "SELECT event_id FROM {events} WHERE environment = $environment AND source LIKE '%:' || $label",
            columns=("event_id", "environment", "source"),
            values={"environment": STAGING, "label": LABEL},
        )
        found = Left(
            {each["step"]: each["state"] for each in shop.show(key)["steps"]},
            {slug: _without_stopwatch(artifact.facts) for slug, artifact in artifacts.items()},
            {slug: [(each.name, each.status) for each in artifact.checks] for slug, artifact in artifacts.items()},
            [(each.address.kind, each.address.key, each.number, each.reason, each.author) for each in revisions],
            [(each.place, each.time, each.revision) for each in store.records(ENTERED).scan(DEFAULT_PROJECT, key)],
            [(each.what, each.arm) for each in store.records(ALERTS).scan(DEFAULT_PROJECT, key)],
            dict(Counter(row["event_id"] for row in planted)),
            [each.source for each in list_keys(store) if each.environment == STAGING and each.revoked_time is None],
            Counter(f"{each.step} {each.digest}" for each in store.records(USES).scan(key)),
            dict(shop.operations.reconcile()),
        )
    verified = subprocess.run(
        [sys.executable, "-m", "paribus.cli", "audit", "verify", "--data", str(simulation.settings.data)],
        cwd=ROOT,
        env=environment_of(simulation),
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return found


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two values differ by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if name not in one or name not in other:
                yield f"{path}/{name} is in one only"
            else:
                yield from differences(one[name], other[name], f"{path}/{name}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            yield f"{path}: {len(one)} and {len(other)} values"
        for index, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from differences(left, right, f"{path}/{index}")
    elif isinstance(one, float) and isinstance(other, float):
        if not math.isclose(one, other, rel_tol=RELATIVE, abs_tol=1e-12):
            yield f"{path}: {one!r} and {other!r}"
    elif one != other:
        yield f"{path}: {one!r} and {other!r}"


def _without_stopwatch(facts: Any) -> Any:
    if isinstance(facts, dict):
        return {
            name: _without_stopwatch(value) for name, value in facts.items() if name not in MEASURED + OF_THE_FOLDER
        }
    return [_without_stopwatch(each) for each in facts] if isinstance(facts, list | tuple) else facts
