"""The report as lines of text, in the order in which it must be read: verdict, health, effects, what was done."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts.numbers import NOTHING
from paribus.experiments.power_reached import reached
from paribus.experiments.report.lines import Line, Style, paragraph, printable
from paribus.experiments.report.method import (
    arms_words,
    basis,
    cause,
    effects_hidden,
    freshness,
    heading,
    may_be_read,
    progress_words,
    registration,
    rule,
)
from paribus.experiments.report.row import MARKS, arms, tags
from paribus.experiments.report.table import comparison_table, segment_table
from paribus.experiments.result import Check, Comparison, Result, VerdictValue
from paribus.stats.estimate import Undetermined

VERDICT_MARKS = {
    VerdictValue.SHIP: "✓",
    VerdictValue.ROLL_BACK: "✗",
    VerdictValue.INVALID: "!",
    VerdictValue.NOT_YET: "…",
    VerdictValue.ITERATE: "~",
    VerdictValue.NEUTRAL: "=",
    VerdictValue.UNREGISTERED: "?",
}
VERDICT_STYLES: dict[VerdictValue, Style] = {
    VerdictValue.SHIP: "good",
    VerdictValue.ROLL_BACK: "bad",
    VerdictValue.INVALID: "bad",
    VerdictValue.ITERATE: "caution",
    VerdictValue.NOT_YET: "caution",
    VerdictValue.UNREGISTERED: "caution",
}
KEY = {
    "✓": "✓ better or safe",
    "✗": "✗ worse or harmful",
    "~": "~ inconclusive",
    "?": "? not shown safe",
    "=": "= equivalent",
}


class Document:
    """Collects the report's lines; every text goes through `printable`, none is wider than `width`."""

    def __init__(self, width: int, *, ascii_only: bool = False) -> None:
        self.width = width
        self.ascii_only = ascii_only
        self.lines: list[Line] = []

    def say(self, words: str, style: Style = "", *, mark: str = "", mark_style: Style = "") -> None:
        """A paragraph."""
        text, sign = (printable(w, ascii_only=self.ascii_only) for w in (words, mark))
        self.lines += paragraph(text, self.width, style, mark=sign, mark_style=mark_style)

    def title(self, words: str) -> None:
        """An empty line and a heading."""
        self.lines.append(())
        self.say(words, "strong")

    def gap(self) -> None:
        """An empty line."""
        self.lines.append(())


def brief(result: Result, width: int, *, ascii_only: bool = False) -> list[Line]:
    """Verdict, table and how to read it: what `repr` shows."""
    page = Document(width, ascii_only=ascii_only)
    _verdict(page, result)
    failed = [c for c in result.checks if c.status == "failed"]
    for check in failed:
        _check(page, check)
    _effects(page, result)
    return page.lines


def full(result: Result, width: int, *, ascii_only: bool = False) -> list[Line]:
    """The whole report: what the terminal shows."""
    page = Document(width, ascii_only=ascii_only)
    _verdict(page, result)
    _health(page, result)
    page.title("Progress")
    page.say(" · ".join(progress_words(result)))
    page.say(arms_words(result), "muted")
    for each in reached(result):
        page.say(each.sentence, mark="  ")
    _notes(
        page,
        "Early indicators (by their own rule; they warn or hold, and never decide)",
        [each.sentence for each in result.early_indicators],
        "",
    )
    _effects(page, result)
    if not effects_hidden(result):
        _adjustments(page, result.comparisons)
        _segments(page, result)
        _notes(page, "Days since exposure (explores, does not decide)", [n.sentence for n in result.novelty], "")
    _notes(page, "Deviations from the plan", result.deviations, "caution")
    _notes(page, "Data", (*result.data_notes, *result.warnings), "")
    page.gap()
    page.say(f"{freshness(result)} · {registration(result)}", "muted")
    return page.lines


def _verdict(page: Document, result: Result) -> None:
    verdict = result.verdict
    style = VERDICT_STYLES.get(verdict.value, "strong")
    mark = VERDICT_MARKS[verdict.value] + " "
    page.say(verdict.sentence, "strong", mark=mark, mark_style=style)
    name = (
        f"{result.experiment}: {result.title}"
        if result.title and result.title != result.experiment
        else result.experiment
    )
    page.say(f"{heading(result)} · {name}", "muted", mark="  ")
    page.say(rule(result), "muted", mark="  ")
    page.say(may_be_read(result), "muted", mark="  ")


