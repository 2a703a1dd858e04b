"""Dirty files through both doors: each fault gets a count, a decision and a sentence, or an error with its fix."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError, ParibusError
from paribus.experiments.result import Comparison, Result
from paribus.stats.estimate import Estimate, Reason, Undetermined

HEADER = ("user", "group", "converted", "revenue")
Row = tuple[Any, ...]


def rows() -> list[Row]:
    """400 units, alternating, with conversions in {0, 1} and revenue of two decimals."""
    draw = random.Random(1)
    return [
        (f"u{i}", "treatment" if i % 2 else "control", int(draw.random() < 0.3), round(draw.expovariate(0.1), 2))
        for i in range(400)
    ]


def text(body: list[Row], *, header: Row | None = HEADER, delimiter: str = ",") -> str:
    return "".join(delimiter.join(map(str, row)) + "\n" for row in ([header] if header else []) + body)


def analyzed(path: Path, content: str | bytes, **given: Any) -> Result:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return pb.analyze(
        path, **{"unit": "user", "variant": "group", "metrics": ["converted", "revenue"], "control": "control", **given}
    )


def on_the_command_line(path: Path, *extra: str) -> tuple[int, str, str]:
    named = ["--unit", "user", "--variant", "group", "--metric", "converted", "--metric", "revenue"]
    done = CliRunner().invoke(app, ["analyze", str(path), *named, *extra])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def said(result: Result) -> str:
    """All sentences about the data: notes, warnings and the checks that fail."""
    checks = [check.sentence for check in result.checks if check.status == "failed"]
    return "\n".join([*result.data_notes, *result.warnings, *checks])


def of(result: Result, metric: str) -> Comparison:
    (found,) = [c for c in result.comparisons if c.metric == metric]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.csv"


@pytest.fixture
def clean(path: Path) -> Result:
    return analyzed(path, text(rows()))


def same_numbers(one: Result, other: Result) -> bool:
    for a, b in zip(one.comparisons, other.comparisons, strict=True):
        assert isinstance(a.absolute, Estimate)
        assert isinstance(b.absolute, Estimate)
        assert (a.absolute.value, a.absolute.se) == pytest.approx((b.absolute.value, b.absolute.se), rel=1e-12)
    return True


def test_a_clean_file_has_nothing_to_say(clean: Result) -> None:
    assert said(clean) == ""
    assert clean.units == {"control": 200, "treatment": 200}


# ── rows and units ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_duplicated_rows_count_once(path: Path, clean: Result) -> None:
    result = analyzed(path, text(rows() + rows()[:10]))
    assert "10 rows repeat a unit; each unit counts once" in said(result)
    assert same_numbers(result, clean)


def test_conflicting_rows_are_refused(path: Path) -> None:
    more = [(user, group, converted, revenue + 1) for user, group, converted, revenue in rows()[:3]]
    with pytest.raises(InputError, match="3 values of 'user' have several rows with different") as refused:
        analyzed(path, text(rows() + more))
    assert refused.value.fix
    code, out, err = on_the_command_line(path)
    assert (code, out) == (2, "")
    assert "3 values of 'user'" in err


def test_units_in_both_variants_are_left_out(path: Path) -> None:
    crossed = [(u, "treatment" if g == "control" else "control", c, r) for u, g, c, r in rows()[:6]]
    result = analyzed(path, text(rows() + crossed))
    assert "6 units (1.5%) met several variants and are left out of every number" in said(result)
    assert result.units == {"control": 197, "treatment": 197}


def test_blank_and_missing_ids_are_left_out(path: Path, clean: Result) -> None:
    result = analyzed(path, text([*rows(), ("", "control", 1, 2.0), ("  ", "control", 1, 2.0)]))
    assert "2 rows (0.50%) are left out: 1 with no unit and 1 with a blank unit" in said(result)
    assert same_numbers(result, clean)


def test_rows_without_a_variant_are_left_out(path: Path, clean: Result) -> None:
    result = analyzed(path, text([*rows(), ("q", "", 1, 2.0)]))
    assert "1 with no variant" in said(result)
    assert same_numbers(result, clean)


def test_a_stray_variant_beside_a_declared_split_is_left_out_and_counted(path: Path, clean: Result) -> None:
    result = analyzed(path, text([*rows(), ("q", "ctrol", 1, 2.0)]), split={"control": 1, "treatment": 1})
    assert "1 with the unknown variant 'ctrol'" in said(result)
    assert same_numbers(result, clean)
    with pytest.raises(InputError, match="treatment has no weight above zero"):
        analyzed(path, text(rows()), split={"control": 1, "treatment": 0})
    with pytest.raises(InputError, match="names control alone"):
        analyzed(path, text(rows()), split={"control": 1})


def test_group_and_page_that_do_not_match(tmp_path: Path) -> None:
    """As in Udacity's landing page data: some of the control saw the new page, and the other way around."""
    body = [
        (user, group, "new_page" if (group == "treatment") != (i < 20) else "old_page", converted)
        for i, (user, group, converted, _) in enumerate(rows())
    ]
    (tmp_path / "pages.csv").write_text(text(body, header=("user", "group", "landing_page", "converted")))
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(
        "paribus: 1\nexperiment: pages\nkind: ab\ninterference: none because visitors do not meet\n"
        "variants: {control: 50, treatment: 50}\ncontrol: control\n"
        "units:\n  table: pages.csv\n  unit: user\n  variant: group\n"
        "  filter: (\"group\" = 'treatment') = (landing_page = 'new_page')\n"
        "metrics:\n  - {name: converted, type: proportion, value: converted, role: success}\n"
    )
    result = pb.analyze(experiment)
    assert "20 rows do not pass the filter and are left out." in result.data_notes
    assert result.units == {"control": 190, "treatment": 190}


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_refunds_are_counted_and_kept(path: Path) -> None:
    body = [*rows()[:-2], ("x", "control", 1, -12.5), ("y", "treatment", 1, -3.25)]
    result = analyzed(path, text(body))
    assert "2 units have a negative value of revenue (refunds, losses); they are kept." in result.data_notes
    revenue = [float(row[3]) for row in body if row[1] == "control"]
    assert of(result, "revenue").control.value == pytest.approx(sum(revenue) / 200, rel=1e-12)


