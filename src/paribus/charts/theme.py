"""The colors and type of every chart and report: CSS variables for light, dark and paper.

One accent for what is drawn; green and red only say better and worse, and a shape or word always says it too. Contrast
against the paper is at least 4.5 for text and 3 for marks (WCAG 2.2, 1.4.3 and 1.4.11) in both schemes.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "ink": "#17202b",
    "muted": "#5a6573",
    "line": "#dce1e7",
    "accent": "#2a55c8",
    "better": "#127a3a",
    "worse": "#bb2d23",
    "caution": "#8a5a00",
}
DARK = {
    "paper": "#12161c",
    "panel": "#1a2029",
    "ink": "#e6eaf0",
    "muted": "#98a3b3",
    "line": "#2e3743",
    "accent": "#8fabff",
    "better": "#57c785",
    "worse": "#ff8a7d",
    "caution": "#e0b050",
}
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


def variables(scheme: dict[str, str]) -> str:
    """The scheme as CSS declarations, each name prefixed by --pb-."""
    return "".join(f"--pb-{name}:{color};" for name, color in scheme.items())


def scheme_rules(selector: str) -> str:
    """CSS that gives `selector` the light scheme, the dark one where the reader prefers it, and light on paper."""
    return (
        f"{selector}{{{variables(LIGHT)}}}"
        f"@media screen and (prefers-color-scheme:dark){{{selector}{{{variables(DARK)}}}}}"
    )


MARKS = (
    f".pb-figure{{font:12px {FONT};font-variant-numeric:tabular-nums;overflow:visible}}"
    ".pb-figure text{fill:var(--pb-ink)}"
    ".pb-figure text{paint-order:stroke;stroke:var(--pb-paper);stroke-width:3px;stroke-linejoin:round}"
    ".pb-figure .pb-quiet{fill:var(--pb-muted)}"
    ".pb-figure .pb-strong{font-weight:600}"
    ".pb-paper{fill:var(--pb-paper)}"
    ".pb-grid{stroke:var(--pb-line);stroke-width:1}"
    ".pb-zero{stroke:var(--pb-muted);stroke-width:1}"
    ".pb-range{stroke:var(--pb-accent);stroke-width:2.5;stroke-linecap:butt}"
    ".pb-end{fill:var(--pb-accent)}"
    ".pb-point{fill:var(--pb-paper);stroke:var(--pb-accent);stroke-width:2}"
    ".pb-better .pb-range{stroke:var(--pb-better)}"
    ".pb-better .pb-point,.pb-better .pb-end{fill:var(--pb-better);stroke:var(--pb-better)}"
    ".pb-worse .pb-range{stroke:var(--pb-worse)}"
    ".pb-worse .pb-point,.pb-worse .pb-end{fill:var(--pb-worse);stroke:var(--pb-worse)}"
    ".pb-figure text.pb-better-text{fill:var(--pb-better)}"
    ".pb-figure text.pb-worse-text{fill:var(--pb-worse)}"
    ".pb-margin{stroke:var(--pb-ink);stroke-width:1.5;stroke-dasharray:3 2}"
    ".pb-harm{fill:var(--pb-worse);opacity:.09}"
    ".pb-ribbon{fill:var(--pb-accent);opacity:.16}"
    ".pb-estimate{fill:none;stroke:var(--pb-accent);stroke-width:2;stroke-linejoin:round}"
    ".pb-edge{fill:none;stroke:var(--pb-accent);stroke-width:1;opacity:.55}"
    ".pb-boundary{fill:none;stroke:var(--pb-ink);stroke-width:1.5;stroke-dasharray:5 3}"
    ".pb-look{stroke:var(--pb-muted);stroke-width:1;stroke-dasharray:1 3}"
    ".pb-bar{fill:var(--pb-accent);opacity:.75}"
    ".pb-open{fill:none;stroke:var(--pb-accent);opacity:1}"
    ".pb-arrow{fill:var(--pb-ink)}"
    ".pb-dot{fill:var(--pb-accent)}"
    ".pb-below{fill:var(--pb-paper);stroke:var(--pb-worse);stroke-width:1.5}"
    ".pb-second{stroke:var(--pb-muted)}"
    ".pb-heat{fill:var(--pb-accent)}"
    ".pb-usual{opacity:.45}"
    ".pb-cross{fill:none;stroke:var(--pb-worse);stroke-width:2}"
    ".pb-leave{fill:var(--pb-muted);opacity:.18}"
    ".pb-lane{fill:var(--pb-panel)}"
    ".pb-node{fill:var(--pb-paper);stroke:var(--pb-accent);stroke-width:1.4}"
    ".pb-fork{fill:color-mix(in srgb,var(--pb-accent) 14%,var(--pb-paper))}"
    ".pb-happening{stroke:var(--pb-muted)}"
    ".pb-dead{stroke:var(--pb-worse);stroke-dasharray:4 3}"
    ".pb-link{fill:none;stroke:var(--pb-muted);stroke-width:1.4}"
    ".pb-dashed{stroke-dasharray:4 3}"
    ".pb-tip{fill:var(--pb-muted)}"
    ".pb-figure .pb-small{font-size:11px}"
    ".pb-figure text.pb-bare{stroke:none}"
)
STYLE = scheme_rules(".pb-figure") + MARKS
