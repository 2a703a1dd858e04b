"""Step 11: the experiment configured as sealed, assignment tested, the kill switch rehearsed, alerts written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paribus.monitoring.watch import save
from paribus.rollout.beta import prepare
from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.block import Block
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts, Stage
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.launch import SetupFacts
from paribus.workflow.launching import configuration_page
from paribus.workflow.launching.alerts import prometheus, rules, service_levels
from paribus.workflow.launching.configuration import control_of, differences, targeting
from paribus.workflow.launching.dashboard import grafana
from paribus.workflow.launching.guards import watch_of
from paribus.workflow.launching.randomization import examine, failures, taking_part
from paribus.workflow.launching.rehearsal import rehearse
from paribus.workflow.validation.staging import endpoint_of

Json = dict[str, Any]
SLUG = "setup"
AUTHOR = "cloud-infrastructure::deployment-engineer"
LARGEST_START_BP = 1000
EXPLAINED = 3


def run(context: Context) -> Artifact:
    """The configuration, tested; every difference to the sealed plan stops the launch."""
    design = context.facts("design", DesignFacts)
    architect = context.facts("architect", ArchitectFacts)
    instrument = context.facts("instrument", InstrumentFacts) if "instrument" in context.artifacts else None
    environment, key = context.feature.environment, design.flag
    revision = context.operations.find("flag", key)
    if revision is None or revision.body is None:
        revision = context.operations.write(
            "flag", key, architect.flag, author=AUTHOR, reason=f"set up as drafted for {context.feature.key}"
        )
    configured = dict(revision.body or {})
    flag: Json = context.once("configured", lambda: {"flag": configured})["flag"]  # before the rehearsal changes it
    sealed = context.operations.seal(design.experiment, author=AUTHOR)
    refused = _differences(context, design, key, flag, sealed.hash)

    control = control_of(flag, design.document)
    acts = context.config.monitoring.automatic_rollback
    plan = instrument.plan if instrument is not None else context.operations.tracking_plan()
    watch, left = watch_of(design.experiment, key, environment, design.document, plan, control=control, acts=acts)
    save(context.store, watch, author=AUTHOR, reason=f"watch over {design.experiment}")

    attributes = taking_part(design.audience)
    stages = architect.stages
    for cap in [stage.cap_units for stage in stages if stage.cap_units]:
        treatment = next(arm for arm in watch.weights if arm != control)
        prepare(context.store, environment, key, treatment, cap)
    start_bp = _start_bp(stages)
    context.progress(0.2, "assigning 100,000 units")
    found = examine(
        context.operations.snapshot(environment),
        key,
        attributes=attributes or {},
        start_bp=start_bp,
        stages_bp=[stage.traffic_bp for stage in stages if stage.in_analysis],
    )
    context.progress(0.6, "rehearsing the kill switch")
    endpoint = endpoint_of(context)
    rehearsal = context.once("kill_rehearsal", lambda: rehearse(endpoint, key, control, attributes or {}, context.once))
    read_back = context.operations.find("flag", key)
    levels = service_levels(None)
    facts = SetupFacts(
        experiment=design.experiment,
        flag=key,
        flag_revision=rehearsal["revision"],
        environment=environment,
        start_traffic_bp=start_bp,
        kill_rehearsal={**rehearsal, "evidence": "rehearsal"},
        randomization={**found, "evidence": "randomization"},
        alerts=rules(
            design.document.get("metrics", ()),
            watch.guards,
            method=design.chosen_method,
            acts=acts,
            detects=context.config.monitoring.anomaly_detection,
            holds=context.config.monitoring.error_budget_holds,
        ),
        control=control,
        arms=tuple(watch.weights),
        weights=watch.weights,
        guards=tuple({**guard.model_dump(mode="json")} for guard in watch.guards),
        targeting=tuple(targeting(key, flag, environment)),
        explained=_explained(context, key, attributes or {}, start_bp),
        stages=tuple(_stage(stage) for stage in stages),
        service_levels=tuple(level.openslo(key, arm) for level in levels for arm in watch.weights),
        plan_hash=sealed.hash,
    )
    checks = _checks(
        context,
        facts,
        refused,
        found,
        attributes,
        left,
        _as_written(flag, read_back.body if read_back is not None else None),
    )
    return context.artifact(
        SLUG,
        configuration_page.summary(facts, checks),
        facts,
        evidence=_evidence(context, facts, sealed.hash),
        assumptions=(
            "Units are identified alike wherever the flag is evaluated; a unit that changes its id is drawn again.",
            f"A unit that errs is counted once; a treatment with up to {watch.guards[0].tolerated_ratio:g} times "
            "control's share of such units is within tolerance, since livelier users meet more errors too.",
            "The rehearsal ran in staging with one client on this machine: the time it shows has no network in it.",
        ),
        checks=checks,
        files=_files(context, key, flag, design, watch.model_dump(mode="json"), stages, facts, levels),
    )


def present(artifact: Artifact) -> list[Block]:
    """Shares measured against shares sealed, the rehearsal, who takes part, what fires."""
    return configuration_page.blocks(artifact)


def _differences(
    context: Context, design: DesignFacts, key: str, flag: Mapping[str, Any], plan_hash: str
) -> tuple[str, ...]:
    found = list(differences(key, flag, context.feature.environment, design.document))
    stored = context.operations.find("experiment", design.experiment)
    if stored is None or stored.body is None:
        found.append(f"the experiment {design.experiment} is not stored")
    elif dict(stored.body) != dict(design.document):
        found.append(f"the stored experiment {design.experiment} is not the one that was designed")
    if plan_hash != design.plan_hash:
        found.append(f"the seal is {plan_hash[:12]}, the design was sealed as {design.plan_hash[:12]}")
    return tuple(found)


def _start_bp(stages: tuple[Stage, ...]) -> int:
    """The traffic of the last stage of at most a tenth: where randomized units first enter in numbers."""
    small = [stage.traffic_bp for stage in stages if stage.in_analysis and 0 < stage.traffic_bp <= LARGEST_START_BP]
    return max(small) if small else next((stage.traffic_bp for stage in stages if stage.in_analysis), LARGEST_START_BP)


def _explained(context: Context, key: str, attributes: Json, start_bp: int) -> tuple[Json, ...]:
    from paribus_sdk import Evaluator

    from paribus.workflow.launching.randomization import at_traffic

    evaluator = Evaluator(at_traffic(context.operations.snapshot(context.feature.environment), key, start_bp))
    found: list[Json] = []
    seen: set[str] = set()
    for number in range(2_000):
        unit = f"unit-{number:06d}"
        explained = evaluator.explain(key, unit, attributes)
        kind = f"{explained.decision.reason}/{explained.decision.variant}"
        if kind not in seen:
            seen.add(kind)
            found.append({"unit": unit, "variant": explained.decision.variant, "text": str(explained)})
        if len(found) == EXPLAINED:
            break
    return tuple(found)


def _as_written(flag: Mapping[str, Any], back: Mapping[str, Any] | None) -> bool:
    """Whether the flag reads back as it was configured, but for what the rehearsal left of itself."""
    return _plain(flag) == _plain(back or {})


def _plain(flag: Mapping[str, Any]) -> Json:
    """A flag's body with what equals the default left out, so that killed and revived is as before."""
    from paribus.flags.document import Flag

    return Flag.model_validate(dict(flag)).model_dump(exclude_defaults=True) if flag else {}


