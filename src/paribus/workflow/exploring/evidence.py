"""Where the numbers of an exploration come from: the statements, and the data that they ran on."""

from __future__ import annotations

from paribus.exploration.exploration import Exploration
from paribus.exploration.funnel_choice import GUESSED
from paribus.workflow.artifact import Evidence


def evidence_of(found: Exploration) -> dict[str, Evidence]:
    """Evidence by id. Statements read `events`, which the statement `events` made of the source."""
    log, days = found.log, found.days
    data = f"{log.source}: {log.version}; {days.start} to {days.end} (UTC)"

    def sql(title: str, statement: str) -> Evidence:
        return Evidence(kind="sql", title=title, statement=statement, data=data)

    made = {
        "events": sql("The events as they were read", log.reading),
        "days": sql("Events and units by day", days.statement),
        "arrivals": sql("Units by the day of their first action", found.arrivals_statement),
    }
    if found.choice is not None and found.funnel is not None:
        chosen = {
            "plan": "The funnel is the tracking plan's.",
            "given": "The funnel was given.",
            "data": "The funnel is what nearly all units did before their first conversion.",
            GUESSED: "The funnel is what nearly all units did before the rarest action.",
        }[found.choice.origin]
        made["funnel"] = sql(f"One row per unit that entered the funnel. {chosen}", found.funnel.statement)
        if found.choice.statement:
            made["funnel_choice"] = sql("What units did before their first conversion", found.choice.statement)
        made["bottlenecks"] = sql(
            "The funnel by combination of attributes; a plausible best is the best comparable segment, shrunk",
            found.funnel.statement,
        )
    for name, result in found.others.items():
        made[f"funnel_{name}"] = sql(f"One row per unit that entered the plan's funnel {name}", result.statement)
    for i, each in enumerate(found.baselines):
        made[f"baseline_{i + 1}"] = sql(
            f"{each.definition['name']} of units from their first action on", each.statement
        )
    for i, entry in enumerate(found.entries):
        made[f"entry_{i + 1}"] = sql(f"Units by the day of their first {entry.event}", entry.statement)
        for k, each in enumerate(entry.baselines):
            title = f"{each.definition['name']} of units from their first {entry.event} on"
            made[f"entry_{i + 1}_baseline_{k + 1}"] = sql(title, each.statement)
    made["retention"] = sql("Units active k periods after their first day, by cohort", found.retention.statement)
    made["behavior"] = sql("Units by recency, active days, actions and conversions", found.behavior.statement)
    made["transitions"] = sql("What directly follows what in a visit", found.paths.statement)
    made["flows"] = sql("The first places of visits", found.paths.flow_statement)
    titles = {
        "monthly": "Units of the last 28 days",
        "active_days": "Units by their number of active days",
        "visits": "Visits and their length",
        "together": "Visits with both of two events",
        "signs": "Units by conversion and by what they did before",
        "hours": "Actions by hour of the day",
        "bots": "Units that did more on one day than a person does",
        "late": "Time between happening and receipt",
    }
    statements = found.engagement.statements | found.patterns.statements | found.quality.statements
    made |= {name: sql(title, statements[name]) for name, title in titles.items() if statements.get(name)}
    return dict(sorted(made.items()))
