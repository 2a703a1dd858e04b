"""An exploration in words: the first paragraph, what has to hold, what was checked."""

from __future__ import annotations

from paribus.charts.numbers import count, share
from paribus.exploration.exploration import Exploration
from paribus.exploration.funnel_choice import GUESSED
from paribus.workflow.artifact import Outcome
from paribus.workflow.exploring.facts import segment_title
from paribus.workflow.facts.explore import ExploreFacts


def summary_of(found: Exploration, facts: ExploreFacts) -> str:
    """Two to four sentences for a manager."""
    days = found.days
    said = [
        f"{count(found.units)} users acted in the {days.count} days from {days.start}; "
        f"about {count(facts.daily_new_units.value or 0)} are seen for the first time each day."
    ]
    if facts.funnels:
        steps = facts.funnels[0].steps
        entered, converted = steps[0].units, steps[-1].units
        said.append(
            f"Of {count(entered)} who reached {steps[0].event}, {share(converted / entered if entered else 0.0)} went "
            "on "
            f"to {steps[-1].event} within {facts.funnels[0].window_hours:g} hours."
        )
    else:
        said.append("No event looks like a conversion that others lead to, so there is no funnel.")
    if found.losses and found.funnel:
        loss, events = found.losses[0], found.funnel.events
        of = segment_title(loss.segment)
        per_year = facts.bottlenecks[0].lost_units.value or 0.0
        said.append(
            f"Most is lost between {events[loss.step - 1]} and {events[loss.step]} among users with {of}: "
            f"{share(loss.rate)} go on, against {share(loss.best)} with {segment_title(loss.best_segment)}; "
            f"about {count(per_year)} users a year are lost by the difference."
        )
    elif facts.funnels:
        said.append("No segment falls short of a comparable one by more than chance explains.")
    return " ".join(said)


def assumptions_of(found: Exploration) -> tuple[str, ...]:
    """What a data scientist would ask."""
    said = [
        "The data are observational: a segment's loss sizes an opportunity and proves no cause.",
        "Days are UTC. Units are told apart by a 64-bit hash of their id; linked anonymous ids are read as their user.",
        "First-time units are new to these data, not to the product: who came before the first day is counted when "
        "seen.",
    ]
    if found.funnel is not None:
        said.append(
            f"A unit reaches a step when it did the steps in order within {found.funnel.window_hours:g} hours of any "
            "entry; entries that the data cannot follow so long are left out; events at the same instant may follow "
            "each other; segments are those of the first entry. Intervals are at 95%."
        )
    if found.choice is not None and found.choice.origin == GUESSED:
        said.append(
            f"Nothing says what a success is: {found.choice.conversion}, the rarest action that others lead to, stands "
            "in for one. Mark the right event with semantics: conversion in the tracking plan."
        )
    if found.stretch is not None:
        s = found.stretch
        said.append(
            f"Baselines follow each unit {s.window} days from its first action in {s.entry_end - s.entry} entry days"
            + (f" and look back {s.before} days for the covariate." if s.before else "; there is no room to look back.")
        )
    return tuple(said)


def checks_of(found: Exploration) -> tuple[Outcome, ...]:
    """What could make the exploration worthless."""
    log = found.log
    share_unread = log.unread / log.rows if log.rows else 0.0
    return (
        Outcome(
            name="rows have unit, name and time",
            status="passed" if share_unread < 0.01 else "warned" if share_unread < 0.2 else "failed",
            message=f"{count(log.rows - log.unread)} of {count(log.rows)} rows can be read",
            evidence="events",
        ),
        Outcome(
            name="history is long enough",
            status="passed" if found.days.count >= 14 else "warned",
            message=f"{found.days.count} whole days" + ("" if found.days.count >= 14 else "; a weekly season needs 14"),
            blocking=False,
            evidence="days",
        ),
        Outcome(
            name="a funnel was found",
            status="passed" if found.funnel is not None else "warned",
            message=" → ".join(found.funnel.events) if found.funnel else "name one: paribus explore --funnel a,b,c",
            blocking=False,
            evidence="funnel" if found.funnel else "",
        ),
        *(
            (
                Outcome(
                    name="a conversion is known",
                    status="warned",
                    message=f"{found.choice.conversion} is a guess; the tracking plan can name it",
                    blocking=False,
                    evidence="funnel_choice",
                ),
            )
            if found.choice is not None and found.choice.origin == GUESSED
            else ()
        ),
    )
