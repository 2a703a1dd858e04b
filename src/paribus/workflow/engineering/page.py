"""A plan as text for people and agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def markdown(plan: Mapping[str, Any]) -> str:
    """The eight parts, each under its heading, the checker's word at the end."""
    needs = plan["requirements"]
    lines = [
        f"# {plan['title']}",
        "",
        f"> {plan['request']}",
        "",
        "## 1. Requirements",
        f"- {needs['events_per_second']:,.0f} events a second, {needs['busiest_hour_per_second']:,.0f} in the busiest "
        f"hour; 95 of 100 rows can be read within {needs['freshness_p95_seconds']:g} s",
        f"- delivery: {needs['delivery']}",
        f"- consistency: {needs['consistency']}",
        *(f"- assumed: {each}" for each in needs["assumed"]),
        *(f"- named: {each['title']}, {each['depth']}. {each['what']}" for each in plan.get("named", ())),
        "",
        "## 2. Components",
        "| component | role | why | instead of | who does it |",
        "|---|---|---|---|---|",
        *(
            f"| {each['name']} | {each['role']} | {each['why']} | {each['instead']} | "
            f"{each['part'] or 'outside Paribus'} |"
            for each in plan["components"]
        ),
        "",
        "## 3. Errors",
        *(f"- {each}" for each in plan["errors"]),
        "",
        "## 4. Quality checks",
        *(f"- {each['hop']}: {each['rule']} ({each['kind']})" for each in plan["checks"]),
        "",
        "## 5. Cost and performance",
        "| way | of | USD a month | 95% fresh within | chosen | why |",
        "|---|---|---:|---:|---|---|",
        *(
            f"| {each['name']} | {', '.join(each['components'])} | {each['cost_per_month']['value']:,.0f} | "
            f"{each['p95_freshness_seconds']['value']:g} s | {'yes' if each['chosen'] else 'no'} | {each['why']} |"
            for each in plan["options"]
        ),
        "",
        "## 6. Governance",
        *(
            f"- {each['table']}: {each['holds']}; owner {each['owner']}, {each['class']}, kept "
            f"{each['retention_days']} days"
            for each in plan["tables"]
        ),
        "",
        "## 7. Health and alerts",
        *(f"- {each['name']} ({each['severity']}): {each['when']}; {each['runbook']}" for each in plan["alerts"]),
        "",
        "## 8. Flow and runbooks",
        "```mermaid",
        plan["flow"],
        "```",
        *(part for text in plan["runbooks"].values() for part in ("", text.replace("# ", "### ", 1).rstrip())),
        "",
        "The checker accepts this plan."
        if not plan.get("objections")
        else "The checker objects: " + "; ".join(plan["objections"]) + ".",
    ]
    return "\n".join(lines) + "\n"
