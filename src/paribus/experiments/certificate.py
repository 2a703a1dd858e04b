"""What a certification found, metric by metric, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap

from paribus.experiments.plain import to_plain


@dataclass(frozen=True, slots=True)
class Power:
    """How often an injected relative effect is found with the right sign; `error` is the Monte Carlo error."""

    effect: float
    power: float
    error: float


@dataclass(frozen=True, slots=True)
class MetricCertificate:
    """One metric on the history.

    type_i_error        share of re-randomizations without effect in which the test rejects
    error               standard error of that: Monte Carlo and buckets, at the nominal level
    detectable          relative effect found with the plan's power with all units of the history; None: none is
    variance_reduction  by the covariates of the metric, 0 without
    by_window           variance reduction by days before exposure; empty where the metric is on no events, None for a
                        window in which a ratio has no denominator: there is no covariate
    without_covariates  why the plan's covariates were left out; empty where they were not
    safe_units          units in both arms from which the skewness is no obstacle; None: the test needs no such number
    refusal             why nothing could be certified; the numbers are None then
    """

    metric: str
    test: str
    units: int
    baseline: float | None = None
    alpha: float | None = None
    type_i_error: float | None = None
    error: float | None = None
    power: tuple[Power, ...] = ()
    target_power: float = 0.8
    detectable: float | None = None
    variance_reduction: float = 0.0
    by_window: Mapping[int, float | None] | None = None
    without_covariates: str = ""
    skewness: float | None = None
    safe_units: int | None = None
    refusal: str = ""

    @property
    def best_window(self) -> int | None:
        """The covariate window in days that removes most variance; None where none removes 1%."""
        found = {days: gain for days, gain in (self.by_window or {}).items() if gain is not None}
        best = max(found, key=lambda days: found[days], default=None)
        return best if best is not None and found[best] >= 0.01 else None

    @property
    def holds(self) -> bool | None:
        """Whether the type I error is at most its level, within three standard errors; None where it is unknown."""
        if self.type_i_error is None or self.alpha is None or self.error is None:
            return None
        return self.type_i_error <= self.alpha + 3 * self.error

    def sentences(self) -> tuple[str, ...]:
        """What was found, a sentence each."""
        if self.refusal or self.type_i_error is None or self.alpha is None or self.error is None:
            return (self.refusal,)
        found = [
            f"Without effect the test ({self.test}) rejects in {self.type_i_error:.1%} of the re-randomizations "
            f"(standard error {self.error:.1%}); its level is {self.alpha:.1%}"
            + (": it holds." if self.holds else ": it does NOT hold, and its p-values are too small here.")
        ]
        for each in self.power:
            found.append(
                f"An injected effect of {each.effect:+.2%} is found in {each.power:.1%} "
                f"(standard error {each.error:.1%})."
            )
        if self.detectable is None:
            found.append(f"No effect is found with {self.target_power:.0%} power: there are too few units.")
        else:
            found.append(
                f"With all {self.units:,} units, {self.detectable:+.2%} is found with {self.target_power:.0%} power."
            )
        if self.without_covariates:
            found.append(self.without_covariates)
        if self.variance_reduction:
            found.append(f"The plan's covariates remove {self.variance_reduction:.1%} of the variance.")
        if self.by_window:
            listed = ", ".join(
                f"{days} days {'no data' if gain is None else f'{gain:.1%}'}" for days, gain in self.by_window.items()
            )
            best = "none is worth using" if self.best_window is None else f"the best is {self.best_window} days"
            found.append(f"CUPED by window before exposure: {listed}; {best}.")
        if self.skewness is not None:
            found.append(self._skewness_sentence(self.skewness))
        return tuple(found)

    def _skewness_sentence(self, skewness: float) -> str:
        if self.safe_units is None:
            return f"The skewness is {skewness:.2f}; this test holds at any number of units."
        enough = "the history has them" if self.units >= self.safe_units else "the history has fewer"
        return f"The skewness is {skewness:.2f}: it is safe from {self.safe_units:,} units in both arms; {enough}."


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a design does on a history, metric by metric."""

    experiment: str
    units: int
    replications: int
    buckets: int
    seed: int
    comparison: tuple[str, str]
    method: str
    metrics: tuple[MetricCertificate, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON, sentences included."""
        return {
            "experiment": self.experiment,
            "units": self.units,
            "replications": self.replications,
            "buckets": self.buckets,
            "seed": self.seed,
            "comparison": list(self.comparison),
            "method": self.method,
            "metrics": [
                {
                    "metric": m.metric,
                    "test": m.test,
                    "units": m.units,
                    "baseline": m.baseline,
                    "alpha": m.alpha,
                    "type_i_error": m.type_i_error,
                    "error": m.error,
                    "holds": m.holds,
                    "power": [to_plain(each) for each in m.power],
                    "target_power": m.target_power,
                    "detectable": m.detectable,
                    "variance_reduction": m.variance_reduction,
                    "by_window": {str(days): gain for days, gain in (m.by_window or {}).items()},
                    "best_window": m.best_window,
                    "without_covariates": m.without_covariates or None,
                    "skewness": m.skewness,
                    "safe_units": m.safe_units,
                    "refusal": m.refusal or None,
                    "sentences": list(m.sentences()),
                }
                for m in self.metrics
            ],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """The certificate for a terminal of 80 columns."""
        control, treatment = self.comparison
        head = (
            f"{self.experiment}: {self.units:,} units of history, re-randomized {self.replications:,} times "
            f"between {control} and {treatment} (seed {self.seed})"
        )
        lines = wrap(head, 80)
        for metric in self.metrics:
            lines += ["", *wrap(metric.metric, 80)]
            for sentence in metric.sentences():
                lines += wrap(sentence, 80, initial_indent="  ", subsequent_indent="    ")
        for note in self.notes:
            lines += ["", *wrap(note, 80)]
        return "\n".join(lines)
