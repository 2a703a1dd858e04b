"""The table of comparisons as text, set like a paper's: ruled above and below, numbers right, a mark at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.interval import Tone
from paribus.charts.numbers import NOTHING, count, number
from paribus.experiments.report.lines import Line, Span, Style, cells, clip, fill, printable, widest, wrap
from paribus.experiments.report.method import interval_name, p_name
from paribus.experiments.report.row import ROLES, Row, row
from paribus.experiments.result import Comparison, Result
from paribus.stats.estimate import Estimate

GAP = 2
SMALLEST_NAME = 12
TONE_STYLES: dict[Tone, Style] = {"better": "good", "worse": "bad", "neutral": ""}


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns; `words` says whether the conclusion is written beside its mark."""

    name: int
    control: int
    treatment: int
    effect: int
    interval: int
    p: int
    words: int

    @property
    def total(self) -> int:
        numbers = (self.name, self.control, self.treatment, self.effect, self.interval, self.p)
        return sum(width + GAP for width in numbers) + self.end

    @property
    def end(self) -> int:
        return 2 + self.words if self.words else 1


def comparison_table(result: Result, comparisons: Sequence[Comparison], width: int, *, ascii_only: bool) -> list[Line]:
    """Metric, control, treatment, lift with its interval, p and conclusion, in groups by role."""
    rows = [row(c) for c in comparisons]
    names = [_name(r, ascii_only) for r in rows]
    treatment = rows[0].comparison.treatment.variant if rows else "treatment"
    control = rows[0].comparison.control.variant if rows else "control"
    heads = (
        _short(printable(control, ascii_only=ascii_only), 12, ascii_only),
        _short(printable(treatment, ascii_only=ascii_only), 12, ascii_only),
        "lift",
        interval_name(comparisons),
        p_name(result),
    )
    columns = _fit(rows, names, heads, width, ascii_only)
    if columns is None:
        return _stacked(rows, names, heads, width, ascii_only)
    total = width if any(r.reason for r in rows) else columns.total  # reasons take all the room there is
    rule = Span(printable("─" * total, ascii_only=ascii_only), "muted")
    lines: list[Line] = [(rule,), *_header(heads, columns), (rule,)]
    grouped = len({r.comparison.role for r in rows}) > 1
    for role in ROLES:
        members = [(r, n) for r, n in zip(rows, names, strict=True) if r.comparison.role is role]
        if members and grouped:
            lines.append((Span(role.value, "muted"),))
        for r, name in members:
            lines += _row(r, f"  {name}" if grouped else name, columns, total, ascii_only)
    return [*lines, (rule,)]


def segment_table(comparisons: Sequence[Comparison], width: int, *, ascii_only: bool) -> list[Line]:
    """The segments of one attribute: units, lift with its interval, the estimate after shrinkage, p, conclusion."""
    rows = [row(c) for c in comparisons]
    levels = [_level(c, ascii_only) for c in comparisons]
    attribute = printable((comparisons[0].segment or ("", None))[0], ascii_only=ascii_only)
    head = [attribute, "units", "lift", interval_name(comparisons), "shrunk", "p", ""]
    body: list[list[str]] = []
    for r, level in zip(rows, levels, strict=True):
        c = r.comparison
        shrunk = (
            number(c.shrunk.value, se=c.shrunk.se, unit="percent", signed=True)
            if isinstance(c.shrunk, Estimate)
            else NOTHING
        )
        mark = r.mark if not r.reason else NOTHING
        numbers = [r.effect or NOTHING, r.interval or NOTHING, shrunk, r.p or NOTHING, mark]
        body.append(
            [printable(x, ascii_only=ascii_only) for x in (level, count(c.control.units + c.treatment.units), *numbers)]
        )
    widths = [widest([line[i] for line in [head, *body]]) for i in range(len(head))]
    widths[0] = max(min(widths[0], width - sum(widths[1:]) - GAP * (len(widths) - 1)), 4)
    rule: Line = (Span(printable("─" * (sum(widths) + GAP * (len(widths) - 1)), ascii_only=ascii_only), "muted"),)
    if cells(rule[0].text) > width:  # no room: one segment a paragraph
        return [
            line
            for b in body
            for line in (
                (Span(t),) for t in wrap(f"{b[0]}: {b[2]} {b[3]}, shrunk {b[4]}, p {b[5]} {b[6]}", width, rest="  ")
            )
        ]
    lines: list[Line] = [rule, (Span(_join(head, widths), "strong"),), rule]
    for r, cells_ in zip(rows, body, strict=True):
        name = wrap(cells_[0], widths[0])
        style = TONE_STYLES[r.tone]
        lines.append((Span(_join([name[0], *cells_[1:-1]], widths[:-1]) + " " * GAP), Span(cells_[-1], style)))
        lines += [(Span(n),) for n in name[1:]]
    return [*lines, rule]


def _name(r: Row, ascii_only: bool) -> str:
    return printable(f"{r.metric} ({r.margin})" if r.margin else r.metric, ascii_only=ascii_only)


