"""Commands that take a feature through the sixteen steps: new, run, show, approve, reject, redo, export, scorecard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paribus.cli.answer import answers, colored, print_json, say
from paribus.cli.flag import Data, Json, author
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.app.feature import Workshop
    from paribus.settings import Settings
    from paribus.workflow.artifact import Artifact
    from paribus.workflow.dossier import StepState
    from paribus.workflow.walk import Stop

app = typer.Typer(
    name="feature",
    help="A feature from requirement to decision, in sixteen steps.",
    no_args_is_help=True,
)

DOORS = frozenset({"validate", "setup", "rollout", "monitor"})
"""Steps that speak to a running server."""
EXIT = {"done": 0, "until": 0, "blocked": 1, "rejected": 1, "approval": 3, "waiting": 4}
Key = Annotated[str, typer.Argument(help="The feature's key; paribus feature list.")]
StepArgument = Annotated[str | None, typer.Argument(help="The step; the one that waits for approval unless given.")]
StepOption = Annotated[str | None, typer.Option("--step", help="The step.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the dossier's history.")]


@app.command()
@answers
def new(
    requirement: Annotated[str, typer.Argument(help='What you want to build: "one-click checkout for returning …".')],
    config: Annotated[Path | None, typer.Option(help="paribus.yaml; the defaults without it.")] = None,
    source: Annotated[str, typer.Option(help="lake (the data folder), files, or a warehouse's URL.")] = "lake",
    key: Annotated[str | None, typer.Option(help="Its key; made of the requirement's words unless given.")] = None,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Environment of its flag.")] = "production",
    previous: Annotated[str, typer.Option(help="The feature whose follow-up this is.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write a feature down; nothing runs yet."""
    from paribus.app.admission import check_key
    from paribus.experiments.hypothesis import checked_requirement

    checked_requirement(requirement)
    check_key(key)
    with shop_of(data, create=True) as shop:
        made = shop.new(
            requirement,
            config=config,
            source=source,
            key=key,
            environment=environment,
            previous=previous,
            author=author(),
        )
    if as_json:
        print_json(made)
        return
    typer.echo(f"created {made['key']}: {made['requirement']}")
    typer.echo(f"next: paribus feature run {made['key']}")


@app.command("list")
@answers
def list_(data: Data = None, as_json: Json = False) -> None:
    """List the features and how far each is."""
    with shop_of(data) as shop:
        found = shop.features()
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo('no features yet; paribus feature new "one-click checkout for returning mobile users"')
    width = max((len(each["key"]) for each in found), default=0)
    for each in found:
        say(f"{each['key']:<{width}}  {_reached(each)}  {each['requirement']}", hang=2)


@app.command()
@answers
def run(
    key: Key,
    until: Annotated[str | None, typer.Option(help="The last step to make, for instance design.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Approve whatever waits for approval.")] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask at each approval.")] = False,
    as_author: Annotated[str | None, typer.Option("--author", hidden=True)] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the steps that are missing or stale; stops at approvals, and goes on where it was when killed.

    Exit status: 0 all done or as far as asked, 1 blocked or rejected, 3 waits for approval, 4 waits for time.
    """
    from paribus.workflow.step import named

    if auto and ask:
        raise InputError("--auto and --ask exclude each other", where="--auto", fix="give one of them")
    if until is not None:
        named(until)
    made: list[str] = []
    with _running(data) as (shop, told):
        stop = shop.run(
            key,
            until=until,
            auto=auto,
            ask=_asked if ask else None,
            told=_telling(shop, key, told, made, silent=as_json),
            author=as_author or author(),
        )
        after = shop.show(key)
    stop = _answered(stop, after)
    if as_json:
        print_json({**plain(stop), "made": made, "next": after["next"]})
    else:
        _say(stop, after)
    raise typer.Exit(EXIT[stop.kind])


@app.command()
@answers
def show(key: Key, step: StepOption = None, data: Data = None, as_json: Json = False) -> None:
    """Show how far a feature is; with --step, that step's artifact."""
    with shop_of(data) as shop:
        if step is not None:
            artifact = shop.dossier.artifact(key, step)
            if as_json:
                print_json(artifact.body())
                return
            from paribus.workflow.export import step_text

            typer.echo(step_text(artifact))
            return
        found = shop.show(key)
        summaries = {slug: artifact.summary for slug, artifact in shop.dossier.artifacts(key).items()}
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found['key']}: {found['requirement']}" + (" (simulated)" if found["simulated"] else ""))
    for each in found["steps"]:
        reason = f": {each['reason']}" if each["reason"] else ""
        whose = f" · {each['assignee']}" if each["assignee"] else ""
        said = f" · {each['comments']} comments" if each["comments"] else ""
        say(f"{each['number']:>3}  {each['title']:<13} {each['state']}{reason}{whose}{said}", hang=19)
        if each["step"] in summaries and each["state"] != "stale":
            say(f"     {_first_sentence(summaries[each['step']])}", hang=5)
    typer.echo("next: " + "\n      ".join(found["next"]))


