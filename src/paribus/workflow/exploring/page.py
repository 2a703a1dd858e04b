"""An exploration as one HTML page that loads nothing."""

from __future__ import annotations

from markupsafe import escape

from paribus.charts.theme import STYLE, scheme_rules
from paribus.workflow import page as dossier_page
from paribus.workflow.artifact import Artifact
from paribus.workflow.exploring.blocks import blocks_of

SHEET = (
    "body{margin:0;background:var(--pb-paper);color:var(--pb-ink);font:15px/1.5 system-ui,-apple-system,'Segoe "
    "UI',sans-serif}"
    "main{max-width:820px;margin:0 auto;padding:24px 20px 60px}h1{font-size:22px}h4{font-size:17px;margin:34px 0 8px}"
    "table{border-collapse:collapse;width:100%;font-size:13px;margin:8px "
    "0}caption{text-align:left;color:var(--pb-muted)}"
    "th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--pb-line);vertical-align:top}"
    ".right,td[align=right],th[align=right]{text-align:right}figure{margin:10px 0 18px}svg{width:100%;height:auto}"
    "figcaption,.quiet{color:var(--pb-muted);font-size:13px}pre{white-space:pre-wrap;font-size:12px;background:var(--pb-panel);"
    "padding:10px;overflow-wrap:anywhere}details{margin:4px 0}.simulated{color:var(--pb-caution);font-weight:600}"
    "@media print{@page{size:A4;margin:14mm 13mm}body,table,figcaption,.quiet{font-size:11px}"
    "main{max-width:none;padding:0}details.code{display:none}details pre{font-size:9px;padding:6px}.quiet{margin:2px 0}"
    "details::details-content{content-visibility:visible;block-size:auto}thead{display:table-header-group}"
    "h1,h4,caption,figcaption,summary,.quiet{break-after:avoid}tr,figure,li{break-inside:avoid}}"
)


def page_of(artifact: Artifact) -> str:
    """The page: first paragraph, pictures, tables, what has to hold, and the statement behind every number."""
    body = "".join(dossier_page.drawn(block) for block in blocks_of(artifact))
    checks = "".join(f"<li>{escape(c.status)}: {escape(c.name)} — {escape(c.message)}</li>" for c in artifact.checks)
    held = "".join(f"<li>{escape(each)}</li>" for each in artifact.assumptions)
    evidence = "".join(
        f"<details><summary>{escape(name)}: {escape(each.title)}</summary><p class=quiet>{escape(each.data)}</p>"
        f"<pre>{escape(each.statement)}</pre></details>"
        for name, each in artifact.evidence.items()
    )
    simulated = '<p class="simulated">These data are simulated.</p>' if artifact.simulated else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Exploration</title>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<style>{scheme_rules(':root')}{SHEET}{STYLE}</style></head><body><main><h1>How the product is "
        f"used</h1>{simulated}"
        f"<p>{escape(artifact.summary)}</p>{body}<h4>What has to "
        f"hold</h4><ul>{held}</ul><h4>Checks</h4><ul>{checks}</ul>"
        f"<h4>Where the numbers come from</h4>{evidence}</main></body></html>"
    )
