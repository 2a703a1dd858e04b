"""Champion and challenger from one table of features, each judged on rows that nobody trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError
from paribus.models import DriftWatch, FeatureDoc, ModelDoc, OnnxModel, Quality, Reference, check_model, quality
from paribus.models.logistic import fit_logistic
from paribus.models.onnx_export import to_onnx
from paribus.workflow.modelling.features import RECENCY, FeatureSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 30
FALSE_ALARMS = 0.01
WINDOW = 500
SHIFT = 0.5
LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, its file and how good it is on the rows held out."""

    name: str
    content: bytes
    inputs: tuple[FeatureDoc, ...]
    quality: Quality

    def document(self, owner: str, label: str) -> ModelDoc:
        """Its document."""
        return ModelDoc(
            sha256=check_model(self.content, self.name),
            size=len(self.content),
            inputs=self.inputs,
            output="score",
            owner=owner,
            label=label,
        )


@dataclass(frozen=True, slots=True)
class Detection:
    """How the watch behaves, by simulation on the history: false alarms, and rows until a shift is found."""

    windows: int
    rows: int
    """Rows of a window."""
    false_alarms: int
    shift: float
    found_within: int | None


def train_both(features: FeatureSet) -> tuple[Trained, Trained]:
    """The champion on recency alone, the challenger on every feature.

    Raises:
        InputError: there are fewer than 30 positive or negative rows on either side.
        MissingExtra: onnx or onnxruntime is not installed.
    """
    for side in (features.held, ~features.held):
        labels = features.labels[side]
        if min(labels.sum(), len(labels) - labels.sum()) < FEWEST:
            raise InputError(
                f"{int(features.labels.sum())} of {len(features.labels)} units had the success event",
                where="model",
                rule=f"at least {FEWEST} with and {FEWEST} without it, in training and held out",
            )
    return _trained("champion", features, RECENCY), _trained("challenger", features, features.names)


def try_watch(features: FeatureSet, model: OnnxModel, seed: int, *, windows: int = 60) -> Detection:
    """How the watch behaves on random halves of the rows: one part is the reference, the other gives the window.

    Without a shift the two differ by chance alone, so alarms are false; with one, every input is moved by half of its
    standard deviation.
    """
    matrix = features.columns(model.names)
    rng = np.random.default_rng(seed)
    matrix = matrix[rng.permutation(len(matrix))[:LARGEST]]
    scores = model.scores(matrix.astype(np.float32))
    window = min(WINDOW, len(matrix) // 4)
    deviation = matrix.std(0)

    def watch_of(rows: NDArray[np.int64]) -> DriftWatch:
        references = {name: Reference.of(matrix[rows, i]) for i, name in enumerate(model.names)}
        return DriftWatch({**references, "score": Reference.of(scores[rows])}, false_alarm_rate=FALSE_ALARMS)

    def has_alarm(watch: DriftWatch, x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
        return bool(watch.check({**{name: x[:, i] for i, name in enumerate(model.names)}, "score": y}).drifted)

    false_alarms = 0
    for _ in range(windows):
        order = rng.permutation(len(matrix))
        fresh = order[:window]
        false_alarms += has_alarm(watch_of(order[window:]), matrix[fresh], scores[fresh])
    watch = watch_of(np.arange(len(matrix)))

    def is_found(rows: int) -> bool:
        moved = matrix[rng.integers(0, len(matrix), rows)] + SHIFT * deviation
        return has_alarm(watch, moved, model.scores(moved.astype(np.float32)))

    found = next(
        (rows for rows in (50, 100, 200, 500, 1000, 2000, 5000) if all(is_found(rows) for _ in range(5))), None
    )
    return Detection(windows, window, false_alarms, SHIFT, found)


def _trained(name: str, features: FeatureSet, columns: tuple[str, ...]) -> Trained:
    x, held = features.columns(columns), features.held
    content = to_onnx(fit_logistic(x[~held], features.labels[~held]), name=name)
    inputs = tuple(
        FeatureDoc(name=column, minimum=float(x[~held, i].min()), maximum=float(x[~held, i].max()))
        for i, column in enumerate(columns)
    )
    made = Trained(name, content, inputs, quality([0, 1], [0.0, 1.0]))
    model = OnnxModel(content, made.document("training", ""))
    scores = model.scores(x[held].astype(np.float32))
    return Trained(name, content, inputs, quality(features.labels[held], scores))