def _level(c: Comparison, ascii_only: bool) -> str:
    level = c.segment[1] if c.segment else None
    return printable("(missing)" if level is None else level, ascii_only=ascii_only)


def _short(name: str, width: int, ascii_only: bool) -> str:
    end = ".." if ascii_only else "…"
    return name if cells(name) <= width else clip(name, width - cells(end)) + end


def _fit(
    rows: Sequence[Row], names: Sequence[str], heads: tuple[str, str, str, str, str], width: int, ascii_only: bool
) -> Columns | None:
    """Columns as wide as their contents; first the conclusion's words give way, then None: no table fits."""

    def column(values: Sequence[str], head: str) -> int:
        return max(widest([printable(v, ascii_only=ascii_only) for v in values]), widest(_two_lines(head)))

    fixed = (
        column([r.control for r in rows], heads[0]),
        column([r.treatment for r in rows], heads[1]),
        column([r.effect for r in rows], heads[2]),
        column([r.interval for r in rows], heads[3]),
        column([r.p for r in rows], heads[4]),
    )
    wanted = max(widest(names) + 2, 8)
    words = widest([r.conclusion for r in rows if not r.reason])
    for spelled in (words, 0):
        left = width - Columns(0, *fixed, spelled).total
        if left >= min(wanted, SMALLEST_NAME if not spelled else 18):
            return Columns(min(left, wanted), *fixed, spelled)
    return None


def _header(heads: tuple[str, str, str, str, str], columns: Columns) -> list[Line]:
    widths = (columns.control, columns.treatment, columns.effect, columns.interval, columns.p)
    split = [_two_lines(head) if cells(head) > w else ["", head] for head, w in zip(heads, widths, strict=True)]
    lines: list[Line] = []
    for i in (0, 1):
        if any(s[i] for s in split):
            name = fill("metric" if i else "", columns.name)
            rest = "".join(" " * GAP + fill(s[i], w, "right") for s, w in zip(split, widths, strict=True))
            lines.append((Span(name + rest, "strong"),))
    return lines


def _two_lines(head: str) -> list[str]:
    """A head's words on two lines: "always-valid p" over the width of "always-valid"."""
    first, _, last = head.rpartition(" ")
    return [first, last]


def _row(r: Row, name: str, columns: Columns, total: int, ascii_only: bool) -> list[Line]:
    indent = "    " if name.startswith("  ") else "  "
    labels = wrap(name, columns.name, rest=indent)
    numbers = [
        fill(printable(v, ascii_only=ascii_only), w, "right")
        for v, w in ((r.control, columns.control), (r.treatment, columns.treatment))
    ]
    gap = " " * GAP
    start = fill(labels[0], columns.name) + gap + gap.join(numbers) + gap
    if r.reason:
        room = total - cells(start)
        said = wrap(printable(f"undetermined: {r.reason}", ascii_only=ascii_only), room)
        lines: list[Line] = [(Span(start), Span(said[0], "caution"))]
        for i in range(1, max(len(said), len(labels))):
            label = fill(labels[i] if i < len(labels) else "", cells(start))
            lines.append((Span(label), Span(said[i] if i < len(said) else "", "caution")))
        return lines
    middle = [
        fill(printable(v, ascii_only=ascii_only), w, "right")
        for v, w in ((r.effect, columns.effect), (r.interval, columns.interval), (r.p, columns.p))
    ]
    mark = printable(r.mark, ascii_only=ascii_only) + (f" {r.conclusion}" if columns.words else "")
    style = TONE_STYLES[r.tone]
    first: Line = (Span(start), Span(middle[0], "strong"), Span(gap + gap.join(middle[1:]) + gap), Span(mark, style))
    return [first, *((Span(label),) for label in labels[1:])]


def _stacked(
    rows: Sequence[Row], names: Sequence[str], heads: tuple[str, str, str, str, str], width: int, ascii_only: bool
) -> list[Line]:
    """One paragraph a row, where the table would be wider than the page."""
    lines: list[Line] = []
    for r, name in zip(rows, names, strict=True):
        title = printable(f"{name} · {r.comparison.role.value}", ascii_only=ascii_only)
        numbers = f"lift {r.effect} {r.interval}, {heads[4]} {r.p}, {r.mark} {r.conclusion}"
        said: list[tuple[str, Style]] = [
            (f"{heads[0]} {r.control}, {heads[1]} {r.treatment}", "muted"),
            (f"undetermined: {r.reason}" if r.reason else numbers, "caution" if r.reason else TONE_STYLES[r.tone]),
        ]
        lines += [(Span(line, "strong"),) for line in wrap(title, width)]
        for words, style in said:
            text = "  " + printable(words, ascii_only=ascii_only)
            lines += [(Span(line, style),) for line in wrap(text, width, rest="  ")]
    return lines


def _join(texts: Sequence[str], widths: Sequence[int]) -> str:
    first = fill(texts[0], widths[0])
    return (" " * GAP).join([first, *(fill(t, w, "right") for t, w in zip(texts[1:], widths[1:], strict=True))])
