"""Whom it helps most: a causal forest (Wager, Athey 2018), and what units that it never saw say of its predictions.

Exploratory, always: nothing here decides. Trees are honest (one half of a tree's units chooses its splits, the other
half gives its effects), and treatment is centered by the probability that the design assigned, so no propensity is
modelled. Predictions are tested on units of later blocks, which no tree of theirs has seen; see
`stats.sequential_validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from paribus.errors import InputError, MissingExtra
from paribus.experiments.phrases import p_words
from paribus.metrics.unit_rows import UnitRows
from paribus.stats.estimate import Floats
from paribus.stats.sequential_validation import Calibration, GroupEffect, calibration, group_effects

ALPHA = 0.05
BLOCKS = 6
TRAINING = 2
"""Blocks that the first predictions are learned from; the others are predicted one after the other."""
TREES = 200
LEAVES = 16
"""A leaf's honest half holds at least one unit in so many: effects of single units are noise, so leaves are large."""
FEWEST = 1_200
"""Units below which no forest is grown."""
MOST_LEVELS = 20
"""Levels of an attribute that are told apart, by frequency; the others are one."""
EXPLORATORY = (
    "Exploratory: the forest ranks units by an effect that it predicts; it is no part of the sealed plan and decides "
    "nothing. What it finds is to be tested in an experiment of its own."
)


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the forest's splitting an attribute takes, in [0, 1]; all together 1."""

    attribute: str
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The level whose share differs most between the units with the largest and the smallest predicted effects."""

    attribute: str
    level: str
    share_most: float
    share_least: float


@dataclass(frozen=True)
class Forest:
    """What a causal forest finds, and whether units that it had not seen bear it out.

    units, total     units in the sample, of those that could be drawn; `tested` of them were predicted unseen
    control_mean     of the outcome, for relative effects
    effect           average effect over the tested units, with standard error
    calibration      None where predictions do not vary
    groups           by predicted effect, least first, effects of unseen units with simultaneous 95% intervals
    contrast         the last group less the first: value, standard error, p-value
    """

    metric: str
    arm: str
    control: str
    units: int
    total: int
    tested: int
    trees: int
    seed: int
    control_mean: float
    effect: tuple[float, float]
    importance: tuple[Importance, ...]
    calibration: Calibration | None
    groups: tuple[GroupEffect, ...]
    contrast: tuple[float, float, float]
    profiles: tuple[Profile, ...]
    statement: str

    @property
    def is_borne_out(self) -> bool:
        """Whether effects of unseen units follow their predictions beyond chance."""
        return self.calibration is not None and self.calibration.differential.p_value <= ALPHA

    @property
    def sentence(self) -> str:
        """What may be said, in two sentences."""
        if self.calibration is None:
            said = f"The forest predicts one effect on {self.metric} for everybody."
        elif self.is_borne_out:
            told = self.profiles[0] if self.profiles else None
            whom = f", most often {told.attribute} {told.level}" if told else ""
            said = (
                f"Effects on {self.metric} differ between units as the forest predicts "
                f"({p_words(self.calibration.differential.p_value)}): they are largest{whom}."
            )
        else:
            said = (
                f"That effects on {self.metric} differ between units is not borne out by units that the forest had "
                f"not seen ({p_words(self.calibration.differential.p_value)})."
            )
        return f"{said} {EXPLORATORY}"

    def plain(self) -> dict[str, Any]:
        """As JSON, the statement aside."""
        body = asdict(self)
        del body["statement"]
        body["effect"] = {"value": self.effect[0], "se": self.effect[1]}
        body["contrast"] = dict(zip(("value", "se", "p_value"), self.contrast, strict=True))
        return {**body, "is_borne_out": self.is_borne_out, "sentence": self.sentence}


def is_installed() -> bool:
    """Whether the extra `forest` is there."""
    from importlib.util import find_spec

    return find_spec("econml") is not None


def causal_forest(
    rows: UnitRows,
    *,
    control: str,
    treatment: str,
    weights: Mapping[str, float],
    seed: int = 0,
    trees: int = TREES,
) -> Forest:
    """The forest of one treatment arm against control on a sample of units.

    Args:
        rows: the sample; attributes and covariates are all from before the outcome.
        control, treatment: variants.
        weights: the design's weight of each variant; with several epochs the shares of each epoch are used.
        seed: of trees, blocks and ties.
        trees: in each forest.

    Raises:
        InputError: too few units, or nothing to tell them apart by.
        MissingExtra: econml is not installed.
    """
    own = np.array([v in (control, treatment) for v in rows.variants], dtype=bool)
    if own.sum() < FEWEST:
        raise InputError(
            f"{int(own.sum()):,} units took part in {control} and {treatment}",
            where=rows.metric,
            rule=f"a causal forest needs {FEWEST:,}",
            fix="look at segments: paribus analyze --segment",
        )
    x, names = _features(rows, own)
    if not names:
        raise InputError(
            "nothing tells units apart", where=rows.metric, rule="a forest needs attributes at exposure that vary"
        )
    y = rows.outcome[own]
    treated = np.array([v == treatment for v in rows.variants], dtype=np.float64)[own]
    probability = _probability(rows, own, treated, weights[treatment] / (weights[control] + weights[treatment]))
    block = np.random.default_rng(seed).permutation(np.arange(len(y)) * BLOCKS // len(y))
    predicted, residual = np.zeros(len(y)), np.zeros(len(y))
    for each in range(TRAINING, BLOCKS):
        seen, new = block < each, block == each
        grown = _grown(x[seen], y[seen], treated[seen] - probability[seen], trees, seed + each)
        predicted[new], residual[new] = grown.effect(x[new]), y[new] - grown.outcome(x[new])
    tested = block >= TRAINING
    unseen = (residual[tested], treated[tested], probability[tested], predicted[tested], block[tested])
    groups, contrast = group_effects(*unseen, seed=seed)
    score = residual[tested] * (treated - probability)[tested] / (probability * (1 - probability))[tested]
    whole = _grown(x, y, treated - probability, trees, seed)
    return Forest(
        metric=rows.metric,
        arm=treatment,
        control=control,
        units=len(y),
        total=rows.total,
        tested=int(tested.sum()),
        trees=trees,
        seed=seed,
        control_mean=float(y[treated == 0].mean()),
        effect=(float(score.mean()), float(score.std(ddof=1) / np.sqrt(len(score)))),
        importance=_importance(whole.importance, names),
        calibration=calibration(*unseen),
        groups=groups,
        contrast=contrast,
        profiles=_profiles(rows, own, whole.effect(x)),
        statement=rows.statement,
    )


@dataclass(frozen=True, slots=True)
class _Grown:
    """A forest of effects, and one of outcomes."""

    effects: Any
    outcomes: Any

    def effect(self, x: Floats) -> Floats:
        found: Floats = self.effects.predict(x)[:, 0]
        return found

    def outcome(self, x: Floats) -> Floats:
        found: Floats = self.outcomes.predict(x)[:, 0]
        return found

    @property
    def importance(self) -> Floats:
        found: Floats = np.nan_to_num(np.asarray(self.effects.feature_importances(), dtype=np.float64)).ravel()
        return found


def _grown(x: Floats, y: Floats, centered: Floats, trees: int, seed: int) -> _Grown:
    try:
        from econml.grf import CausalForest, RegressionForest
    except ImportError as error:
        raise MissingExtra("econml", "forest", "a causal forest") from error
    leaf = max(len(y) // LEAVES, 10)
    settings = {"min_samples_leaf": leaf, "min_samples_split": 2 * leaf, "inference": False, "n_jobs": -1}
    outcomes = RegressionForest(trees // 2, random_state=seed, **settings).fit(x, y)
    outcomes.n_jobs = 1  # threads add trees up in the order in which they end: other last digits
    expected = outcomes.oob_predict(x)[:, 0]
    residual = y - np.where(np.isnan(expected), y.mean(), expected)  # a unit that every tree drew
    effects = CausalForest(trees, random_state=seed, max_samples=0.45, **settings).fit(x, centered, residual)
    effects.n_jobs = 1
    return _Grown(effects, outcomes)


def _features(rows: UnitRows, own: Any) -> tuple[Floats, list[str]]:
    """A column for each level of an attribute with few, numbers as they are; the attribute of each column."""
    columns: list[Floats] = []
    names: list[str] = []
    for name, values in rows.attributes.items():
        column = _number(values)
        if column is not None:
            found = [column]
        else:
            levels = _levels(values)
            found = [np.array([v == level for v in values], dtype=np.float64) for level in levels]
            if len(levels) == 2 and set(values) == set(levels):
                del found[1]
        columns += found
        names += [name] * len(found)
    for name, numbers in rows.covariates.items():
        columns.append(numbers)
        names.append(f"{rows.metric} before" if name == "x1" else f"{name} before")
    kept = [i for i, column in enumerate(columns) if np.ptp(column[own]) > 0]
    if not kept:
        return np.zeros((int(own.sum()), 0)), []
    return np.column_stack([columns[i][own] for i in kept]), [names[i] for i in kept]


def _number(values: Sequence[str | None]) -> Floats | None:
    """An attribute of many numbers as one column; None for categories."""
    if len(set(values)) <= MOST_LEVELS:
        return None
    try:
        return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    except ValueError:
        return None


def _levels(values: Sequence[str | None]) -> list[str | None]:
    counted: dict[str | None, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    return sorted(counted, key=lambda v: (-counted[v], str(v)))[:MOST_LEVELS]


def _probability(rows: UnitRows, own: Any, treated: Floats, designed: float) -> Floats:
    """Of treatment among the two arms, by design; the share in the epoch where there are several."""
    epochs = np.array([str(e) for e in rows.epochs], dtype=object)[own] if rows.epochs else np.zeros(0)
    found = np.full(len(treated), designed)
    if len(set(epochs)) < 2:
        return found
    for epoch in set(epochs):
        within = epochs == epoch
        share = float(treated[within].mean())
        found[within] = min(max(share, 0.01), 0.99)
    return found


def _importance(of: Floats, names: Sequence[str]) -> tuple[Importance, ...]:
    shares: dict[str, float] = dict.fromkeys(names, 0.0)
    total = float(of.sum())
    for name, share in zip(names, of.tolist(), strict=True):
        shares[name] += share / total if total > 0 else 1 / len(names)
    return tuple(Importance(name, share) for name, share in sorted(shares.items(), key=lambda kv: (-kv[1], kv[0])))


def _profiles(rows: UnitRows, own: Any, predicted: Floats) -> tuple[Profile, ...]:
    """Attribute by attribute, the level that tells the quarter with the largest predictions from the one with least."""
    order = np.argsort(predicted, kind="stable")
    quarter = len(order) // 4
    least, most = order[:quarter], order[-quarter:]
    found = []
    for name, values in rows.attributes.items():
        if _number(values) is not None:
            continue
        column = np.array(["unknown" if v is None else v for v in values], dtype=object)[own]
        shares = [
            Profile(name, str(level), float((column[most] == level).mean()), float((column[least] == level).mean()))
            for level in sorted(set(column.tolist()))
        ]
        found.append(max(shares, key=lambda p: (p.share_most - p.share_least, p.level)))
    kept = [p for p in found if p.share_most > p.share_least]
    return tuple(sorted(kept, key=lambda p: (p.share_least - p.share_most, p.attribute)))
