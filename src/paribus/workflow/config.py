"""paribus.yaml: what a team chooses for its features; every value acts, or says what it waits for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from paribus.errors import did_you_mean
from paribus.experiments.scalars import Confidence, PositiveShare, complaint, shown
from paribus.workflow.step import BY_SLUG

if TYPE_CHECKING:
    from paribus.workflow.config_effect import Row

Provider = Literal["paribus", "launchdarkly", "split", "optimizely", "unleash"]
Platform = Literal["amplitude", "segment", "mixpanel"]
Statistics = Literal["frequentist", "bayesian"]
ArmName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,39}$")]
SCHEMA_ID = "urn:paribus:config:1"
FORTNIGHT = 14


class Section(BaseModel):
    """A frozen part of the configuration, strict about types; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def _unit(value: str) -> str:
    """A unit type that the plan can randomize."""
    why = {
        "switchback": "periods have no analysis yet; step 3 says so beside the units that can be randomized",
        "cluster": "step 3 sizes clusters by each attribute; flags decide single units, none is drawn whole yet",
        "anonymous": "an anonymous id is called a device here",
    }
    if value in why or not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise complaint(
            f"{shown(value)} cannot be randomized",
            rule=why.get(value, "a unit type: lower-case letters, digits and underscores"),
            fix="write unit: user, or unit: device",
        )
    return value


class ExperimentConfig(Section):
    """How experiments are run."""

    min_sample_size: Annotated[int, Field(ge=0)] = 400
    """Matured units per arm before any verdict but invalid and roll back."""
    confidence_level: Confidence = 0.95
    """Of every interval; 1 minus it is the plan's alpha."""
    runtime_days: Annotated[int, Field(ge=1, le=365)] | None = None
    """The plan's horizon: a decision is due after so many days. Null: two weeks, or more for a plausible effect."""
    traffic_allocation: Literal["gradual", "fixed", "adaptive"] = "gradual"
    """gradual: traffic widens by stages; fixed: one share for the whole run; adaptive: shares follow the evidence."""
    unit: Annotated[str, AfterValidator(_unit)] = "user"
    """What is randomized: user, device (an anonymous id), or another unit type that events and code name."""
    holdout: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Share of all units that no feature of the installation ever serves: what all launches brought is read there."""
    beta: Literal["randomized", "opt_in"] = "randomized"
    """randomized: 1 to 5% are drawn and analyzed; opt_in: volunteers up to a cap, who stay outside the analysis."""

    @property
    def days(self) -> int:
        """The horizon that a plan begins with."""
        return FORTNIGHT if self.runtime_days is None else self.runtime_days


class Arm(Section):
    """One arm of the experiment."""

    weight: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Its part of the split; weights may add up to anything."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What a unit of this arm meets."""
    screenshot: str = ""
    """Path of a PNG or JPEG, from the folder of this file; the reports hold the picture itself."""


class Exploration(Section):
    """How step 1 looks at the history."""

    funnel_window_hours: Annotated[float, Field(ge=0.01, le=8760)] = 24.0
    """Longest time from a funnel's first step to its last; a purchase that takes weeks needs weeks."""


class FeatureFlags(Section):
    """Who decides flags."""

    provider: Provider = "paribus"
    """Step 4 also writes the flag as this provider writes it."""


class Monitoring(Section):
    """What watches a running experiment."""

    real_time_metrics: bool = True
    """Health is read while events arrive; false: when a step runs."""
    anomaly_detection: bool = True
    """Detectors on metrics and on the pipeline; they alert and never act."""
    automatic_rollback: bool = True
    """Proven harm kills the flag by itself; false: it alerts and asks."""
    error_budget_holds: bool = False
    """A treatment that spends its error budget beyond chance, and control does not, keeps traffic from widening.

    Fewer users then bring fewer proofs: what would kill the flag by itself may stay unproven to the plan's end."""


