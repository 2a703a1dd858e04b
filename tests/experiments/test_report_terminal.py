"""What the terminal and `repr` show: never too wide, never a false zero, nothing that must not be seen."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.experiments.results import CONVERTED, HOSTILE, RESULTS, SHIP

from paribus.experiments.report import terminal, text
from paribus.experiments.report.lines import cells, printable, wrap
from paribus.experiments.result import Result

ALL = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS.keys())
FALSE_NUMBERS = re.compile(r"\b0?\.0000\b|(?<![\d.])100(\.0)?%|(?<![\d.,])-0(\.0+)?%|\bnan\b|\binf\b", re.IGNORECASE)


def shown(result: Result, width: int = 80, **settings: object) -> str:
    out = io.StringIO()
    terminal(result, Console(file=out, width=width, **settings))  # type: ignore[arg-type]
    return out.getvalue()


@ALL
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(result: Result, width: int) -> None:
    assert max(cells(line) for line in shown(result, width).splitlines()) <= min(width, 100)


@ALL
def test_repr_is_plain_text_of_80_columns(result: Result) -> None:
    lines = repr(result).splitlines()
    assert max(map(cells, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in repr(result)


@ALL
def test_the_verdict_comes_first_then_health_then_effects(result: Result) -> None:
    report = shown(result)
    assert printable(result.verdict.sentence)[:30] in report.splitlines()[0]
    assert (
        report.index("Health") < report.index("Progress") < max(report.find("lift"), report.find("Effects are hidden"))
    )
    assert re.search(r"Rule \d of 7|No rule was agreed", report)
    assert re.search(r"May be read|No plan says when", report)


@ALL
def test_no_false_zero_and_no_certainty(result: Result) -> None:
    assert not FALSE_NUMBERS.search(shown(result))


def test_an_invalid_result_shows_no_effect() -> None:
    for report in (shown(RESULTS["invalid"]), repr(RESULTS["invalid"])):
        assert "+5.7%" not in report
        assert ".0016" not in report
        assert "Effects are hidden: 50,212 and 48,104 units do not fit" in " ".join(report.split())


@pytest.mark.parametrize("name", ["unregistered", "undetermined"])
def test_an_unregistered_reading_never_says_ship(name: str) -> None:
    report = shown(RESULTS[name])
    assert "Unregistered reading" in report
    assert not re.search(r"\bship\b", report, re.IGNORECASE)


def test_undetermined_metrics_show_their_reason_and_no_number() -> None:
    report = " ".join(shown(RESULTS["undetermined"]).split())
    assert "undetermined: the metric does not vary (every unit has 10)" in report
    assert "%" not in report.split("metric", 1)[1].split("Data")[0]


def test_the_table_reads_like_a_papers() -> None:
    report = repr(SHIP)
    assert re.search(r"converted +12\.03% +12\.72% +\+5\.7% +\[\+1\.9%, \+9\.6%\] +\.0016  ✓", report)
    assert re.search(r"page load \(≤\+2%\) +1,243\.0 +1,246\.0 +\+0\.24% +\(-∞, \+0\.89%\] +< \.0001  ✓", report)
    assert "Success metrics: 95% two-sided intervals, intervals and p adjusted together" in report
    assert "97.5% one-sided intervals, judged by the interval against the margin" in " ".join(report.split())


def test_columns_line_up() -> None:
    lines = repr(SHIP).splitlines()
    header = next(line for line in lines if line.startswith("metric"))
    body = [line for line in lines if re.search(r"  [✓~]$", line)]
    assert len(body) == 5
    assert {len(line[:-1].rstrip()) for line in body} == {len(header)}


@ALL
def test_without_unicode_everything_is_ascii(result: Result) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    terminal(result, Console(file=out, width=80))
    out.flush()
    written = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert max(map(len, written.splitlines())) <= 80
    assert text(result, ascii_only=True).isascii()


def test_a_redirected_report_has_no_escape_codes() -> None:
    code = "from tests.experiments.results import SHIP; from paribus.experiments.report import terminal; terminal(SHIP)"
    for extra in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "80"}):
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={**extra, "PYTHONPATH": "."}
        )
        assert b"\x1b" not in run.stdout
        assert max(cells(line) for line in run.stdout.decode().splitlines()) <= 80


def test_color_only_with_a_terminal() -> None:
    assert "\x1b[" in shown(SHIP, force_terminal=True, color_system="standard")
    no_color = shown(SHIP, force_terminal=True, color_system="standard", no_color=True)
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", no_color)


def test_hostile_names_cannot_move_the_cursor() -> None:
    assert "\x1b" not in shown(HOSTILE)
    assert "<script>alert(1)" in shown(HOSTILE)


def test_wide_characters_keep_the_columns() -> None:
    result = replace(SHIP, comparisons=(replace(CONVERTED, metric="コンバージョン率"), CONVERTED))
    lines = [line for line in repr(result).splitlines() if "12.03%" in line]
    assert len({cells(line) for line in lines}) == 1


@given(st.text(max_size=60), st.integers(4, 40))
def test_wrapping_keeps_the_width_and_the_words(words: str, width: int) -> None:
    words = printable(words)
    lines = wrap(words, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(words.split())


@settings(deadline=None)
@given(st.text(min_size=1, max_size=90), st.text(min_size=1, max_size=40))
def test_any_names_fit(metric: str, arm: str) -> None:
    named = replace(CONVERTED, metric=metric, treatment=replace(CONVERTED.treatment, variant=arm))
    report = text(replace(SHIP, comparisons=(named,)))
    assert max(map(cells, report.splitlines())) <= 80