def _health(page: Document, result: Result) -> None:
    page.title("Health")
    failed = [c for c in result.checks if c.status == "failed"]
    order = ("blocking", "warning", "diagnostic")
    for check in sorted(failed, key=lambda c: order.index(c.severity)):
        _check(page, check)
    passed = [c.name for c in result.checks if c.status == "passed"]
    other = [c.name for c in result.checks if c.status == "not_applicable"]
    if passed:
        page.say(f"passed: {', '.join(passed)}", mark="✓ ", mark_style="good")
    if other:
        page.say(f"not applicable: {', '.join(other)}", "muted", mark=f"{NOTHING} ")
    if not result.checks:
        page.say("No health check was run.", "caution", mark="? ")


def _check(page: Document, check: Check) -> None:
    marks: dict[str, tuple[str, Style]] = {
        "blocking": ("✗ ", "bad"),
        "warning": ("! ", "caution"),
        "diagnostic": ("· ", ""),
    }
    mark, style = marks[check.severity]
    page.say(f"{check.name} ({check.severity}): {check.sentence}", mark=mark, mark_style=style)


def _effects(page: Document, result: Result) -> None:
    page.gap()
    if effects_hidden(result):
        page.say(f"Effects are hidden: {cause(result)}", "caution")
        return
    if not result.comparisons:
        page.say("No metric was compared.", "caution")
        return
    treatments = arms(result.comparisons)
    for treatment in treatments:
        of = [c for c in result.comparisons if c.treatment.variant == treatment]
        if len(treatments) > 1:
            if treatment != treatments[0]:
                page.gap()
            page.say(f"{treatment} against {result.control}", "strong")
        page.lines += comparison_table(result, of, page.width, ascii_only=page.ascii_only)
    for sentence in basis(result, result.comparisons):
        page.say(sentence, "muted")
    marks = {MARKS[c.conclusion] for c in result.comparisons}
    if marks & set(KEY):
        page.say(", ".join(words for mark, words in KEY.items() if mark in marks), "muted")


def _adjustments(page: Document, comparisons: Sequence[Comparison]) -> None:
    several = len(arms(tuple(comparisons))) > 1
    said = [
        (
            f"{c.metric}, {c.treatment.variant}" if several else c.metric,
            "; ".join(tag.removesuffix(".") for tag in tags(c)),
        )
        for c in comparisons
        if tags(c)
    ]
    if said:
        page.title("Adjustments")
        for metric, words in said:
            page.say(f"{metric}: {words}", mark="· ", mark_style="muted")


def _segments(page: Document, result: Result) -> None:
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for c in result.segments:
        groups.setdefault((c.metric, (c.segment or ("", None))[0], c.treatment.variant), []).append(c)
    if not groups:
        return
    page.title("Segments")
    page.say(segments_words(result.segments), "muted")
    several = len(arms(result.segments)) > 1
    for (metric, attribute, treatment), of in groups.items():
        page.say(f"{metric} by {attribute}" + (f", {treatment} against {result.control}" if several else ""))
        page.lines += segment_table(of, page.width, ascii_only=page.ascii_only)
        for c in of:
            if isinstance(c.relative, Undetermined) and isinstance(c.absolute, Undetermined):
                level = (c.segment or ("", None))[1] or "(missing)"
                page.say(f"{level}: undetermined: {c.absolute}", "caution", mark="· ")


def segments_words(segments: Sequence[Comparison]) -> str:
    """How segments are to be read."""
    said = ["Segments explore, they do not decide."]
    if any(c.adjusted_p is not None for c in segments):
        said.append("p is adjusted over all segments shown.")
    if any(c.shrunk is not None for c in segments):
        said.append("Shrunk: the estimate drawn towards the whole by its uncertainty.")
    return " ".join(said)


def _notes(page: Document, title: str, notes: Sequence[str], style: Style) -> None:
    if notes:
        page.title(title)
        for note in notes:
            page.say(note, style, mark="· ", mark_style="muted")
