"""Commands about one experiment: analyze, init, seal, certify, design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json, progress
from paribus.cli.delivery import deliver
from paribus.cli.written_options import belief, covariates, share, weights
from paribus.errors import InputError, NotFound

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Connection = Annotated[str | None, typer.Option("--source", help="Database URL; the source is then a table's name.")]


@answers
def analyze(
    source: Annotated[
        str,
        typer.Argument(help="experiment.yaml, a file with one row per unit, or the key of an experiment on a flag."),
    ],
    unit: Annotated[str | None, typer.Option(help="Column of the unit's id.")] = None,
    variant: Annotated[str | None, typer.Option(help="Column of the variant.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="Metric column, or NUMERATOR/DENOMINATOR for a ratio; repeat.")
    ] = None,
    control: Annotated[str | None, typer.Option(help="The control's name.")] = None,
    lower: Annotated[list[str] | None, typer.Option(help="Metric of which less is better; repeat.")] = None,
    segment: Annotated[list[str] | None, typer.Option(help="Column to break effects down by; repeat.")] = None,
    split: Annotated[str | None, typer.Option(help="Planned split, for instance control=50,treatment=50.")] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="METRIC=COLUMN from before exposure, for CUPED; repeat.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Column of the randomized cluster.")] = None,
    exposed_at: Annotated[str | None, typer.Option(help="Column of the first exposure's time.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Confidence level, 0.95 unless given.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Only what was known before this time (ISO 8601).")] = None,
    connection: Connection = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Print the report to this file; Chromium does it.")] = None,
    notebook: Annotated[
        Path | None, typer.Option(help="Write the report as a Jupyter notebook that computes the result again.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the estimates as CSV.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the result with its proof, for paribus verify.")] = None,
    since_exposure: Annotated[
        bool, typer.Option("--since-exposure", help="Also show effects by days since exposure: do they fade?")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="More are quicker on large files; the last digits then vary from run to run.")
    ] = 1,
    proof: Annotated[str, typer.Option(help="'full' hashes data files of any size.")] = "standard",
    data: Annotated[Path | None, typer.Option("--data", help="The data folder, for an experiment on a flag.")] = None,
    treated: Annotated[
        str | None, typer.Option(help="Nothing was randomized: column that is 1 from the period on of treatment.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="With --treated or --count: column of the period.")] = None,
    estimator: Annotated[
        str | None, typer.Option(help="With --treated: did, synthetic-control, synthetic-did or all.")
    ] = None,
    count: Annotated[
        str | None, typer.Option(help="Summaries instead of units: the units so far, CONTROL,TREATMENT columns.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="With --count: the means, CONTROL,TREATMENT columns.")] = None,
    variance: Annotated[str | None, typer.Option(help="With --count: the variances of single units.")] = None,
    sd: Annotated[str | None, typer.Option(help="With --count: standard deviations, instead of variances.")] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="With --count: column that tells experiments or metrics apart; repeat.")
    ] = None,
    increments: Annotated[
        bool, typer.Option("--increments", help="With --count: each row holds its own period's units.")
    ] = False,
    n_opt: Annotated[
        float | None, typer.Option(help="With --count: units that were planned, where the sequence is tightest.")
    ] = None,
    effect_sd: Annotated[
        float | None, typer.Option(help="With --count: add a mixture test for effects of this standard deviation.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what happened, whether it can be believed, and what the plan says to do."""
    from paribus import app

    experiments_only = {
        "--lower": lower,
        "--segment": segment,
        "--covariate": covariate,
        "--cluster": cluster,
        "--exposed-at": exposed_at,
        "--as-of": as_of,
        "--pdf": pdf,
        "--notebook": notebook,
        "--csv": csv,
        "--save": save,
        "--since-exposure": since_exposure,
        "--data": data,
        "--proof": proof != "standard",
    }
    if any((count, mean, variance, sd, by, increments, n_opt is not None, effect_sd is not None)):
        from paribus.cli.running import deliver_running

        deliver_running(
            source,
            count=count,
            mean=mean,
            variance=variance,
            sd=sd,
            time=time,
            by=by or [],
            variant=variant,
            control=control,
            increments=increments,
            split=weights(split) if split else None,
            n_opt=n_opt,
            effect_sd=effect_sd,
            confidence=confidence,
            connection=connection,
            html=html,
            as_json=as_json,
            other={
                "--unit": unit,
                "--metric": metric,
                "--treated": treated,
                "--estimator": estimator,
                **experiments_only,
            },
        )
        return
    if treated is not None or time is not None or estimator is not None:
        from paribus.cli.panel import deliver_panel

        deliver_panel(
            source,
            unit=unit,
            time=time,
            treated=treated,
            metric=metric or [],
            estimator=estimator or "all",
            confidence=confidence,
            connection=connection,
            html=html,
            as_json=as_json,
            other={
                "--variant": variant,
                "--control": control,
                "--split": split,
                **experiments_only,
            },
        )
        return
    if data is not None or _is_stored(source, unit, variant, metric, connection):
        from paribus.app.lake import analyze_stored
        from paribus.settings import from_environment

        if data is None and not from_environment().data.exists():
            raise NotFound(
                f"there is neither a file {source!r} nor a data folder that holds such an experiment",
                where=source,
                fix="name a file with its ending, or --data with the folder of your server",
            )
        result = analyze_stored(
            source,
            data=data,
            as_of=as_of,
            segments=segment or (),
            since_exposure=since_exposure,
            threads=threads,
        )
        deliver(result, html=html, pdf=pdf, notebook=notebook, csv=csv, save=save, as_json=as_json)
        return
    if proof not in ("standard", "full"):
        raise InputError(f"{proof!r} is no kind of proof", where="--proof", rule="standard or full")
    result = app.analyze(
        source,
        unit=unit,
        variant=variant,
        metrics=metric or (),
        control=control,
        lower=lower or (),
        segments=segment or (),
        split=weights(split) if split else None,
        covariates=covariates(covariate or []),
        cluster=cluster,
        exposed_at=exposed_at,
        confidence_level=confidence,
        as_of=as_of,
        connection=connection,
        full_proof=proof == "full",
        since_exposure=since_exposure,
        threads=threads,
    )
    deliver(result, html=html, pdf=pdf, notebook=notebook, csv=csv, save=save, as_json=as_json)


