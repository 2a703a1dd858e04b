"""Each value of paribus.yaml acts: with another one, what a step makes is another."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests.workflow import business, drawn, planned
from tests.workflow.stage import KEY, REQUIREMENT
from tests.workflow.visits import visits

from paribus.experiments.on_lake import Snapshot
from paribus.store import open_store
from paribus.workflow import Config, Feature
from paribus.workflow.code.page import PageCode
from paribus.workflow.code.service import plan_service
from paribus.workflow.config_effect import EFFECTS
from paribus.workflow.dossier import Dossier
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.hypotheses.opportunity import deciding
from paribus.workflow.launching.alerts import rules
from paribus.workflow.launching.guards import watch_of
from paribus.workflow.planning import Past, document_of
from paribus.workflow.roles.model import agent_of
from paribus.workflow.steps import architect, explore, hypothesize, instrument, pipeline

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Json = dict[str, Any]


def explored(folder: Path, config: Json) -> Any:
    source = str(visits(folder / "events.csv"))
    scene = drawn.Scene(folder, Config.model_validate(config), Feature(KEY, REQUIREMENT, source=source))
    facts = scene.step(explore.run).facts
    scene.close()
    return facts["funnels"]


def hypothesized(folder: Path, config: Json) -> Any:
    return hypothesize.run(business.context(folder, config, explore=business.explored())).facts


def document(folder: Path, config: Json) -> Json:
    context = business.context(folder, config, explore=business.explored())
    made = hypothesize.run(context)
    context = business.context(folder, config, explore=business.explored(), hypothesize=made)
    facts = HypothesizeFacts.model_validate(made.facts)
    past = Past("checkout_started", NOW, 14, {}, Snapshot(folder, "t", 1, (), NOW), "lake version 1")
    return document_of(context, business.explored(), facts, facts.hypotheses[0], 0.1, past)


def _scene(folder: Path, config: Json) -> drawn.Scene:
    scene = drawn.Scene(folder, Config.model_validate(config))
    scene.give("explore", drawn.explored())
    scene.give("hypothesize", drawn.hypothesized())
    scene.give("design", drawn.designed())
    return scene


def architecture(folder: Path, config: Json) -> Any:
    scene = _scene(folder, config)
    facts = scene.step(architect.run).facts
    scene.close()
    return facts["stages"], facts["waits"]


def flag(folder: Path, config: Json) -> Any:
    scene = _scene(folder, config)
    facts = scene.step(architect.run).facts
    scene.close()
    return facts["flag"]


def instrumentation(folder: Path, config: Json) -> Any:
    scene = _scene(folder, config)
    scene.step(architect.run)
    made = scene.step(instrument.run)
    scene.close()
    return [file.path for file in made.files]


def flow(folder: Path, config: Json) -> Any:
    scene = _scene(folder, config)
    scene.step(architect.run)
    scene.step(instrument.run)
    facts = scene.step(pipeline.run).facts
    scene.close()
    return facts["streaming"], facts["components"]


def alerts(folder: Path, config: Json) -> Any:
    of = Config.model_validate(config).monitoring
    return rules(
        drawn.metrics(),
        (),
        method="anytime",
        acts=True,
        detects=of.anomaly_detection,
        holds=of.error_budget_holds,
    )


def watch(folder: Path, config: Json) -> Any:
    acts = Config.model_validate(config).monitoring.automatic_rollback
    body = drawn.designed().document
    return watch_of(KEY, KEY, "production", body, None, control="control", acts=acts)[0]


def code(folder: Path, config: Json) -> Any:
    of = Config.model_validate(config)
    service = plan_service(
        planned.architecture(),
        planned.instrumentation(),
        framework=of.implementation.backend,
        provider=of.feature_flags.provider,
        feature=KEY,
        requirement=REQUIREMENT,
        flag_key=KEY,
    )
    return service.files(), PageCode(of.implementation.frontend, service).files()


def state(folder: Path, config: Json) -> Any:
    """Of an exploration that one person approved."""
    of = Config.model_validate(config)
    with closing(open_store(folder / "definitions.sqlite", clock=lambda: NOW)) as store:
        dossier = Dossier(store)
        dossier.new(Feature(KEY, REQUIREMENT), of, author="ann")
        made = business.artifact("explore", business.explored()).model_copy(update={"settings": of.hash})
        dossier.save(made, author="ann")
        if "explore" in of.approvals.required:
            dossier.approve(KEY, "explore", author="bob")
        found = dossier.states(KEY)[0]
    return found.state, found.reason


def seat(folder: Path, config: Json) -> Any:
    """Who sits beside a step, at which model, with which key."""
    found = agent_of(
        Config.model_validate(config),
        feature=KEY,
        step="explore",
        once=lambda name, effect: effect(),
        store=cast("Any", None),
        environ=os.environ,
    )
    return type(found).__name__, getattr(found, "config", None)


def method(folder: Path, config: Json) -> Any:
    return deciding(Config.model_validate(config)).method


SERVED = {"url": "http://127.0.0.1:9/v1"}
ACTS: dict[str, tuple[Callable[[Path, Json], Any], Json, Json]] = {
    "experiment_config.min_sample_size": (document, {}, {"experiment_config": {"min_sample_size": 500}}),
    "experiment_config.confidence_level": (document, {}, {"experiment_config": {"confidence_level": 0.9}}),
    "experiment_config.runtime_days": (document, {}, {"experiment_config": {"runtime_days": 10}}),
    "experiment_config.traffic_allocation": (architecture, {}, {"experiment_config": {"traffic_allocation": "fixed"}}),
    "experiment_config.unit": (document, {}, {"experiment_config": {"unit": "device"}}),
    "experiment_config.holdout": (flag, {}, {"experiment_config": {"holdout": 0.05}}),
    "arms": (document, {}, {"arms": {"control": {}, "one_page": {"description": "one page"}}}),
    "experiment_config.beta": (architecture, {}, {"experiment_config": {"beta": "opt_in"}}),
    "exploration.funnel_window_hours": (explored, {}, {"exploration": {"funnel_window_hours": 0.02}}),
    "analytics_platforms": (instrumentation, {}, {"analytics_platforms": ["segment"]}),
    "feature_flags.provider": (code, {}, {"feature_flags": {"provider": "unleash"}}),
    "statistical_methods": (document, {}, {"statistical_methods": ["frequentist", "bayesian"]}),
    "monitoring.real_time_metrics": (flow, {}, {"monitoring": {"real_time_metrics": False}}),
    "monitoring.anomaly_detection": (alerts, {}, {"monitoring": [{"anomaly_detection": False}]}),
    "monitoring.automatic_rollback": (watch, {}, {"monitoring": [{"automatic_rollback": False}]}),
    "monitoring.error_budget_holds": (alerts, {}, {"monitoring": [{"error_budget_holds": True}]}),
    "economics.currency": (hypothesized, {}, {"economics": {"currency": "NOK"}}),
    "economics.margin": (hypothesized, {}, {"economics": {"margin": 0.5}}),
    "economics.value_per_conversion": (hypothesized, {}, {"economics": {"value_per_conversion": 3.0}}),
    "economics.build_cost": (hypothesized, {}, {"economics": {"build_cost": 900.0}}),
    "economics.running_cost_per_year": (hypothesized, {}, {"economics": {"running_cost_per_year": 900.0}}),
    "economics.support_cost_per_year": (hypothesized, {}, {"economics": {"support_cost_per_year": 900.0}}),
    "implementation.backend": (code, {}, {"implementation": {"backend": "flask"}}),
    "implementation.frontend": (code, {}, {"implementation": {"frontend": "react"}}),
    "implementation.model": (hypothesized, {}, {"implementation": {"model": True}}),
    "approvals.required": (state, {}, {"approvals": {"required": ["explore"], "roles": 2}}),
    "approvals.by_role": (state, {}, {"approvals": {"by_role": {"explore": ["data-scientist"]}}}),
    "approvals.roles": (
        state,
        {"approvals": {"required": ["explore"]}},
        {"approvals": {"required": ["explore"], "roles": 2}},
    ),
    "model.url": (seat, {}, {"model": SERVED}),
    "model.name": (seat, {"model": SERVED}, {"model": {**SERVED, "name": "small"}}),
    "model.key_variable": (seat, {"model": SERVED}, {"model": {**SERVED, "key_variable": "OTHER_MODEL_KEY"}}),
    "model.timeout_seconds": (seat, {"model": SERVED}, {"model": {**SERVED, "timeout_seconds": 2.0}}),
    "early_indicators": (document, {}, {"early_indicators": {"payment_submitted": "hold"}}),
    "method": (method, {}, {"method": "fixed"}),
    "interference": (document, {}, {"interference": "shared_resource"}),
    "minimum_detectable_effect": (hypothesized, {}, {"minimum_detectable_effect": 0.3}),
}


def test_every_value_is_tried() -> None:
    elsewhere = {"implementation.page", "heterogeneity.causal_forest", "heterogeneity.most_units"}  # test_optimize
    assert set(ACTS) | elsewhere == set(EFFECTS)


@pytest.mark.parametrize("path", ACTS)
def test_another_value_makes_another_artifact(tmp_path: Path, path: str) -> None:
    observe, before, after = ACTS[path]
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    assert observe(tmp_path / "one", before) != observe(tmp_path / "other", after)


def test_what_differs_is_the_value(tmp_path: Path) -> None:
    one = document(tmp_path, {"experiment_config": {"min_sample_size": 9_999, "confidence_level": 0.99}})["plan"]
    assert (one["min_sample_size"], one["confidence_level"], one["runtime_days"]) == (9_999, 0.99, 14)
    assert document(tmp_path, {"experiment_config": {"runtime_days": 10}})["plan"]["runtime_days"] == 10
    both = document(tmp_path, {"statistical_methods": ["bayesian", "frequentist"]})["plan"]
    assert set(both["priors"]) == {"order_completed"}
