"""Commands about events: what arrives, why some are held back, whether the counts add up; imports and erasure."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paribus.cli.answer import answers, print_json, progress, say
from paribus.cli.flag import Data, Environment, Json, store_of
from paribus.errors import InputError, did_you_mean
from paribus.settings import Settings, from_environment

if TYPE_CHECKING:
    from paribus.app.writer import Writer

app = typer.Typer(name="events", help="Events: what arrives, what code sends, imports.", no_args_is_help=True)

POLL_SECONDS = 0.5
Reason = Annotated[str | None, typer.Option(help="Only those held back for this reason.")]


@app.command()
@answers
def tail(
    count: Annotated[int, typer.Option("-n", "--count", help="How many.", min=1)] = 20,
    name: Annotated[str | None, typer.Option(help="Only events of this name.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show the events that arrived last, oldest first; those still on their way to the lake have a star."""
    from paribus.app.arrival import tail as arrived
    from paribus.app.decoder import Decoder

    with store_of(data) as store:
        folder, decode = _settings(data).data, Decoder(store)
        found = arrived(folder, decode, count, name=name)
        if as_json:
            print_json(found)
            return
        seen: dict[tuple[str, str], None] = {}
        while True:
            for event in reversed(found):
                if (event["source"], event["event_id"]) not in seen:
                    seen[event["source"], event["event_id"]] = None
                    typer.echo(_line(event))
            if not follow:
                break
            time.sleep(POLL_SECONDS)
            found = arrived(folder, decode, 200, name=name)
    if not seen:
        typer.echo("nothing has arrived yet")