def _is_stored(source: str, *table: object) -> bool:
    """Whether the source is the key of an experiment in the store: a bare word, and nothing that describes a table."""
    return not any(table) and not Path(source).exists() and not set(source) & set("./*\\:")


@answers
def init(
    source: Annotated[str, typer.Argument(help="A file with one row per unit, or a table's name.")],
    to: Annotated[Path | None, typer.Option(help="Where to write; experiment.yaml beside the file.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
    connection: Connection = None,
    as_json: Json = False,
) -> None:
    """Write a commented experiment.yaml for a table, with the columns it inferred."""
    from paribus import app

    path, doubts = app.init(source, to=to, connection=connection, force=force)
    if as_json:
        print_json({"file": str(path), "doubts": list(doubts)})
        return
    typer.echo(f"wrote {path}")
    for doubt in doubts:
        typer.echo(f"  please check: {doubt}")
    typer.echo(f"next: read it, then  paribus seal {path}  and  paribus analyze {path}")


@answers
def seal(
    path: Annotated[Path, typer.Argument(help="experiment.yaml")],
    author: Annotated[str | None, typer.Option(help="Who seals; git's user unless given.")] = None,
    amend: Annotated[str | None, typer.Option(help="Why the plan is sealed again; kept in its history.")] = None,
    as_json: Json = False,
) -> None:
    """Register the plan beside its file, so that a verdict can be given."""
    from paribus import app
    from paribus.experiments.seal import seal_path

    done = app.seal(path, author=author, amend=amend)
    if as_json:
        print_json(
            {
                "file": str(seal_path(path)),
                "hash": done.hash,
                "author": done.author,
                "time": done.time.isoformat(),
                "timing": done.timing,
                "rows_readable": done.rows_readable,
            }
        )
        return
    typer.echo(f"sealed {path} as {done.hash[:16]}… by {done.author}, {done.time:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"  {done.timing}: {done.rows_readable:,} rows could be read when it was sealed; unanchored")
    if done.amendments:
        typer.echo(f"  {done.amendments[-1].sentence}")
    typer.echo(f"  keep {seal_path(path)} in version control: a commit dates it for others")


@answers
def certify(
    path: Annotated[Path, typer.Argument(help="experiment.yaml, over history without the feature.")],
    replications: Annotated[int, typer.Option(help="Re-randomizations.", min=100)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the re-randomization.")] = 0,
    as_json: Json = False,
) -> None:
    """Test the design on your own history: type I error, power, detectable effect, best CUPED window."""
    from paribus import app

    with progress("certifying") as tick:
        certificate = app.certify(path, replications=replications, seed=seed, progress=tick)
    if as_json:
        print_json(certificate.to_dict())
    else:
        typer.echo(certificate.text())


@answers
def design(
    source: Annotated[Path | None, typer.Argument(help="experiment.yaml with history; or give numbers.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The control's value, for instance 0.12 or 12%.")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation per unit; without it a proportion.")] = None,
    mde: Annotated[str | None, typer.Option(help="Relative effect to detect, for instance 3%.")] = None,
    daily_units: Annotated[float | None, typer.Option(help="New units per day, all arms together.")] = None,
    method: Annotated[
        str | None, typer.Option(help="fixed (unless given), group_sequential, anytime or bayesian.")
    ] = None,
    confidence: Annotated[float | None, typer.Option(help="Confidence level.")] = None,
    power: Annotated[
        float | None, typer.Option(help="Probability to find the effect, 0.8 unless given.", min=0.5, max=0.999)
    ] = None,
    arms: Annotated[int, typer.Option(help="Arms, the control included.", min=2)] = 2,
    guardrails: Annotated[int, typer.Option(help="Guardrail metrics, whose power is paid for.", min=0)] = 0,
    prior: Annotated[
        str | None,
        typer.Option(help="MEAN,SD of what is believed of the relative effect, for the chance to win at all: 0%,3%."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also sizes by other calculators and boundaries, and why they differ.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Write the curve of power as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Sample size, runtime and detectable effect, and what the whole decision rule promises."""
    from paribus import app
    from paribus.errors import did_you_mean
    from paribus.experiments.plan import Method, Plan

    if method is not None and method not in list(Method):
        known = [each.value for each in Method]
        raise InputError(f"{method!r} is no method", where="--method", fix=did_you_mean(method, known))
    plan = None
    if any(given is not None for given in (method, confidence, power)):
        plan = Plan(method=Method(method or "fixed"), confidence_level=app.as_level(confidence), power=power or 0.8)
    with progress("simulating") as tick:
        sizing = app.design(
            source,
            baseline=share(baseline, "--baseline"),
            sd=sd,
            mde=share(mde, "--mde"),
            daily_units=daily_units,
            plan=plan,
            arms=arms,
            guardrails=guardrails,
            prior=belief(prior),
            seed=seed,
            progress=tick,
        )
    if plot is not None:
        sizing.plot().save(plot)
    if as_json:
        print_json(sizing.to_dict())
    else:
        typer.echo(sizing.text())
        if compare:
            typer.echo(f"\n{sizing.compare().text()}")