class Economics(Section):
    """What a unit of the success metric is worth and what the feature costs; without them value is not computed."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """ISO 4217."""
    margin: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of revenue that stays."""
    value_per_conversion: Annotated[float, Field(ge=0)] | None = None
    """Money per converted unit; without it the mean of the money metric per converting unit in the history."""
    build_cost: Annotated[float, Field(ge=0)] = 0.0
    """Once."""
    running_cost_per_year: Annotated[float, Field(ge=0)] = 0.0
    """Servers, licenses, fees."""
    support_cost_per_year: Annotated[float, Field(ge=0)] = 0.0
    """People."""


class Implementation(Section):
    """What steps 7 to 9 generate."""

    backend: Literal["fastapi", "django", "flask"] = "fastapi"
    """Framework of step 7's code."""
    frontend: Literal["plain", "react"] = "plain"
    """Kind of page that step 8 writes."""
    model: bool = False
    """Whether a model takes part in the feature."""
    page: Annotated[str, Field(pattern=r"^(none|https?://[^\s/@]+(/\S*)?)?$")] = ""
    """Address of the product's own page in staging, which step 10 clicks through in a browser; without one the
    generated page; none: neither."""


class Heterogeneity(Section):
    """How step 16 looks for whom it worked, beside the segments of the plan."""

    causal_forest: bool = False
    """Whether a causal forest over rows of units is grown; exploratory, it decides nothing."""
    most_units: Annotated[int, Field(ge=2000, le=200_000)] = 20_000
    """Rows that may leave the warehouse for it; ids never do."""


def _slugs(value: tuple[str, ...]) -> tuple[str, ...]:
    """Slugs of steps, each once, in the order of the steps."""
    for slug in value:
        if slug not in BY_SLUG:
            raise complaint(f"{shown(slug)} is no step", rule=f"one of {', '.join(BY_SLUG)}", fix=_near(slug, BY_SLUG))
    return tuple(slug for slug in BY_SLUG if slug in value)