def test_a_single_absurd_outlier_is_named(path: Path) -> None:
    result = analyzed(path, text([*rows()[:-1], ("x", "treatment", 1, 1e7)]))
    assert "The largest unit of revenue holds 99.96% of its total" in said(result)
    assert of(result, "revenue").absolute == Undetermined(Reason.TOO_SKEWED)


@pytest.mark.filterwarnings("error")
def test_a_value_too_large_to_square_is_no_number(path: Path) -> None:
    result = analyzed(path, text([*rows()[:-1], ("x", "treatment", 1, 1e300)]))
    assert "revenue: the sums are not finite; its values are too large to square" in said(result)
    assert of(result, "revenue").absolute == Undetermined(Reason.NOT_FINITE)


def test_nan_and_infinities_count_as_missing(path: Path) -> None:
    odd = [("x", "treatment", 1, "nan"), ("y", "control", 1, "inf"), ("z", "control", 0, "-inf")]
    result = analyzed(path, text(rows()[:-3] + odd))
    assert "3 values of revenue are NaN or infinite and count as missing." in result.data_notes
    comparison = of(result, "revenue")
    assert comparison.control.units + comparison.treatment.units == 397
    assert isinstance(comparison.absolute, Estimate)
    assert not any("matured" in note for note in result.data_notes)


def test_missing_values_leave_a_proportion_a_proportion(path: Path) -> None:
    result = analyzed(path, text([*rows()[:-2], ("x", "treatment", "nan", 1), ("y", "control", "", 1)]))
    assert of(result, "converted").type.value == "proportion"
    assert "2 units have no value of converted and are left out of it" in said(result)


def test_no_conversions(path: Path) -> None:
    result = analyzed(path, text([(user, group, 0, revenue) for user, group, _, revenue in rows()]))
    comparison = of(result, "converted")
    assert comparison.relative == Undetermined(Reason.ZERO_BASELINE)
    assert isinstance(comparison.absolute, Estimate)
    # zero of 200 against zero of 200 still says something: exact limits around zero, wider than the rule of three
    assert comparison.absolute.lower < -3 / 200 * 0.9
    assert comparison.absolute.upper > 3 / 200 * 0.9
    assert comparison.absolute.p_value == pytest.approx(1)


def test_a_constant_metric_has_no_effect_to_show(path: Path) -> None:
    result = analyzed(path, text([(user, group, converted, 5) for user, group, converted, _ in rows()]))
    assert of(result, "revenue").absolute == Undetermined(Reason.NO_VARIANCE)
    code, out, _ = on_the_command_line(path)
    assert code == 0
    assert "does not vary" in out


