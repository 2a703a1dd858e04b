"""paribus.yaml: the mission's block verbatim, mistakes at their line, and an effect for every value."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import paribus.workflow
from paribus.errors import DefinitionError, NotFound
from paribus.workflow.config import Config, check, json_schema_text, parse, read
from paribus.workflow.config_effect import EFFECTS, leaves
from paribus.workflow.config_text import commented

BLOCK = """\
experiment_config:
  min_sample_size: 10000
  confidence_level: 0.95
  runtime_days: 14
  traffic_allocation: "gradual"  # gradual, fixed, or adaptive

analytics_platforms:
  - amplitude
  - segment
  - mixpanel

feature_flags:
  provider: "launchdarkly"  # launchdarkly, split, optimizely, unleash

statistical_methods:
  - frequentist
  - bayesian

monitoring:
  - real_time_metrics: true
  - anomaly_detection: true
  - automatic_rollback: true
"""


def test_the_block_loads_verbatim() -> None:
    config = parse(BLOCK)
    assert config.experiment_config.min_sample_size == 10_000
    assert config.experiment_config.confidence_level == 0.95
    assert config.experiment_config.runtime_days == 14
    assert set(config.analytics_platforms) == {"amplitude", "segment", "mixpanel"}
    assert config.feature_flags.provider == "launchdarkly"
    assert config.statistical_methods == ("frequentist", "bayesian")
    assert config.monitoring.automatic_rollback


@pytest.mark.parametrize("text", ["", "# nothing\n", "economics:\n", "\ufeff# with a mark\n"])
def test_what_says_nothing_is_the_defaults(text: str) -> None:
    assert parse(text) == Config()
    assert parse(text.encode()) == Config()


def test_the_list_and_the_mapping_form_are_the_same() -> None:
    listed = parse("monitoring:\n  - real_time_metrics: false\n  - automatic_rollback: true\n")
    mapped = parse("monitoring: {automatic_rollback: true, real_time_metrics: false}")
    assert listed == mapped
    assert listed.hash == mapped.hash


def test_order_says_nothing() -> None:
    one = parse("statistical_methods: [bayesian, frequentist]\nanalytics_platforms: [segment, amplitude]")
    other = parse("analytics_platforms: [amplitude, segment]\nstatistical_methods: [frequentist, bayesian]")
    assert one.hash == other.hash


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("experiment_config:\n  confidence_level: 95\n", "2:21", "write 0.95"),
        ("experiment_config:\n  confidence_level: 1.5\n", "2:21", "between 0.5 and 1"),
        ("experiment_config:\n  min_sampel_size: 5\n", "2:3", "did you mean 'min_sample_size'?"),
        ("experiment_config:\n  runtime_days: 14.5\n", "2:17", "whole number"),
        ("experiment_config:\n  traffic_allocation: gradul\n", "2:23", "did you mean 'gradual'?"),
        ("\nmonitorin:\n  real_time_metrics: true\n", "2:1", "did you mean 'monitoring'?"),
        ("monitoring:\n  - real_time_metrics: true\n  - anomaly_detecton: true\n", "3:5", "'anomaly_detection'?"),
        ("monitoring:\n  - real_time_metrics: true\n  - real_time_metrics: true\n", "2:3", "given twice"),
        ("monitoring:\n  - real_time_metrics: yes\n", "2:24", "true or false"),
        ("monitoring: [true]\n", "1:13", "one key each"),
        ("feature_flags: {provider: launchdarky}\n", "1:27", "did you mean 'launchdarkly'?"),
        ("analytics_platforms: [amplitude, mixpanell]\n", "1:34", "did you mean 'mixpanel'?"),
        ("statistical_methods: []\n", "1:22", "at least one"),
        ("runtime_days: 14\n", "1:1", "belongs to experiment_config"),
        ("alpha: 0.05\n", "1:1", "confidence_level: 0.95"),
        ("approvals: {required: [desgin]}\n", "1:23", "did you mean 'design'?"),
        ("economics: {currency: usd}\n", "1:23", "three capital letters"),
        ("model: {url: localhost}\n", "1:14", "http://"),
        ("model: {key_variable: AWS_SECRET_ACCESS_KEY}\n", "1:23", "_MODEL_KEY"),
        ("minimum_detectable_effect: 5\n", "1:28", "5% or 0.05"),
        ("- a\n", "1:1", "mapping of keys"),
        ("a: [\n", "2", "not YAML"),
    ],
)
def test_a_mistake_is_told_where_it_stands_and_what_to_write(text: str, where: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    assert f"paribus.yaml:{where}" in str(caught.value)
    assert said in str(caught.value)


def test_several_mistakes_are_told_together() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("experiment_config: {confidence_level: 95, runtime_days: 0}\nfeature_flags: {provder: split}\n")
    assert "3 errors" in str(caught.value)


def test_a_missing_file_says_how_to_begin(tmp_path: Any) -> None:
    with pytest.raises(NotFound, match="paribus config init"):
        read(tmp_path / "paribus.yaml")


def test_every_value_has_its_effect_and_no_effect_is_left_over() -> None:
    assert {path for path, _ in leaves(Config())} == set(EFFECTS)
    shown = {row.path for row in check(parse(BLOCK))}
    assert {path for path, _ in leaves(parse(BLOCK))} == shown


@pytest.mark.parametrize(
    ("text", "path", "waits"),
    [
        ("experiment_config: {traffic_allocation: adaptive}", "experiment_config.traffic_allocation", "Adaptive"),
        ("feature_flags: {provider: unleash}", "feature_flags.provider", "Readers of other systems' flags"),
        ("analytics_platforms: [mixpanel]", "analytics_platforms[0]", "Forwarders"),
    ],
)
def test_what_is_accepted_and_does_not_act_yet_says_what_it_waits_for(text: str, path: str, waits: str) -> None:
    waiting = [row for row in check(parse(text)) if row.path == path and row.effect == "waits"]
    assert waiting
    assert waits in waiting[0].what


def test_the_defaults_wait_for_little() -> None:
    assert {row.path for row in check(Config()) if row.effect == "waits"} <= {"monitoring.automatic_rollback"}


def test_the_commented_file_states_the_defaults() -> None:
    assert parse(commented()) == Config()
    for path, _ in leaves(Config()):
        assert f"{path.rpartition('.')[2]}:" in commented()


def test_the_schema_accepts_what_we_accept() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(json_schema_text()))
    assert validator.is_valid(yaml.safe_load(BLOCK))
    assert validator.is_valid(yaml.safe_load(commented()))
    assert not validator.is_valid({"experiment_config": {"confidence_level": 95}})
    assert not validator.is_valid({"monitorin": {}})
    assert not validator.is_valid({"feature_flags": {"provider": "other"}})


def test_a_stored_configuration_comes_back_the_same() -> None:
    config = parse(BLOCK)
    assert Config.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config


def test_what_acts_is_read_by_the_workflow() -> None:
    room = Path(paribus.workflow.__file__).parent
    code = "\n".join(path.read_text() for path in room.rglob("*.py") if not path.name.startswith("config"))
    for path, _ in leaves(Config()):
        section, _, name = path.rpartition(".")
        assert f"{section}.{name}" in code or f".{name}" in code, f"{path} is said to act, and nothing reads it"


def test_a_forest_waits_for_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = parse("heterogeneity: {causal_forest: true}")

    def row() -> Any:
        return next(each for each in check(asked) if each.path == "heterogeneity.causal_forest")

    if find_spec("econml") is not None:
        assert row().effect == "acts"
    monkeypatch.setitem(sys.modules, "econml", None)
    assert row().effect == "waits"
    assert "paribus[forest]" in row().what