def _by_role(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Roles by the step that they decide on, by their short names."""
    known = {step.role.rpartition("::")[2] for step in BY_SLUG.values()}
    for slug, roles in value.items():
        _slugs((slug,))
        for role in roles:
            if role not in known:
                raise complaint(
                    f"{shown(role)} is no role", rule=f"one of {', '.join(sorted(known))}", fix=_near(role, known)
                )
        if len(set(roles)) < len(roles) or not roles:
            raise complaint(
                f"the roles of {slug} are not different roles", fix="write [business-analyst, data-scientist]"
            )
    return {slug: tuple(value[slug]) for slug in BY_SLUG if slug in value}


class Approvals(Section):
    """At which steps a person has to agree before the next begins."""

    required: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_slugs)] = ("design", "setup", "impact")
    """Slugs of steps; an empty list asks nobody."""
    roles: Annotated[int, Field(ge=1, le=9)] = 1
    """How many different people have to agree."""
    by_role: Annotated[dict[str, Annotated[tuple[str, ...], Field(strict=False)]], AfterValidator(_by_role)] = {}
    """By step: the roles that have to agree, each another person: {hypothesize: [business-analyst, data-scientist]}."""

    def asks(self, slug: str) -> bool:
        """Whether somebody has to agree to this step."""
        return slug in self.required or bool(self.by_role.get(slug))


class Model(Section):
    """A language model behind an OpenAI-compatible URL; none by default."""

    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """Base URL, such as http://127.0.0.1:8080/v1; without one every role is deterministic."""
    name: str = ""
    """The model's name at that URL."""
    key_variable: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*_)?MODEL_KEY$")] = "PARIBUS_MODEL_KEY"
    """The environment variable that holds its key: MODEL_KEY, or one that ends so; no other secret is ever sent."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """After it the deterministic answer stands."""


def _one_map(value: Any) -> Any:
    """A list of one-key maps as one mapping."""
    if not isinstance(value, list):
        return value
    found: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict) or len(item) != 1:
            raise complaint(
                f"{shown(item)} is not one switch",
                rule="monitoring is a mapping, or a list of maps with one key each",
                fix="write - real_time_metrics: true",
            )
        ((key, switch),) = item.items()
        if key in found:
            raise complaint(f"the key {key!r} is given twice", fix="remove one of the two")
        found[key] = switch
    return found


def _methods(value: tuple[Statistics, ...]) -> tuple[Statistics, ...]:
    """Each once; their order says nothing."""
    if not value:
        raise complaint("no statistical method is named", rule="at least one", fix="write [frequentist]")
    return tuple(method for method in ("frequentist", "bayesian") if method in value)


def _platforms(value: tuple[Platform, ...]) -> tuple[Platform, ...]:
    """Each once; their order says nothing."""
    return tuple(sorted(set(value)))


def _arms(value: dict[str, Arm]) -> dict[str, Arm]:
    """None, or control and at least one other, control first."""
    if value and ("control" not in value or len(value) < 2):
        raise complaint(
            f"the arms are {', '.join(value)}",
            rule="an experiment compares control with at least one other arm",
            fix="write arms: {control: {}, treatment: {description: …}}",
        )
    return {name: value[name] for name in ("control", *(each for each in value if each != "control")) if name in value}


class Config(Section):
    """The whole file; the empty file is valid."""

    experiment_config: ExperimentConfig = ExperimentConfig()
    arms: Annotated[dict[ArmName, Arm], AfterValidator(_arms)] = {}
    """Arms by name, control among them; control and treatment in halves when left out."""
    exploration: Exploration = Exploration()
    heterogeneity: Heterogeneity = Heterogeneity()
    analytics_platforms: Annotated[tuple[Platform, ...], Field(strict=False), AfterValidator(_platforms)] = ()
    """Other systems whose clients send events here; an empty list: only our own."""
    feature_flags: FeatureFlags = FeatureFlags()
    statistical_methods: Annotated[tuple[Statistics, ...], Field(strict=False), AfterValidator(_methods)] = (
        "frequentist",
    )
    """What the report shows: intervals and tests, a posterior with expected loss, or both."""
    monitoring: Annotated[
        Monitoring, BeforeValidator(_one_map, json_schema_input_type=Monitoring | list[dict[str, bool]])
    ] = Monitoring()
    economics: Economics = Economics()
    implementation: Implementation = Implementation()
    approvals: Approvals = Approvals()
    model: Model = Model()
    early_indicators: dict[str, Literal["warn", "hold"]] | None = None
    """By event: a bad sign of it warns, or holds the ramp; the first step of the funnel warns when left out."""
    method: Literal["fixed", "group_sequential", "anytime", "bayesian"] | None = None
    """The deciding method; chosen from statistical_methods and monitoring when left out."""
    interference: str | None = None
    """Whether a unit's variant can change another's outcome; looked for in the events when left out."""
    minimum_detectable_effect: PositiveShare | None = None
    """Relative; derived from value and cost when left out."""

    @property
    def hash(self) -> str:
        """SHA-256 of the values that are not the defaults: a field that a later version adds makes nothing stale."""
        from paribus.store.canonical import canonical_text, text_hash

        return text_hash(canonical_text(self.model_dump(mode="json", exclude_defaults=True), "paribus.yaml"))


def read(path: Path | str) -> Config:
    """The configuration of a file.

    Raises:
        NotFound: there is no such file.
        DefinitionError: it is not a configuration; `where` is file:line:column.
    """
    from paribus.workflow.config_file import read as read_file

    return read_file(path)


def parse(text: str | bytes, file: str = "paribus.yaml") -> Config:
    """The configuration that a text states; an empty text is the defaults.

    Raises:
        DefinitionError: as `read`.
    """
    from paribus.workflow.config_file import parsed

    return parsed(text, file)


def check(config: Config) -> list[Row]:
    """What each effective value does: it acts, or is accepted and waits for something named."""
    from paribus.workflow.config_effect import rows

    return rows(config)


def json_schema_text() -> str:
    """The JSON Schema of paribus.yaml, as published."""
    import json

    schema = Config.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return json.dumps({**head, **schema}, indent=2) + "\n"


def _near(word: object, known: Any) -> str:
    return did_you_mean(str(word), known)
