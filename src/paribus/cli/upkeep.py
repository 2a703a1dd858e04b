"""Commands that take care of the data folder and of definitions in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json
from paribus.cli.flag import Data, Json, author, store_of
from paribus.settings import Settings, from_environment

audit = typer.Typer(
    name="audit", help="The history of every definition, and whether it is intact.", no_args_is_help=True
)

Files = Annotated[Path, typer.Argument(help="Folder of YAML files: flag/KEY.yaml, experiment/KEY.yaml, …")]


def _settings(data: Path | None) -> Settings:
    return from_environment(data=data)


@answers
def diff(folder: Files = Path("definitions"), data: Data = None, as_json: Json = False) -> None:
    """Show what differs between files and the store. Exit status: 0 nothing, 1 something."""
    from paribus.app.upkeep import documents_folder
    from paribus.store import sync

    with store_of(data) as store:
        found = sync.diff(store, documents_folder(folder))
    if as_json:
        print_json([{"document": str(each.address), "state": each.state, "diff": each.text} for each in found])
    for each in found if not as_json else ():
        typer.echo(f"{each.address}: {each.state}")
        typer.echo(each.text)
    if found:
        raise typer.Exit(1)
    if not as_json:
        typer.echo("files and store agree")


@answers
def apply(
    folder: Files = Path("definitions"),
    why: Annotated[str, typer.Option("--why", help="The reason, kept in each document's history.")] = "applied",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Files win where both sides changed.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take the changes of files into the store: all of them, or none."""
    from paribus.app.definition import refuse_unusable
    from paribus.app.upkeep import documents_folder
    from paribus.store import sync

    with store_of(data, create=True) as store:
        done = sync.apply(
            store,
            documents_folder(folder),
            author=author(),
            reason=why,
            accept=lambda changes: refuse_unusable(store, changes),
            dry_run=dry_run,
            force=force,
        )
    if as_json:
        print_json(
            {
                "written": [str(each.address) for each in done.revisions],
                "changes": [{"document": str(each.address), "state": each.state} for each in done.differences],
                "behind": [str(each.address) for each in done.behind],
            }
        )
        return
    for change in done.differences:
        typer.echo(f"{'would write' if dry_run else 'wrote'} {change.address}: {change.state}")
    for left in done.behind:
        typer.echo(f"left {left.address}: the store is ahead; paribus pull")
    if not done.differences and not done.behind:
        typer.echo("files and store agree")


@answers
def pull(
    folder: Files = Path("definitions"),
    force: Annotated[bool, typer.Option("--force", help="The store wins where both sides changed.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take the changes of the store into files."""
    from paribus.app.upkeep import documents_folder
    from paribus.store import sync

    with store_of(data) as store:
        done = sync.pull(store, documents_folder(folder), force=force)
    if as_json:
        print_json(
            {
                "written": [str(each) for each in done.written],
                "removed": [str(each) for each in done.removed],
                "kept": [str(each.address) for each in done.kept],
            }
        )
        return
    typer.echo(f"wrote {len(done.written)}, removed {len(done.removed)} files in {folder}")
    for each in done.kept:
        typer.echo(f"kept {each.address}: the file was changed; paribus apply")


@audit.command("verify")
@answers
def verify_(
    anchor: Annotated[
        str | None, typer.Option(help="What an earlier verify told to note: finds a history cut off or written anew.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Read the whole hash chain. Exit status: 0 intact, 1 broken."""
    from paribus.store import Anchor

    noted = Anchor.parse(anchor) if anchor else None
    with store_of(data) as store:
        reports = [store.verify_chain(project, anchor=noted) for project in store.projects()]
    if as_json:
        print_json(
            [
                {
                    "project": each.project,
                    "revisions": each.revisions,
                    "redacted": list(each.redacted),
                    "broken": each.broken,
                    "sentences": list(each.sentences),
                }
                for each in reports
            ]
        )
    else:
        for each in reports:
            typer.echo("\n".join(each.sentences))
        if not reports:
            typer.echo("no definition was ever written")
    if not all(each.is_intact for each in reports):
        raise typer.Exit(1)


@answers
def backup(to: Annotated[Path, typer.Argument(help="A new folder.")], data: Data = None, as_json: Json = False) -> None:
    """Copy definitions, queue and lake, whole in itself, beside a running server."""
    from paribus.app import upkeep

    copied = upkeep.backup(_settings(data), to)
    if as_json:
        print_json({"to": str(to), "files": copied.files if copied else 0, "bytes": copied.bytes if copied else 0})
        return
    lake = f"{copied.files:,} files of the lake, {copied.bytes / 1e6:,.1f} MB" if copied else "no events yet"
    typer.echo(f"backed up to {to}: definitions; {lake}")


@answers
def restore(
    source: Annotated[Path, typer.Argument(help="A folder that paribus backup made.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a new data folder from a backup."""
    from paribus.app import upkeep

    folder = upkeep.restore(source, _settings(data))
    if as_json:
        print_json({"data": str(folder)})
    else:
        typer.echo(f"restored to {folder}; persons erased since the backup must be erased again")


@answers
def doctor(data: Data = None, as_json: Json = False) -> None:
    """Examine the data folder. Exit status: 0 all well, 1 something is not."""
    from paribus.app import upkeep

    findings = upkeep.doctor(_settings(data))
    if as_json:
        print_json([{"what": each.what, "state": each.state, "is_well": each.is_well} for each in findings])
    else:
        width = max(len(each.what) for each in findings)
        for each in findings:
            typer.echo(f"{'ok  ' if each.is_well else 'BAD '} {each.what:<{width}}  {each.state}")
    if not all(each.is_well for each in findings):
        raise typer.Exit(1)
