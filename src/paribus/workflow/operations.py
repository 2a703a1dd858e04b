"""What steps may do with an installation; `paribus.app` gives it, so that the workflow stays below the doors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from paribus.clock import Clock
    from paribus.experiments.document import Document
    from paribus.experiments.plan import Seal
    from paribus.experiments.result import Result
    from paribus.impact.causal_forest import Forest
    from paribus.lake import LakeReader
    from paribus.store import Revision, Store

Json = dict[str, Any]


class Operations(Protocol):
    """The installation of one data folder, as steps see it. All writes are revisions with author and reason."""

    @property
    def store(self) -> Store:
        """Documents and records."""

    @property
    def folder(self) -> Path:
        """The data folder."""

    @property
    def clock(self) -> Clock:
        """The installation's clock; simulated in a demo folder."""

    def find(self, kind: str, key: str) -> Revision | None:
        """The current revision of a document; None when it is not there or was removed."""

    def write(self, kind: str, key: str, body: Json, *, author: str, reason: str) -> Revision:
        """Checks a document and writes it; a body that stands already writes nothing and returns its revision."""

    def change(self, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision:
        """The document after one pure step; a step that changes nothing writes nothing."""

    def experiment(self, key: str) -> Document:
        """The stored document of an experiment."""

    def seal(self, key: str, *, author: str, amend: str | None = None) -> Seal:
        """Registers the stored plan; one sealed already stays, unless `amend` says why it changes."""

    def analyze(
        self, key: str, *, as_of: datetime | None = None, segments: Sequence[str] = (), since_exposure: bool = False
    ) -> Result:
        """The result of an experiment on the newest version of the lake."""

    def forest(self, result: Result, *, metric: str, units: int, seed: int) -> Forest:
        """A causal forest of a result's units, by its segments; ids stay where they are."""

    def lake(self) -> LakeReader | None:
        """The lake of the folder, for reading; None while nothing has arrived."""

    def snapshot(self, environment: str) -> Json:
        """The definitions of an environment, as every evaluator reads them."""

    def tracking_plan(self) -> Json | None:
        """The tracking plan in force, as its document."""

    def reconcile(self) -> Mapping[str, Any]:
        """Whether the counts from the door to the lake add up."""