def _checks(
    context: Context,
    facts: SetupFacts,
    refused: tuple[str, ...],
    found: Json,
    attributes: Json | None,
    left: tuple[str, ...],
    is_read_back: bool,
) -> tuple[Outcome, ...]:
    broken = failures(found)
    start = facts.start_traffic_bp
    allocation = context.config.experiment_config.traffic_allocation
    small = start <= LARGEST_START_BP
    slowest = facts.kill_rehearsal["slowest_kill_seconds"]
    guards = ", ".join(f"{each['name']} ({each['budget']:.2%})" for each in facts.guards)
    return (
        Outcome(
            name="Configured as sealed",
            status="failed" if refused else "passed",
            message="; ".join(refused) or f"flag, split, control and unit are those of plan {facts.plan_hash[:12]}",
            evidence="configuration",
        ),
        Outcome(
            name="Read back equal",
            status="passed" if is_read_back else "failed",
            message="the stored flag is the one that was configured"
            if is_read_back
            else "the stored flag differs from what was configured",
            evidence="configuration",
        ),
        Outcome(
            name="Starts small",
            status="passed" if small else "warned",
            message=configuration_page.opening(facts)
            + ("" if small else f": traffic_allocation is {allocation}, nothing smaller is planned"),
            blocking=False,
            evidence="configuration",
        ),
        Outcome(
            name="Randomization",
            status="failed" if broken else "passed",
            message=f"failed: {', '.join(broken)}"
            if broken
            else f"{found['units']:,} units through the real evaluator: uniform, independent, in their shares, sticky, "
            "and nobody moves when traffic widens",
            evidence="randomization",
        ),
        Outcome(
            name="Targeting",
            status="passed" if attributes is not None else "warned",
            message="assignment was tested on units of the audience"
            if attributes is not None
            else "the audience's condition is more than equalities; assignment was tested without attributes",
            blocking=False,
            evidence="randomization",
        ),
        Outcome(
            name="Kill switch",
            status="passed" if facts.kill_rehearsal["treated_after"] else "failed",
            message=f"rehearsed {facts.kill_rehearsal['rounds']} times in staging: control everywhere within "
            f"{slowest:.3f} s, and revived",
            evidence="rehearsal",
        ),
        Outcome(
            name="Guardrails are watched",
            status="warned" if left else "passed",
            message=f"watched in the server, with their false-rollback budgets: {guards}"
            + (f"; {'; '.join(left)}" if left else ""),
            blocking=False,
            evidence="configuration",
        ),
    )