def test_text_among_numbers_is_refused_or_counted(path: Path) -> None:
    marked = [(u, g, c, "n/a" if i == 7 else r) for i, (u, g, c, r) in enumerate(rows())]
    result = analyzed(path, text(marked))
    assert "1 of 400 values are markers such as NA or NULL, read as missing" in said(result)
    with pytest.raises(InputError, match="the metric column 'revenue' is of kind text"):
        analyzed(path, text([(u, g, c, f"about {r}") for u, g, c, r in rows()]))


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_without_a_header(path: Path, clean: Result) -> None:
    result = analyzed(
        path, text(rows(), header=None), unit="col0", variant="col1", metrics=["col2", "col3"], control="control"
    )
    assert "no header: the first row" in said(result)
    assert same_numbers(result, clean)


def test_semicolons_and_decimal_commas(path: Path, clean: Result) -> None:
    body = [(user, group, converted, str(revenue).replace(".", ",")) for user, group, converted, revenue in rows()]
    result = analyzed(path, text(body, delimiter=";"))
    assert "delimiter: semicolon" in said(result)
    assert "the comma is read as the decimal sign" in said(result)
    assert same_numbers(result, clean)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_encodings_of_windows(path: Path, clean: Result, encoding: str) -> None:
    content = text(rows(), header=("user", "groupé", "converted", "revenue")).encode(encoding)
    result = analyzed(path, content, variant="groupé")
    assert {"cp1252": "Windows-1252", "utf-16": "UTF-16", "utf-8-sig": "byte order mark"}[encoding] in said(result)
    assert same_numbers(result, clean)


def test_mixed_time_zones_are_read_as_instants(path: Path) -> None:
    """23:30 in New York on the 1st is the 2nd in UTC, and 08:00 in Tokyo on the 2nd is the 1st."""
    times = ("2026-03-01T23:30:00-05:00", "2026-03-02T08:00:00+09:00", "2026-03-02T12:00:00Z")
    body = [(*row, times[i % 3]) for i, row in enumerate(rows())]
    result = analyzed(path, text(body, header=(*HEADER, "seen")), exposed_at="seen")
    days = {point.day.isoformat() for point in result.curve}
    assert days == {"2026-03-01", "2026-03-02"}
    latest = max(point.units for point in result.curve)
    first = {point.units for point in result.curve if point.day.isoformat() == "2026-03-01"}
    assert latest == 400
    assert first == {133}


def test_times_with_and_without_a_zone_are_not_mixed_silently(path: Path) -> None:
    body = [(*row, "2026-03-01T23:30:00-05:00" if i % 2 else "2026-03-01 12:00:00") for i, row in enumerate(rows())]
    result = analyzed(path, text(body, header=(*HEADER, "seen")), exposed_at="seen")
    assert "column 'seen': 200 of 400 times have no zone and are read as UTC" in said(result)


ERRORS = {
    "empty file": ("", "the file is empty"),
    "header only": (text([]), "holds no value"),
    "one arm missing": (text([row for row in rows() if row[1] == "control"]), "holds only the value 'control'"),
    "ragged row": (text(rows()) + "a,b\n", "this row has 2 fields, the header has 4"),
    "misspelled column": (text(rows(), header=("user", "group", "converted", "revenu")), "did you mean 'revenu'?"),
    "nul bytes": ("user,group\x00\x01\x00\n", "NUL bytes"),
}


@pytest.mark.parametrize(("content", "message"), ERRORS.values(), ids=list(ERRORS))
def test_what_cannot_be_read_is_a_clear_error_in_python_and_on_the_command_line(
    path: Path, content: str, message: str
) -> None:
    with pytest.raises(ParibusError) as refused:
        analyzed(path, content, control=None)
    assert message in str(refused.value)
    assert refused.value.fix
    assert refused.value.where
    code, out, err = on_the_command_line(path)
    assert (code, out) == (2, "")
    assert message in err
    code, out, err = on_the_command_line(path, "--json")
    assert (code, err) == (2, "")
    assert set(json.loads(out)["error"]) >= {"code", "what", "where", "fix"}


def test_the_command_line_shows_the_notes(path: Path) -> None:
    body = [(u, g, c, str(r).replace(".", ",")) for u, g, c, r in [*rows()[:-1], ("x", "treatment", 1, -7.5)]]
    path.write_text(text([*body, *body[:3], ("", "control", 0, "1,0")], delimiter=";"))
    code, out, err = on_the_command_line(path)
    assert (code, err) == (0, "")
    shown = " ".join(out.split())
    for sentence in ("3 rows repeat a unit", "1 with no unit", "negative value of revenue", "delimiter: semicolon"):
        assert sentence in shown


def test_a_mistyped_file_is_said_before_its_columns_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.csv").write_text("user,group,paid\n1,a,0\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no file") as refused:
        pb.analyze("result.csv")
    assert "results.csv" in (refused.value.fix or "")
