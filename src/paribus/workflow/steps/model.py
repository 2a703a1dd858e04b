"""Step 9: models that decide, within a budget, with a fallback, compared and watched; or why none takes part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paribus.errors import InputError, NotFound
from paribus.workflow.architecture.journey import metric_events
from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome, Part
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Table
from paribus.workflow.code.service import Service, plan_service
from paribus.workflow.code.trial import Trial, try_tests
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.code import ModelFacts, ModelVariant, TestRun
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.facts.instrument import InstrumentFacts

if TYPE_CHECKING:
    from paribus.exploration.event_log import EventLog
    from paribus.workflow.modelling.features import FeatureSet
    from paribus.workflow.modelling.training import Detection, Trained

WHY_NOT = (
    "No model takes part in this feature: implementation.model is false in its configuration, so the flag's variants "
    "decide by themselves. Set implementation.model to true to train, serve and compare one."
)
BUDGET_SECONDS = 0.05
OWNER = "machine-learning"
COMMAND = "python -m unittest test_model"
PIPELINE = "python pipeline.py --data FOLDER && python serve.py --data FOLDER"
ONLINE = "python quality.py --data FOLDER   # by arm, when the labels have come"
HELD, FEATURES, CONFIG, WATCH, SPEED, RUN = "held_out", "features", "config", "watch", "speed", "tests"


class NoFacts(Part):
    """A step that does not apply has no facts."""


def run(context: Context) -> Artifact:
    """Champion and challenger, registered and tried; not applicable unless the configuration asks for a model.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
    """
    if not context.config.implementation.model:
        return context.artifact("model", WHY_NOT, NoFacts(), evidence={}, not_applicable=WHY_NOT)
    from paribus.models import OnnxModel, register
    from paribus.workflow.modelling.features import read_features
    from paribus.workflow.modelling.package import package_files
    from paribus.workflow.modelling.training import train_both, try_watch

    service = _service(context)
    label = _label(context)
    with _opened(context) as log:
        try:
            features = read_features(log, label)
            trained = train_both(features)
        except InputError as error:
            return _untrainable(context, str(error))
        trained_on = f"{log.source} {log.version}"
    context.progress(0.6, "trained; trying faults and drift")
    models, registered = {}, []
    for each in trained:
        key = f"{context.feature.key}-{each.name}"
        made = register(
            context.store,
            context.folder,
            key,
            each.content,
            inputs=each.inputs,
            owner=OWNER,
            author=f"workflow:{context.feature.key}",
            reason="step model",
            output="score",
            label=label,
            trained_on=trained_on,
        )
        registered.append(made)
        models[each.name] = (each, made.document)
    challenger, document = models["challenger"]
    loaded = OnnxModel(challenger.content, document)
    detection = try_watch(features, loaded, context.seed)
    speed = context.once("latency", lambda: _timed(loaded, features))
    files = package_files(service, features, models, label=label, owner=OWNER, budget_seconds=BUDGET_SECONDS)
    trial = try_tests(files)
    facts = _facts(service, features, trained, models, detection, speed, trial, label)
    return context.artifact(
        "model",
        _summary(facts, trained, trial),
        facts,
        evidence=_evidence(features, trained_on, context),
        assumptions=(
            "Features are read before a cut in the history and labels after it; a model that is served later sees "
            "behavior that may have changed, which the drift watch looks for.",
            "Units held out are those whose hash lies in the last 30%; no model was trained on them.",
            "The label is the success event of the feature: the score is a chance, not a cause.",
            "Latency was measured in this process on this machine; the budget holds everywhere by the time-out.",
            "model_scored is sent with each score, so that quality.py can tell the quality by arm when the labels have "
            "come; add it to the tracking plan before it is served.",
        ),
        checks=_checks(trained, detection, trial, speed),
        files=tuple(File(path=path, text=text) for path, text in files.items()),
    )


def present(artifact: Artifact) -> list[Block]:
    """How good the versions are, who answers when one fails, how drift is found; or why no model takes part."""
    if artifact.not_applicable:
        return [Paragraph(artifact.not_applicable)]
    if not artifact.facts.get("variants"):
        return [Paragraph(artifact.summary)]
    facts = ModelFacts.model_validate(artifact.facts)
    texts = {file.path: file.text for file in artifact.files}
    drift = facts.drift
    return [
        Heading("The versions"),
        Table(
            ("Variant", "Model", "Features", "AUC", "Log loss", "Calibration error", "SHA-256"),
            [
                (
                    each.variant,
                    each.model,
                    str(len(each.inputs)),
                    _interval(each.quality["auc"]),
                    f"{each.quality['log_loss'].value:.4f}",
                    f"{each.quality['calibration_error'].value:.4f}",
                    each.sha256[:12],
                )
                for each in facts.variants
            ],
            caption="On units that nothing was trained on. The experiment, not this table, decides between them.",
            right=("Features", "AUC", "Log loss", "Calibration error"),
        ),
        Paragraph(f"They predict `{facts.label}` from {facts.features_from}: {', '.join(facts.features)}."),
        Heading("Who answers"),
        Listing([f"{number}. {name}" for number, name in enumerate(facts.chain, 1)]),
        Paragraph(
            f"Each model has {facts.budget_ms.value:g} ms. Measured: median {_ms(facts.p50_ms)}, 99th percentile "
            f"{_ms(facts.p99_ms)}."
        ),
        Heading("Drift"),
        Paragraph(
            f"Every {drift['rows']} rows PSI and Kolmogorov–Smirnov compare each input and the score with the rows "
            f"trained on; at most {drift['false_alarm_rate']:.0%} of windows without drift raise an alarm "
            f"({drift['false_alarms']} of {drift['windows']} simulated). A shift of {drift['shift']} standard "
            f"deviations was found within {drift['found_within'] or 'more than 5000'} rows."
        ),
        Heading("The decision"),
        Code(texts.get("decider.py", ""), "python", "decider.py"),
        Code(f"{facts.pipeline}\n{ONLINE}\n{COMMAND}", "bash", "Train, register, serve; the quality; the tests"),
        Code(
            texts.get("Dockerfile", ""),
            "dockerfile",
            "The container that serves them; not built here",
        ),
        Code(texts.get("features.sql", ""), "sql", "The features"),
    ]


def _service(context: Context) -> Service:
    return plan_service(
        context.facts("architect", ArchitectFacts),
        context.facts("instrument", InstrumentFacts),
        framework=context.config.implementation.backend,
        provider="paribus",
        feature=context.feature.key,
        requirement=context.feature.requirement,
        flag_key=context.flag_key(),
    )


def _label(context: Context) -> str:
    metrics = context.facts("hypothesize", HypothesizeFacts).metrics
    success = next((metric for metric in metrics if metric.get("role", "success") == "success"), metrics[0])
    return metric_events(success)[0]


def _opened(context: Context) -> EventLog:
    from paribus.exploration.opening import open_lake, open_source

    if context.feature.source != "lake":
        return open_source(context.feature.source)
    reader = context.operations.lake()
    if reader is None:
        raise NotFound("no event has arrived yet", where=f"feature {context.feature.key}")
    return open_lake(reader)


def _untrainable(context: Context, why: str) -> Artifact:
    return context.artifact(
        "model",
        f"A model was asked for, and the history does not allow one: {why.splitlines()[0]}. The feature can go on "
        "without a model (implementation.model: false).",
        NoFacts(),
        evidence={},
        checks=(Outcome(name="enough history for a model", status="failed", message=why),),
    )


def _timed(model: Any, features: FeatureSet) -> dict[str, Any]:
    import time

    from paribus.models.latency import Latency

    rows = features.columns(model.names)[features.held][:1000]
    named = [dict(zip(model.names, map(float, row), strict=True)) for row in rows]
    latency = Latency()
    for row in [*named[:50], *named]:
        began = time.perf_counter()
        model.score(row)
        latency.add(time.perf_counter() - began)
    return {
        "p50_ms": round((latency.quantile(0.5) or 0.0) * 1000, 4),
        "p99_ms": round((latency.quantile(0.99) or 0.0) * 1000, 4),
        "rows": len(named),
    }


def _facts(
    service: Service,
    features: FeatureSet,
    trained: tuple[Trained, ...],
    models: dict[str, Any],
    detection: Detection,
    speed: dict[str, Any],
    trial: Trial,
    label: str,
) -> ModelFacts:
    arms = dict(zip(("champion", "challenger"), service.arms, strict=False))
    return ModelFacts(
        label=label,
        features=features.names,
        features_from="the events that the pipeline keeps, before the cut",
        variants=tuple(
            ModelVariant(
                variant=arms.get(each.name, each.name),
                model=f"{service.feature}-{each.name}",
                sha256=models[each.name][1].sha256,
                inputs=tuple(feature.name for feature in each.inputs),
                owner=OWNER,
                quality={
                    "auc": Measured(
                        value=round(each.quality.auc, 4),
                        low=round(each.quality.auc_low, 4),
                        high=round(each.quality.auc_high, 4),
                        level=0.95,
                        evidence=HELD,
                    ),
                    "log_loss": Measured(value=round(each.quality.log_loss, 4), evidence=HELD),
                    "base_log_loss": Measured(value=round(each.quality.base_log_loss, 4), evidence=HELD),
                    "brier": Measured(value=round(each.quality.brier, 4), evidence=HELD),
                    "calibration_error": Measured(value=round(each.quality.calibration_error, 4), evidence=HELD),
                    "rows": Measured(value=each.quality.rows, unit="units", evidence=HELD),
                },
                evidence=HELD,
            )
            for each in trained
        ),
        chain=("challenger (treatment)", "champion (control, and when the challenger fails)", "rule: the base rate"),
        budget_ms=Measured(value=BUDGET_SECONDS * 1000, unit="ms", evidence=CONFIG),
        p50_ms=Measured(value=speed["p50_ms"], unit="ms", evidence=SPEED),
        p99_ms=Measured(value=speed["p99_ms"], unit="ms", evidence=SPEED),
        drift={
            "rows": detection.rows,
            "false_alarm_rate": 0.01,
            "windows": detection.windows,
            "false_alarms": detection.false_alarms,
            "shift": detection.shift,
            "found_within": detection.found_within,
            "evidence": WATCH,
        },
        pipeline=PIPELINE,
        tests=TestRun(command=COMMAND, passed=trial.passed, failed=trial.failed, note=trial.note, evidence=RUN),
        evidence=FEATURES,
    )


def _evidence(features: FeatureSet, trained_on: str, context: Context) -> dict[str, Evidence]:
    return {
        FEATURES: Evidence(
            kind="sql", title="Features and label of each unit", statement=features.sql, data=trained_on
        ),
        HELD: Evidence(
            kind="run",
            title="Scores of units held out, against what they did after the cut",
            statement="units whose SHA-256 lies in the last 30%; logistic regression by IRLS on the others",
            data=trained_on,
        ),
        CONFIG: Evidence(kind="config", title="The budget of one model", statement=f"{BUDGET_SECONDS} seconds"),
        WATCH: Evidence(
            kind="simulation",
            title="The drift watch on random parts of the history: one is the reference, the other the window",
            statement="windows without a shift, and with every input moved by half a standard deviation",
            data=f"seed {context.seed}",
        ),
        SPEED: Evidence(
            kind="run",
            title="Single rows scored in this process, once for this step",
            statement="OnnxModel.score, one thread",
            data="rows held out, at most 1000",
        ),
        RUN: Evidence(kind="run", title="The generated tests, with planted faults", statement=COMMAND),
    }


def _summary(facts: ModelFacts, trained: tuple[Trained, ...], trial: Trial) -> str:
    champion, challenger = trained
    better = challenger.quality.log_loss < champion.quality.log_loss
    tests = f"{trial.passed} tests with planted faults pass" if not trial.failed else f"{trial.failed} tests fail"
    return (
        f"Two models predict {facts.label}: the champion with an AUC of {champion.quality.auc:.2f} and the challenger "
        f"with {challenger.quality.auc:.2f} on units they were not trained on; on those the challenger is "
        f"{'better' if better else 'no better'}. They are the variants of the flag, so the experiment decides between "
        f"them. A model that is late or fails is answered by the one before it, then by a rule; {tests}."
    )


def _checks(
    trained: tuple[Trained, ...], detection: Detection, trial: Trial, speed: dict[str, Any]
) -> tuple[Outcome, ...]:
    useless = [each.name for each in trained if each.quality.auc_low <= 0.5]
    late = speed["p99_ms"] > BUDGET_SECONDS * 1000
    return (
        Outcome(
            name="generated tests with planted faults",
            status="failed" if trial.failed or not trial.ran else "passed",
            message=f"failed: {trial.note}" if trial.failed else f"{trial.passed} passed",
            evidence=RUN,
        ),
        Outcome(
            name="better than chance on units held out",
            status="warned" if useless else "passed",
            message=f"no better than chance: {', '.join(useless)}" if useless else "both",
            blocking=False,
            evidence=HELD,
        ),
        Outcome(
            name="99th percentile within the budget",
            status="failed" if late else "passed",
            message="beyond the budget: answers would fall back" if late else "within it",
            evidence=SPEED,
        ),
        Outcome(
            name="a planted shift is found",
            status="passed" if detection.found_within else "warned",
            message="found" if detection.found_within else "not found within 5000 rows",
            blocking=False,
            evidence=WATCH,
        ),
    )


def _interval(measured: Measured) -> str:
    return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f})"


def _ms(measured: Measured | None) -> str:
    return f"{measured.value:.2f} ms" if measured is not None and measured.value is not None else "not measured"