def _evidence(context: Context, facts: SetupFacts, plan_hash: str) -> dict[str, Evidence]:
    return {
        "configuration": Evidence(
            kind="config",
            title="The flag, the sealed plan and the rollout plan as stored",
            statement=f"plan {plan_hash}; paribus.yaml {context.config.hash}",
            data=f"flag {facts.flag}, revision {facts.flag_revision}",
        ),
        "randomization": Evidence(
            kind="run",
            title=f"{facts.randomization['units']:,} units decided by the SDK's evaluator",
            statement="units unit-000000 and on, the definitions of the environment, chi-squared and binomial tests",
            data=f"flag {facts.flag}",
        ),
        "rehearsal": Evidence(
            kind="run",
            title="Kill and revive through the server, seen by a client",
            statement=f"POST /api/v1/flags/{facts.flag}/kill and /revive, environment staging; "
            f"{facts.kill_rehearsal['units']} units asked until all had followed",
            data=f"flag {facts.flag}, revision {facts.flag_revision}",
        ),
    }


def _files(
    context: Context,
    key: str,
    flag: Json,
    design: DesignFacts,
    watch: Json,
    stages: tuple[Stage, ...],
    facts: SetupFacts,
    levels: Any,
) -> tuple[File, ...]:
    documents = [
        each for level in levels for arm in facts.arms for each in (level.openslo(key, arm), level.openslo_policy(arm))
    ]
    slo = "---\n".join(_yaml(each) for each in documents)
    return (
        File(path="configuration/flag.yaml", text=_yaml(flag)),
        File(path="configuration/experiment.yaml", text=_yaml(dict(design.document))),
        File(path="configuration/watch.yaml", text=_yaml(watch)),
        File(path="configuration/rollout.yaml", text=_yaml({"stages": [_stage(stage) for stage in stages]})),
        File(path="monitoring/prometheus.rules.yaml", text=prometheus(key, levels)),
        File(path="monitoring/openslo.yaml", text=slo),
        File(path="monitoring/grafana.json", text=grafana(key, context.feature.requirement, facts.arms)),
    )


def _stage(stage: Stage) -> Json:
    return {name: each for name, each in stage.model_dump(mode="json").items() if name != "evidence"}


def _yaml(body: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(body)), sort_keys=True, allow_unicode=True, width=120)
