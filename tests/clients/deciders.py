"""Other providers' own SDKs, deciding from a file alone: no server, nothing sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paribus.flags.providers import Written

Json = dict[str, Any]
Answer = tuple[str | None, Any]
"""The variant in our name, None where the provider gives none; and the value."""
Decide = Callable[[str, Mapping[str, Any]], Answer]
NOTHING = "nothing was decided"


@contextmanager
def launchdarkly(written: Written, key: str, flag: Json, folder: Path) -> Iterator[Decide]:
    from ldclient import Context, LDClient
    from ldclient.config import Config
    from ldclient.integrations import Files

    path = folder / "launchdarkly.json"
    path.write_text(json.dumps(written.document))
    source = Files.new_data_source(paths=[str(path)])
    config = Config("file", update_processor_class=source, send_events=False, diagnostic_opt_out=True)
    client = LDClient(config, start_wait=5)
    assert client.is_initialized()

    def decide(unit: str, attributes: Mapping[str, Any]) -> Answer:
        builder = Context.builder(unit).kind(flag.get("unit_type", "user"))
        for name, value in attributes.items():
            builder.set(name, value)
        detail = client.variation_detail(key, builder.build(), NOTHING)
        assert detail.reason["kind"] != "ERROR", detail.reason
        return flag["variants"][detail.variation_index]["name"], detail.value

    yield decide
    client.close()


@contextmanager
def split(written: Written, key: str, flag: Json, folder: Path) -> Iterator[Decide]:
    from splitio import get_factory

    logging.getLogger("splitio").setLevel(logging.CRITICAL)
    path = folder / "split.json"
    path.write_text(json.dumps(written.document))
    factory = get_factory("localhost", config={"splitFile": str(path)})
    factory.block_until_ready(10)
    client = factory.client()
    ours = {written.names.get(each["name"], each["name"]): each["name"] for each in flag["variants"]}

    def decide(unit: str, attributes: Mapping[str, Any]) -> Answer:
        treatment, configuration = client.get_treatment_with_config(unit, key, dict(attributes))
        return ours[treatment], json.loads(configuration)["value"]

    yield decide
    factory.destroy()


@contextmanager
def optimizely(written: Written, key: str, flag: Json, folder: Path) -> Iterator[Decide]:
    from optimizely.decision.optimizely_decide_option import OptimizelyDecideOption
    from optimizely.event_dispatcher import EventDispatcher
    from optimizely.helpers.sdk_settings import OptimizelySdkSettings
    from optimizely.optimizely import Optimizely

    class Silent(EventDispatcher):
        @staticmethod
        def dispatch_event(event: Any) -> None:
            raise AssertionError("something was sent")

    client = Optimizely(
        json.dumps(written.document),
        event_dispatcher=Silent,
        default_decide_options=[OptimizelyDecideOption.DISABLE_DECISION_EVENT],
        settings=OptimizelySdkSettings(odp_disabled=True),
    )
    assert client.is_valid

    def decide(unit: str, attributes: Mapping[str, Any]) -> Answer:
        user = client.create_user_context(unit, dict(attributes))
        assert user is not None
        decision = user.decide(key)
        value = decision.variables["value"]
        return decision.variation_key, value

    yield decide
    client.close()


@contextmanager
def unleash(written: Written, key: str, flag: Json, folder: Path) -> Iterator[Decide]:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    cache = FileCache("paribus", str(folder))
    cache.bootstrap_from_dict(written.document)
    client = UnleashClient(
        "http://127.0.0.1:9/api", "paribus", cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)
    name = "userId" if flag.get("unit_type", "user") == "user" else flag["unit_type"]

    def decide(unit: str, attributes: Mapping[str, Any]) -> Answer:
        variant = client.get_variant(key, {name: unit, "properties": dict(attributes)})
        if not variant["feature_enabled"] or not variant["enabled"]:
            return None, NOTHING
        return variant["name"], json.loads(variant["payload"]["value"])

    yield decide
    client.destroy()


SDKS = {"launchdarkly": launchdarkly, "split": split, "optimizely": optimizely, "unleash": unleash}