@app.command()
@answers
def approve(
    key: Key,
    step: StepArgument = None,
    role: Annotated[str, typer.Option(help="In which role, where paribus.yaml asks for roles.")] = "",
    why: Why = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Agree to a step's artifact; the next step may begin."""
    with shop_of(data) as shop:
        state = shop.approve(key, step or _waiting_step(shop, key), author=author(), why=why, role=role)
    if as_json:
        print_json(state)
        return
    more = f" ({state['reason']})" if state["state"] != "done" and state["reason"] else ""
    typer.echo(f"approved {state['step']} of {key}: {state['state']}{more}")
    typer.echo(f"next: paribus feature run {key}")


@app.command()
@answers
def reject(key: Key, step: StepArgument = None, why: Why = "", data: Data = None, as_json: Json = False) -> None:
    """Refuse a step's artifact; the run goes on after a redo."""
    with shop_of(data) as shop:
        state = shop.reject(key, step or _waiting_step(shop, key), author=author(), why=why)
    if as_json:
        print_json(state)
        return
    typer.echo(f"rejected {state['step']} of {key}: {why}")
    typer.echo(f"next: paribus feature redo {key} --step {state['step']}")


@app.command()
@answers
def redo(
    key: Key,
    step: Annotated[str, typer.Option("--step", help="The step to make again.")],
    why: Why = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a step again at the next run; says which others are stale now."""
    with shop_of(data) as shop:
        stale = shop.redo(key, step, author=author(), why=why)
    if as_json:
        print_json({"feature": key, "step": step, "stale": list(stale)})
        return
    typer.echo(f"{step} of {key} will be made again")
    typer.echo(f"stale until then: {', '.join(stale) or 'nothing else'}")
    typer.echo(f"next: paribus feature run {key}")


@app.command()
@answers
def export(
    key: Key,
    folder: Annotated[Path, typer.Argument(help="A folder of its own, for git.")] = Path("dossier"),
    pdf: Annotated[Path | None, typer.Option(help="Print the page to this file too; Chromium does it.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the whole dossier as files that read without Paribus."""
    with shop_of(data) as shop:
        page = shop.export(key, folder)
    if pdf is not None:
        from paribus.app.paper import print_pdf

        print_pdf(page.read_text(encoding="utf-8"), pdf)
    if as_json:
        print_json({"folder": str(folder), "page": str(page), **({"pdf": str(pdf)} if pdf else {})})
        return
    typer.echo(f"wrote the dossier of {key} to {folder}; open {page}" + (f"; printed {pdf}" if pdf else ""))


@app.command()
@answers
def segments(
    key: Key,
    save: Annotated[str | None, typer.Option(help="Keep this segment as an audience that flags can name.")] = None,
    name: Annotated[str | None, typer.Option("--as", help="The audience's key; made of the segment's.")] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="Write what each user did, as segments by behavior read it, to this CSV file.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the segments that step 1 found, with their sizes; --save keeps one as an audience."""
    if name is not None and save is None:
        raise InputError("--as names what --save keeps", where="--as", fix="--save SEGMENT --as NAME")
    with shop_of(data) as shop:
        if attributes is not None:
            units = shop.behavior(key, attributes)
            if as_json:
                print_json({"file": str(attributes), "units": units})
            else:
                typer.echo(f"wrote {units:,} users to {attributes}; send their columns with the context of each")
            return
        found = shop.segments(key) if save is None else shop.save_segment(key, save, name=name, author=author())
    if as_json:
        print_json(found)
    elif isinstance(found, dict):
        counted = found["counted"]
        typer.echo(f"audience {found['audience']}, revision {found['revision']}: {found['description']}")
        typer.echo(f"{counted['units']:,} of {counted['of']:,} users from {counted['begin']} to {counted['end']}")
        typer.echo(f"next: in a flag's rule, when: {{audience: {found['audience']}}}")
    else:
        width = max((len(each["segment"]) for each in found), default=0)
        for each in found:
            kept = f"audience {each['audience']}, revision {each['revision']}" if each["audience"] else ""
            kept = kept or ("" if each["when"] else "no condition that a flag can evaluate")
            kept = kept or ("by what the client sends of the user: --attributes" if each["needs"] else "")
            typer.echo(f"{each['segment']:<{width}}  {each['units']:>10,}  {each['title']}  {kept}".rstrip())


@app.command()
@answers
def scorecard(key: Key, data: Data = None, as_json: Json = False) -> None:
    """Show the seven success criteria, computed from the artifacts."""
    with shop_of(data) as shop:
        found = shop.scorecard(key)
    if as_json:
        print_json(found)
        return
    width = max(len(each["title"]) for each in found.values())
    for each in found.values():
        if "rate" in each:
            each["sentence"] += f" {each['rate']['sentence']}"
        say(f"{each['status']:<8} {each['title']:<{width}}  {each['sentence']}", hang=11 + width)


def plain(stop: Stop) -> dict[str, Any]:
    """Why a run came to an end, as JSON."""
    return {
        "kind": stop.kind,
        "step": stop.step,
        "message": stop.message,
        "until": stop.until.isoformat() if stop.until else None,
    }


@contextmanager
def shop_of(data: Path | None, *, create: bool = False) -> Iterator[Workshop]:
    from paribus.app.feature import workshop

    with workshop(_settings(data), create=create) as shop:
        yield shop


@contextmanager
def _running(data: Path | None) -> Iterator[tuple[Workshop, Any]]:
    """The workshop with a server for the steps that need one: the running one, else one for the length of the run."""
    from paribus.app.feature import workshop
    from paribus.cli.child import child_server

    settings = _settings(data)
    with child_server(settings) as server, workshop(settings, create=False) as shop:

        def told(slug: str, what: str, seconds: float) -> None:
            if what == "running" and slug in DOORS:
                shop.endpoint = server.endpoint()

        yield shop, told


def _settings(data: Path | None) -> Settings:
    from paribus.settings import from_environment

    return from_environment(data=data)


def _telling(shop: Workshop, key: str, before: Any, made: list[str], *, silent: bool) -> Any:
    """A line for each step: number, title, role; then what was found, and how long it took."""
    from paribus.workflow.step import BY_SLUG

    def told(slug: str, what: str, seconds: float) -> None:
        before(slug, what, seconds)
        step = BY_SLUG[slug]
        if what == "running":
            if not silent:
                typer.echo(f"{step.number:>2} {step.title} · {step.role.rpartition('::')[2]} …")
            return
        made.append(slug)
        if not silent:
            say(f"   {_first_sentence(shop.dossier.artifact(key, slug).summary)} ({seconds:.1f} s)", hang=3)

    return told


def _asked(state: StepState, artifact: Artifact) -> bool | None:
    """Asks at the keyboard; no answer leaves it open."""
    from paribus.workflow.export import step_text

    typer.echo(f"\n{step_text(artifact)}")
    if not sys.stdin.isatty() and sys.stdin.closed:
        return None
    try:
        answer = typer.prompt(f"Approve {state.step.title}? [y]es, [n]o, [l]ater", default="l", show_default=False)
    except typer.Abort:
        return None
    return {"y": True, "yes": True, "n": False, "no": False}.get(answer.strip().lower())


def _answered(stop: Stop, after: dict[str, Any]) -> Stop:
    """The stop after what was said at the keyboard: a rejection is more than an open approval."""
    state = next(each for each in after["steps"] if each["step"] == stop.step)
    if stop.kind == "approval" and state["state"] == "rejected":
        return replace(stop, kind="rejected", message=state["reason"])
    return stop


def _say(stop: Stop, after: dict[str, Any]) -> None:
    color = {"blocked": typer.colors.RED, "rejected": typer.colors.RED, "approval": typer.colors.YELLOW}.get(stop.kind)
    when = f", until {stop.until:%Y-%m-%d %H:%M} UTC" if stop.until else ""
    typer.secho(f"{stop.kind} at {stop.step}: {stop.message}{when}", fg=color if colored() else None)
    typer.echo("next: " + "\n      ".join(after["next"]))


def _waiting_step(shop: Workshop, key: str) -> str:
    """The step that waits for approval."""
    waiting = [each["step"] for each in shop.show(key)["steps"] if each["state"] == "waits for approval"]
    if not waiting:
        raise InputError(
            f"no step of {key} waits for approval",
            where="step",
            rule="without a step, the one that waits is meant",
            fix=f"name the step: paribus feature show {key} lists them",
        )
    return str(waiting[0])


def _reached(feature: dict[str, Any]) -> str:
    done = [each for each in feature["steps"] if each["state"] == "done"]
    open_ = next((each for each in feature["steps"] if each["state"] != "done"), None)
    if open_ is None:
        return "16 of 16, decided"
    return f"{len(done):>2} of 16, {open_['step']}: {open_['state']}"


def _first_sentence(text: str) -> str:
    """The first sentence of a summary, on one line."""
    import re

    line = " ".join(text.replace("**", "").split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", line, maxsplit=1)[0]
