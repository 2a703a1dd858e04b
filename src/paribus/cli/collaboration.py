"""Commands for the people around a feature: comments, assignments, history, closing, follow-ups, learnings."""

from __future__ import annotations

from typing import Annotated

import typer

from paribus.cli.answer import answers, print_json, say
from paribus.cli.feature import Key, Why, shop_of
from paribus.cli.feature import app as feature
from paribus.cli.flag import Data, Json, author

Step = Annotated[str, typer.Argument(help="The step.")]


@feature.command()
@answers
def comment(
    key: Key,
    step: Step,
    text: Annotated[str | None, typer.Argument(help="What to say; without it what was said is listed.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say something about a step's artifact, or list what was said; comments are never removed."""
    with shop_of(data) as shop:
        if text is not None:
            shop.comment(key, step, text, author=author())
        found = shop.comments(key, step)
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo(f"nobody has said anything about {step} of {key}")
    for each in found:
        about = "" if each["current"] else " (about an earlier artifact)"
        say(
            f"{each['number']:>3}  {each['time'][:16].replace('T', ' ')}  {each['author']}{about}: {each['text']}",
            hang=5,
        )


@feature.command()
@answers
def assign(
    key: Key,
    step: Step,
    person: Annotated[str, typer.Argument(help='Whose it is from now on; "" for nobody.')],
    why: Why = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Give a step to a person; the history keeps whose it was."""
    with shop_of(data) as shop:
        state = shop.assign(key, step, person, author=author(), why=why)
    if as_json:
        print_json(state)
    else:
        typer.echo(f"{step} of {key} is {state['assignee'] or 'nobody'}'s")


@feature.command()
@answers
def history(key: Key, data: Data = None, as_json: Json = False) -> None:
    """List all that was written about a feature, by whom and when: artifacts, approvals, comments, assignments."""
    with shop_of(data) as shop:
        found = shop.history(key)
    if as_json:
        print_json(found)
        return
    for each in found:
        what = f"{each['kind']} {each['key']}, revision {each['revision']}"
        say(f"{each['time'][:16].replace('T', ' ')}  {each['author']}: {what}: {each['reason']}", hang=18)


@feature.command()
@answers
def close(
    key: Key,
    insight: Annotated[str, typer.Option(help="What was learned, in a sentence that the next team can use.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A word to find it by; repeat.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Close a feature with what was learned; without it, it stays open."""
    with shop_of(data) as shop:
        made = shop.close(key, insight, tags=tag or (), author=author())
    if as_json:
        print_json(made)
    else:
        say(f"closed {key}: {made['insight']}")


@feature.command()
@answers
def follow(
    key: Key,
    follow_up: Annotated[str, typer.Argument(help="Its id in step 16, f1; the first one without it.")] = "",
    until: Annotated[str, typer.Option(help="The last step to make; none writes it down only.")] = "design",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Open the next feature from a follow-up, linked to this one, up to its sealed plan (step 3)."""
    from paribus.workflow.step import named

    if until != "none":
        named(until)
    with shop_of(data) as shop:
        made = shop.follow(key, follow_up, author=author())
        stop = None if until == "none" else shop.run(made["key"], until=until, author=author())
        after = shop.show(made["key"])
    if as_json:
        print_json({**after, "stop": None if stop is None else {"kind": stop.kind, "step": stop.step}})
        return
    say(f"{after['key']}: {after['requirement']} (follows {key})")
    if stop is not None:
        say(f"{stop.kind} at {stop.step}: {stop.message}")
    typer.echo("next: " + "\n      ".join(after["next"]))


@answers
def learnings(
    query: Annotated[str, typer.Argument(help="Words that all have to occur; every card without them.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find what decided features have taught, best first, with the learning rate over all of them."""
    with shop_of(data) as shop:
        found = shop.learnings(query)
    if as_json:
        print_json(found)
        return
    for each in found["learnings"]:
        say(f"{each['feature']}: {each['insight'] or each['card'].get('takeaway', '')}", hang=2)
        if each["insight"]:
            say(f"  measured: {each['card'].get('takeaway', '')}", hang=4)
        decided = str(each["card"].get("decided_at", ""))[:10]
        tags = f"; {', '.join(each['tags'])}" if each["tags"] else ""
        say(f"  {each['card'].get('decision', '')}, decided {decided}; {'closed' if each['closed'] else 'open'}{tags}")
        for after in each["next"]:
            say(f"  led to {after['feature']}: {after['hypothesis'] or after['requirement']}", hang=4)
    if not found["learnings"]:
        typer.echo("no card holds all of these words" if query else "no feature has been decided yet")
    say(found["rate"]["sentence"])
