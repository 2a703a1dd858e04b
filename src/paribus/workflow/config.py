"""paribus.yaml: what a team chooses for its features; every value acts, or says what it waits for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Provider = Literal["paribus", "launchdarkly", "split", "optimizely", "unleash"]
Platform = Literal["amplitude", "segment", "mixpanel"]


class Section(BaseModel):
    """A frozen part of the configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExperimentConfig(Section):
    """How experiments are run."""

    min_sample_size: Annotated[int, Field(ge=0)] = 10_000
    """Matured units per arm before any verdict but invalid and roll back."""
    confidence_level: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    runtime_days: Annotated[int, Field(ge=1, le=365)] = 14
    traffic_allocation: Literal["gradual", "fixed", "adaptive"] = "gradual"


class FeatureFlags(Section):
    """Who decides flags."""

    provider: Provider = "paribus"


class Monitoring(Section):
    """What watches a running experiment."""

    real_time_metrics: bool = True
    anomaly_detection: bool = True
    automatic_rollback: bool = True


class Economics(Section):
    """What a unit of the success metric is worth and what the feature costs; without them value is not computed."""

    currency: str = "USD"
    margin: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of revenue that stays."""
    value_per_conversion: Annotated[float, Field(ge=0)] | None = None
    """Money per converted unit; without it the mean of the money metric per converting unit in the history."""
    build_cost: Annotated[float, Field(ge=0)] = 0.0
    running_cost_per_year: Annotated[float, Field(ge=0)] = 0.0
    support_cost_per_year: Annotated[float, Field(ge=0)] = 0.0


class Implementation(Section):
    """What steps 7 to 9 generate."""

    backend: Literal["fastapi", "django", "flask"] = "fastapi"
    frontend: Literal["plain", "react"] = "plain"
    model: bool = False
    """Whether a model takes part in the feature."""


class Approvals(Section):
    """At which steps a person has to agree before the next begins."""

    required: tuple[str, ...] = ("design", "setup", "impact")
    roles: int = 1
    """How many different people have to agree."""


class Model(Section):
    """A language model behind an OpenAI-compatible URL; none by default."""

    url: str = ""
    name: str = ""
    key_variable: str = "PARIBUS_MODEL_KEY"
    """The environment variable that holds its key."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0


def _one_map(value: Any) -> Any:
    """A list of one-key maps as one mapping."""
    if isinstance(value, list) and all(isinstance(item, dict) and len(item) == 1 for item in value):
        return {key: item for each in value for key, item in each.items()}
    return value


class Config(Section):
    """The whole file; the empty file is valid."""

    experiment_config: ExperimentConfig = ExperimentConfig()
    analytics_platforms: tuple[Platform, ...] = ()
    feature_flags: FeatureFlags = FeatureFlags()
    statistical_methods: tuple[Literal["frequentist", "bayesian"], ...] = ("frequentist",)
    monitoring: Annotated[Monitoring, BeforeValidator(_one_map)] = Monitoring()
    economics: Economics = Economics()
    implementation: Implementation = Implementation()
    approvals: Approvals = Approvals()
    model: Model = Model()
    method: Literal["fixed", "group_sequential", "anytime", "bayesian"] | None = None
    """The deciding method; chosen from statistical_methods and monitoring when left out."""
    minimum_detectable_effect: Annotated[float, Field(gt=0, le=1)] | None = None
    """Relative; derived from value and cost when left out."""

    @property
    def hash(self) -> str:
        """SHA-256 of the effective values."""
        from paribus.store.canonical import canonical_text, text_hash

        return text_hash(canonical_text(self.model_dump(mode="json"), "paribus.yaml"))