@app.command()
@answers
def coverage(
    folder: Annotated[Path, typer.Argument(help="The folder of the product's source code.")] = Path(),
    plan: Annotated[Path | None, typer.Option(help="A tracking plan as YAML, instead of the one in force.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check that code sends every planned event; for CI. Exit status: 0 it does, 1 events are missing."""
    from paribus.cli.tracking import plan_in_force, plan_of
    from paribus.events.plan import parse_plan
    from paribus.events.source_coverage import source_coverage

    declared = parse_plan(plan_of(plan) if plan is not None else plan_in_force(data))
    found = source_coverage(folder, declared)
    if as_json:
        print_json(
            {
                "sent": found.sent,
                "missing": list(found.missing),
                "unplanned": found.unplanned,
                "files": found.files,
            }
        )
    else:
        asked = len(found.sent) + len(found.missing)
        say(f"{len(found.sent)} of {asked} planned events are sent in {found.files} source files")
        for name in found.missing:
            say(f"missing    {name}: no call sends it", hang=11)
        for name, places in found.unplanned.items():
            say(f"unplanned  {name}: {', '.join(places[:3])}", hang=11)
    if found.missing:
        raise typer.Exit(1)


@app.command()
@answers
def quarantine(
    reason: Reason = None,
    count: Annotated[int, typer.Option("-n", "--count", help="How many.", min=1)] = 20,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show which events are held back, and why."""
    from paribus.app.arrival import quarantine as held

    page = held(_folder(data), reason=reason, limit=count)
    if as_json:
        print_json(page)
        return
    if not page["reasons"]:
        typer.echo("the quarantine is empty")
    for why, events in page["reasons"].items():
        typer.echo(f"{events:>9,}  {why}")
    for each in page["items"]:
        typer.echo(f"  {each['received_time'][:19]}  {each['name'] or '(no name)'}: {each['detail'] or each['reason']}")
    if page["items"]:
        typer.echo("after a fix of the tracking plan: paribus events replay")


@app.command()
@answers
def replay(reason: Reason = None, environment: Environment = "dev", data: Data = None, as_json: Json = False) -> None:
    """Judge held events by the plan in force now, and bring back what it accepts."""
    with _writer(data) as writer:
        done = writer.replay(environment, reason)
    if as_json:
        print_json(done)
        return
    typer.echo(f"brought back {done['replayed']:,} events; {done['still_quarantined']:,} still break the plan")


@app.command()
@answers
def reconcile(data: Data = None, as_json: Json = False) -> None:
    """Count from the door to the lake. Exit status: 0 it adds up, 1 it does not."""
    from paribus.app.arrival import reconcile as counted
    from paribus.app.lake import reader_of

    reader = reader_of(_folder(data))
    found: dict[str, Any] = counted(reader) if reader else {"adds_up": True, "dialects": []}
    if as_json:
        print_json(found)
    else:
        for each in found["dialects"]:
            typer.echo(
                f"{each['dialect']}: received {each['received']:,} = accepted {each['accepted']:,} "
                f"+ quarantined {each['quarantined']:,} + rejected {each['rejected']:,}"
            )
            typer.echo(
                f"  landed {each['landed']:,}, held {each['held']:,}, waiting {each['waiting']:,}; "
                f"{each['distinct']:,} distinct events, {each['duplicates']:,} duplicates; missing {each['missing']:,}"
            )
        typer.echo("it adds up" if found["adds_up"] else "IT DOES NOT ADD UP")
    if not found["adds_up"]:
        raise typer.Exit(1)


@app.command()
@answers
def quality(
    environment: Environment = "dev",
    kept: Annotated[bool, typer.Option("--history", help="Every point that is kept, also of steps' checks.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure the events of each day, and keep what was found; --history shows the time series."""
    from paribus.app.quality import measure
    from paribus.governance.quality import METRICS, history

    with store_of(data) as store:
        points = measure(store, _folder(data), environment)
        if kept:
            points = history(store, environment)
    if as_json:
        print_json([each.plain() for each in points])
        return
    if not points:
        typer.echo(f"nothing has arrived in the environment {environment}")
        return
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for each in points:
        share = "" if each.value is None else f"{each.value:.2%}"
        rows.setdefault((each.time, each.step), {})[each.metric] = share
    typer.echo(f"{'until (UTC)':<17}{'of':<10}" + "".join(f"{name:>14}" for name in METRICS))
    for (time_, step), found in rows.items():
        stamp = time_[:16].replace("T", " ")
        typer.echo(f"{stamp:<17}{step:<10}" + "".join(f"{found.get(name, '–'):>14}" for name in METRICS))


@app.command("import")
@answers
def import_(
    files: Annotated[list[Path], typer.Argument(help="Exported files, plain or gzip'd.")],
    kind: Annotated[str, typer.Option("--format", help="amplitude, mixpanel, segment or csv.")],
    time_column: Annotated[str | None, typer.Option("--time", help="CSV: column of the time.")] = None,
    name_column: Annotated[str | None, typer.Option("--name", help="CSV: column of the event's name.")] = None,
    event: Annotated[str | None, typer.Option(help="CSV: one event name for all rows.")] = None,
    unit: Annotated[str | None, typer.Option(help="CSV: column of the unit's id.")] = None,
    event_id: Annotated[str | None, typer.Option(help="CSV: column of the event's id.")] = None,
    environment: Environment = "dev",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Bring in history; repeating it brings the same events, not new ones."""
    from paribus.app.decoder import local_key
    from paribus.app.folder import clock_of
    from paribus.events.history import FORMATS, CsvColumns, import_history

    if kind not in FORMATS:
        raise InputError(f"{kind!r} is no export format", where="--format", fix=did_you_mean(kind, FORMATS))
    if kind == "csv" and time_column is None:
        raise InputError("CSV needs to be told its columns", where="--time", fix="--time AT --name EVENT --unit USER")
    columns = (
        CsvColumns(time=time_column or "", name=name_column, event=event, unit=unit, event_id=event_id)
        if kind == "csv"
        else None
    )
    sizes = sum(path.stat().st_size for path in files if path.is_file()) or 1
    with _writer(data) as writer, progress("importing") as tick:
        done = import_history(
            files,
            kind,
            append=writer.append,
            plan=writer.plan(environment),
            key_id=local_key("default", environment),
            clock=clock_of(_folder(data)),
            columns=columns,
            journal=_folder(data) / "imports.json",
            progress=lambda state: tick(min(state.lines * 300 / sizes, 0.99), f"{state.lines:,} lines"),
        )
    if as_json:
        print_json([{name: getattr(each, name) for name in each.__slots__} for each in done])
        return
    for each in done:
        typer.echo(
            f"{each.path}: {each.lines:,} lines = {each.accepted:,} accepted + {each.quarantined:,} quarantined "
            f"+ {each.rejected:,} rejected" + (f"; {each.skipped:,} were there already" if each.skipped else "")
        )
        for problem in each.problems:
            typer.echo(f"  {problem}")


@app.command()
@answers
def erase(
    ids: Annotated[list[str], typer.Argument(help="Ids of the person: unit, user and anonymous ids.")],
    request: Annotated[str, typer.Option(help="Your reference of the request; it stands in the proof.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Remove a person from definitions' records, queue and lake, to the last byte; nothing names them afterwards."""
    with _writer(data) as writer:
        done = writer.erase(ids, request)
    if as_json:
        print_json(done)
        return
    typer.echo(
        f"erased {done['events']:,} events and {done['quarantined']:,} held ones, {done['records']:,} records; "
        f"{done['mentions']:,} mentions in events of others were replaced; {done['files_deleted']:,} files deleted"
    )
    typer.echo("backups still hold them: make a new one and delete the old")


def _writer(data: Path | None) -> AbstractContextManager[Writer]:
    from paribus.app.folder import open_folder
    from paribus.app.writer import writer_of

    settings = _settings(data)
    open_folder(settings, create=True)
    return writer_of(settings)


def _settings(data: Path | None) -> Settings:
    return from_environment(data=data)


def _folder(data: Path | None) -> Path:
    from paribus.app.folder import open_folder

    return open_folder(_settings(data), create=False)


def _line(event: dict[str, Any]) -> str:
    who = event["unit"] or event["user_id"] or event["anonymous_id"] or "-"
    mark = " " if event["landed"] else "*"
    plan = "" if event["planned"] else "  (unplanned)"
    properties = json.dumps(event["properties"], ensure_ascii=False)
    return f"{mark} {event['received_time'][11:19]}  {event['name']}  {who}  {properties[:120]}{plan}"
