"""The durable worker: one at a time, and none is left over when its database does not open."""

from __future__ import annotations

from pathlib import Path

import pytest

from paribus.clock import system_clock
from paribus.errors import StorageError
from paribus.store import open_store
from paribus.workflow.context import Context, Feature
from paribus.workflow.dossier import Dossier
from paribus.workflow.durable import Worker
from paribus.workflow.step import Step


def never(feature: Feature, step: Step) -> Context:
    raise AssertionError(f"{step.slug} of {feature.key} was to be made")


def test_a_worker_that_cannot_open_its_database_leaves_room_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "damaged.sqlite").write_text("no database " * 100)
    store = open_store(tmp_path / "definitions.sqlite", clock=system_clock)
    dossier = Dossier(store)
    with (
        pytest.raises(StorageError, match=r"cannot be opened.*not a database"),
        Worker(f"sqlite:///{tmp_path / 'damaged.sqlite'}", dossier, never),
    ):
        raise AssertionError("it opened")
    with (
        Worker(f"sqlite:///{tmp_path / 'runs.sqlite'}", dossier, never),
        pytest.raises(RuntimeError, match="one worker"),
        Worker(f"sqlite:///{tmp_path / 'runs.sqlite'}", dossier, never),
    ):
        raise AssertionError("it opened")
    store.close()
