"""A result proves itself: numbers follow from moments, moments from data, and one edit anywhere is caught and named.

The inference here is a small one of its own (a difference of means), so that what is tested is the proof and not the
analysis; the data are a real file read by a real engine.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.experiments.test_document import RESULTS

import paribus as pb
from paribus.errors import EngineError, InputError, ProofError
from paribus.experiments.canonical import plan_body
from paribus.experiments.document import load
from paribus.experiments.measurement_text import measurement_from_plain, measurement_to_plain
from paribus.experiments.plain import from_plain, to_plain
from paribus.experiments.plan import Design, Seal
from paribus.experiments.proof import Proof, build_proof, read_proof, with_proof
from paribus.experiments.result import ArmValue, Check, Comparison, CurvePoint, Result, Verdict, VerdictValue
from paribus.experiments.serialize import json_schema, result_from_dict, result_to_dict, without_secrets
from paribus.experiments.verify import Verification, verify
from paribus.metrics.cells import CellKey, Cells, ClusterSums, Counts, Measurement, Ranks, StatementText
from paribus.metrics.definition import MetricType, Role
from paribus.stats.arm import difference, mean
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.moments import Moments
from paribus.warehouse import open_engine

DOCUMENT = load(RESULTS)
AS_OF = datetime(2026, 2, 1, tzinfo=UTC)
ARMS = ("control", "banner")


def rows_of(file: Path) -> dict[str, np.ndarray]:
    lines = [line.split(",") for line in file.read_text().splitlines()[1:]]
    return {arm: np.array([[float(x) for x in line[2:]] for line in lines if line[1] == arm]) for arm in ARMS}


def measure(file: Path) -> Measurement:
    rows = rows_of(file)
    keys = tuple(CellKey(arm, day=date(2026, 1, 5)) for arm in ARMS)
    cells = {}
    for i, name in enumerate(("converted", "order value")):
        parts = [Moments.from_rows(rows[arm][:, [i]], ["y"]) for arm in ARMS]
        moments = Moments(
            ("y",),
            *(np.stack([getattr(p, part) for p in parts]) for part in ("n", "mean", "m2", "m3")),
            units=tuple(frozenset([key]) for key in keys),
        )
        cells[name] = Cells(name, keys, moments)
    engine = open_engine(None, base_dir=file.parent)
    fingerprint = engine.fingerprint([file.name])
    engine.close()
    return Measurement(
        Counts(rows=sum(map(len, rows.values())), units={arm: len(rows[arm]) for arm in ARMS}),
        cells,
        statements=(StatementText("moments", "duckdb", "SELECT 1"),),
        shifts={"order value/y": 20.0},
        fingerprint=fingerprint,
        as_of=AS_OF,
    )


def infer(
    design: Design,
    measurement: Measurement,
    *,
    registered: Seal | None,
    as_of: datetime | None,
    deviations: tuple[str, ...],
) -> Result:
    comparisons = []
    for metric in design.metrics:
        moments = measurement.cells[metric.name].moments
        control, treatment = (mean(moments.take(i)) for i in range(2))
        absolute = difference(control, treatment).at()
        arms = [
            ArmValue(a, int(m.n), float(m.value), float(m.se)) for a, m in zip(ARMS, (control, treatment), strict=True)
        ]
        relative = Undetermined(Reason.ZERO_BASELINE)
        comparisons.append(
            Comparison(
                metric.name, metric.type, metric.role, metric.direction, *arms, absolute, relative, absolute, "Welch"
            )
        )
    proof = build_proof(
        design, measurement, registered=registered, as_of=as_of, deviations=deviations, data=DOCUMENT.data, seed=1
    )
    verdict = Verdict(VerdictValue.UNREGISTERED, 0, "nothing was sealed", would_be=VerdictValue.ITERATE)
    return Result(
        experiment=design.key,
        title=design.title,
        verdict=verdict,
        checks=(Check("sample_ratio", "blocking", "passed", "as planned", 0.5, {"expected": [0.25, 0.75]}),),
        comparisons=tuple(comparisons),
        segments=(),
        curve=(),
        units=measurement.counts.units,
        control=design.control,
        as_of=as_of,
        method="fixed",
        confidence_level=design.plan.confidence_level,
        registered=registered is not None,
        plan=plan_body(design, DOCUMENT.data),
        seal=to_plain(registered),
        deviations=deviations,
        data_notes=(),
        statements=measurement.statements,
        proof=proof,
        seconds=0.1,
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rng = np.random.default_rng(11)
    lines = ["user_id,group,converted,order_value"]
    lines += [f"u{i},{ARMS[i % 2]},{rng.integers(0, 2)},{rng.gamma(2, 11.0)!r}" for i in range(300)]
    file = tmp_path / "results.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def recorded(results: Path) -> dict[str, Any]:
    found = infer(DOCUMENT.design, measure(results), registered=None, as_of=AS_OF, deviations=())
    plain: dict[str, Any] = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    return plain


def checked(plain: dict[str, Any], remeasure: Callable[[Proof], Measurement] | None = None) -> Verification:
    return verify(plain, remeasure=remeasure, infer=infer)


def test_a_result_verifies_from_its_one_file(recorded: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.json"
    file.write_text(json.dumps(recorded))
    answer = verify(file, infer=infer)
    assert (answer.inference, answer.data, answer.exit_code, answer.findings) == ("verified", None, 0, ())


def test_the_same_data_reproduce_it(recorded: dict[str, Any], results: Path) -> None:
    answer = checked(recorded, lambda proof: measure(results))
    assert (answer.inference, answer.data, answer.exit_code) == ("verified", "reproduced", 0)


def test_touching_the_file_changes_nothing(recorded: dict[str, Any], results: Path) -> None:
    results.write_bytes(results.read_bytes())
    assert checked(recorded, lambda proof: measure(results)).data == "reproduced"


def test_rounding_noise_of_another_machine_is_no_difference(recorded: dict[str, Any], results: Path) -> None:
    def noisy(proof: Proof) -> Measurement:
        found = measure(results)
        cells = found.cells["order value"]
        moments = replace(cells.moments, mean=cells.moments.mean * (1 + 1e-13), m2=cells.moments.m2 * (1 - 1e-12))
        return replace(found, cells={**found.cells, "order value": replace(cells, moments=moments)})

    assert checked(recorded, noisy).data == "reproduced"


@pytest.mark.parametrize("part", ["n", "mean", "m2", "m3"])
def test_one_edited_moment_is_caught_and_its_cell_named(recorded: dict[str, Any], part: str) -> None:
    cell = recorded["proof"]["measurement"]["cells"]["order value"]["cells"][1]
    cell[part] = cell[part] + 1 if part == "n" else [cell[part][0] * 1.001]
    answer = checked(recorded)
    assert (answer.inference, answer.exit_code) == ("differs", 1)
    assert answer.edits[0] == "the moments of 'order value' in the cell (banner, day 2026-01-05) were edited"
    if part in ("mean", "m2"):
        assert any(f.where.startswith("comparisons[order value, banner].absolute") for f in answer.findings)
        assert not any("converted" in f.where for f in answer.findings)


def test_a_moment_edited_together_with_its_hashes_still_contradicts_the_numbers(recorded: dict[str, Any]) -> None:
    from paribus.experiments import proof

    plain = recorded["proof"]
    cell = plain["measurement"]["cells"]["converted"]["cells"][0]
    cell["mean"] = [cell["mean"][0] + 0.01]
    cell["sha256"] = proof.cell_hash(cell)
    plain["hashes"] = proof._hashes(plain["measurement"])
    answer = checked(recorded)
    assert answer.edits == ()
    finding = next(f for f in answer.findings if f.where == "comparisons[converted, banner].control.value")
    assert finding.by == pytest.approx(0.01)
    assert answer.exit_code == 1


def test_a_removed_cell_is_caught(recorded: dict[str, Any]) -> None:
    recorded["proof"]["measurement"]["cells"]["converted"]["cells"].reverse()
    assert "the cells of 'converted' were edited" in checked(recorded).edits[0]


@pytest.mark.parametrize("part", ["counts", "shifts", "fingerprint", "statements", "caps"])
def test_other_parts_of_the_proof_are_guarded_too(recorded: dict[str, Any], part: str) -> None:
    measured = recorded["proof"]["measurement"]
    changes: dict[str, Any] = {
        "counts": {**measured["counts"], "rows": 1},
        "shifts": {"order value/y": 21.0},
        "fingerprint": {},
        "statements": [],
        "caps": {"converted": [None, 3.0]},
    }
    measured[part] = changes[part]
    assert f"the {part} of the proof were edited" in checked(recorded).edits


def test_one_edited_plan_field_is_caught_and_named(recorded: dict[str, Any]) -> None:
    shown = copy.deepcopy(recorded)
    shown["plan"]["plan"]["confidence_level"] = 0.5
    answer = checked(shown)
    assert [f.where for f in answer.findings] == ["plan.plan.confidence_level"]
    assert (answer.findings[0].recorded, answer.findings[0].found, answer.exit_code) == (0.5, 0.95, 1)
    inside = copy.deepcopy(recorded)
    inside["proof"]["design"]["plan"]["confidence_level"] = 0.5
    answer = checked(inside)
    assert answer.edits == (
        "the plan in the proof was edited: it does not have its hash",
        "design.plan.confidence_level of the proof was edited: it does not have its hash",
    )
    assert "plan.plan.confidence_level" in [f.where for f in answer.findings]


def test_with_a_seal_the_edited_field_of_the_plan_is_named_by_it(results: Path) -> None:
    from paribus.experiments.canonical import sha256

    body = plan_body(DOCUMENT.design, DOCUMENT.data)
    seal = Seal(sha256(body), "Ada", AS_OF, None, 0, "sealed before data", body)
    found = infer(DOCUMENT.design, measure(results), registered=seal, as_of=AS_OF, deviations=())
    plain = found.to_dict()
    assert checked(plain).exit_code == 0
    plain["proof"]["design"]["plan"]["power"] = 0.5
    assert checked(plain).edits[0].endswith("it differs from the seal in plan.power")
    # A plan edited together with its hash: the seal still tells.
    weaker = replace(DOCUMENT.design, plan=replace(DOCUMENT.design.plan, power=0.5))
    plain = infer(weaker, measure(results), registered=seal, as_of=AS_OF, deviations=()).to_dict()
    assert checked(plain).edits[0].endswith("no deviation says so: plan.power is 0.5, sealed 0.8")
    said = ("plan.power: sealed 0.8, now 0.5",)
    assert (
        checked(infer(weaker, measure(results), registered=seal, as_of=AS_OF, deviations=said).to_dict()).exit_code == 0
    )
    plain = found.to_dict()
    plain["proof"]["seal"]["registered"]["plan"]["power"] = 0.5
    assert "the sealed plan inside the proof was edited" in checked(plain).edits[0]


def test_an_edited_verdict_or_number_is_caught(recorded: dict[str, Any]) -> None:
    recorded["verdict"]["value"] = "ship"
    recorded["comparisons"][0]["absolute"]["p_value"] *= 1 + 1e-6
    answer = checked(recorded)
    assert [f.where for f in answer.findings] == ["verdict.value", "comparisons[converted, banner].absolute.p_value"]
    assert "recorded 'ship', found 'unregistered'" in str(answer.findings[0])


def test_one_changed_row_is_caught_and_named(recorded: dict[str, Any], results: Path) -> None:
    lines = results.read_text().splitlines()
    cells = lines[7].split(",")
    lines[7] = ",".join([*cells[:3], repr(float(cells[3]) + 5)])
    results.write_text("\n".join(lines) + "\n")
    answer = checked(recorded, lambda proof: measure(results))
    assert (answer.inference, answer.data, answer.exit_code) == ("verified", "data changed", 3)
    assert answer.changed[0].startswith("results.csv changed: ")
    arm = cells[1]
    finding = answer.findings[0]
    assert finding.where == f"moments of 'order value' ({arm}, day 2026-01-05).mean[0]"
    assert finding.by == pytest.approx(5 / 150), "one of 150 units of the arm has 5 more"
    assert answer.text().splitlines()[1] == f"  {finding}"


def test_other_words_are_a_note(recorded: dict[str, Any]) -> None:
    recorded["verdict"]["sentence"] = "no plan had been sealed"
    recorded["data_notes"] = ["an older version said something here"]
    answer = checked(recorded)
    assert (answer.inference, answer.exit_code) == ("verified", 0)
    assert answer.notes[0].startswith("2 sentences are worded otherwise, with the same numbers and decisions")


def test_a_number_in_a_sentence_that_nothing_says_again_differs(recorded: dict[str, Any]) -> None:
    recorded["verdict"]["sentence"] = "nothing was sealed, and order value rose by 12.5%"
    answer = checked(recorded)
    assert (answer.inference, answer.exit_code) == ("differs", 1)
    assert answer.findings[0].where == "verdict.sentence"


@pytest.mark.parametrize(
    ("where", "edited"),
    [
        (("verdict", "would_be"), "ship"),
        (("verdict", "rule"), 4),
        (("checks", 0, "status"), "failed"),
        (("checks", 0, "p_value"), 0.04),
        (("comparisons", 0, "conclusion"), "better"),
        (("comparisons", 0, "method"), "another test"),
    ],
)
def test_decisions_codes_and_numbers_are_never_wording(recorded: dict[str, Any], where: Any, edited: Any) -> None:
    *path, last = where
    place: Any = recorded
    for part in path:
        place = place[part]
    place[last] = edited
    assert checked(recorded).inference == "differs"


def test_another_answer_from_the_same_data_differs(recorded: dict[str, Any], results: Path) -> None:
    def other(proof: Proof) -> Measurement:
        found = measure(results)
        return replace(found, counts=replace(found.counts, rows=301))

    answer = checked(recorded, other)
    assert (answer.data, answer.exit_code) == ("differs", 1)
    assert answer.findings[0].where == "counts.rows"


@pytest.mark.parametrize("error", [InputError("results.csv is gone"), EngineError("no route to ada:pass@db")])
def test_data_out_of_reach_are_not_addressable(recorded: dict[str, Any], error: Exception) -> None:
    def unreachable(proof: Proof) -> Measurement:
        assert proof.data == DOCUMENT.data, "the proof says where the data were"
        raise error

    answer = checked(recorded, unreachable)
    assert (answer.inference, answer.data, answer.exit_code) == ("verified", "not addressable", 4)
    assert json.dumps(answer.to_dict())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.pop("schema"), "not a result of Paribus"),
        (lambda r: r.pop("verdict"), "Result lacks verdict"),
        (lambda r: r.update(extra=1), "'extra' is not a field of Result"),
        (lambda r: r.update(proof={}), "holds no proof"),
        (lambda r: r["proof"].pop("measurement"), "the proof lacks measurement"),
        (lambda r: r["proof"]["measurement"].pop("cells"), "not readable"),
        (lambda r: r["proof"]["measurement"]["counts"].update(rows="many"), "proof.measurement.counts.rows: 'many'"),
        (lambda r: r["verdict"].update(value="maybe"), "verdict.value: 'maybe'"),
        (lambda r: r["comparisons"][0]["absolute"].update(se="wide"), "comparisons[0].absolute"),
    ],
)
def test_a_file_that_is_no_proof_is_refused_with_the_place(recorded: dict[str, Any], change: Any, says: str) -> None:
    change(recorded)
    with pytest.raises(ProofError) as raised:
        checked(recorded)
    assert says in str(raised.value)


def leaves(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(plain, dict | list) and plain:
        for key, item in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from leaves(item, (*path, key))
    else:
        yield path, plain


def other(leaf: Any) -> Any:
    """The smallest edit that somebody would make by hand."""
    if isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, int):
        return leaf + 1
    if isinstance(leaf, float):
        return leaf * 1.000001 if leaf else 1e-6
    return leaf + "x" if isinstance(leaf, str) else {"x": 1} if leaf == {} else ["x"] if leaf == [] else 1


@pytest.mark.parametrize("cluster", [None, "shop"])
def test_an_edit_of_any_leaf_is_caught_and_named(cluster: str | None) -> None:
    rows = [{"user": f"u{i}", "shop": f"s{i % 12}", "arm": ("a", "b")[i % 12 > 5], "spent": i % 7} for i in range(240)]
    found = pb.analyze(pd.DataFrame(rows), unit="user", variant="arm", metrics=["spent"], cluster=cluster)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert verify(plain).exit_code == 0
    by_shape: dict[tuple[Any, ...], list[tuple[tuple[Any, ...], Any]]] = {}
    for path, leaf in leaves(plain):
        by_shape.setdefault(tuple(part for part in path if isinstance(part, str)), []).append((path, leaf))
    assert len(by_shape) > 200
    for shape, own in by_shape.items():
        if shape[:2] == ("proof", "hashes") and len(shape) > 4:
            continue  # one of each kind is enough
        if shape == ("seconds",):
            continue  # the one number that is not verified, as the answer says
        path, leaf = own[-1]
        *above, last = path
        holder: Any = plain
        for part in above:
            holder = holder[part]
        holder[last] = other(leaf)
        try:
            answer = verify(plain)
            said, code = answer.text(), answer.exit_code
        except ProofError as refused:
            said, code = str(refused), 2
        holder[last] = leaf
        assert code != 0, path
        named = {str(part) for part in shape[-3:]} | {"moments", "cells of"}
        assert any(name in said for name in named), (path, said)


def test_an_edited_sentence_is_told_from_one_that_another_version_words_otherwise() -> None:
    rows = pd.DataFrame({"user": range(60), "arm": ["a", "b"] * 30, "spent": [i % 7 for i in range(60)]})
    plain = pb.analyze(rows, unit="user", variant="arm", metrics=["spent"]).to_dict()
    sentence = plain["verdict"]["sentence"]
    plain["verdict"]["sentence"] = "Ship it."
    answer = verify(plain)
    assert (answer.exit_code, answer.edits) == (
        1,
        ("verdict.sentence of the result was edited: it does not have its hash",),
    )
    assert answer.findings[0].found == sentence
    plain["proof"]["hashes"] = with_proof(result_from_dict(plain), plain["proof"]).proof["hashes"]
    reworded = verify(plain)
    assert (reworded.exit_code, len(reworded.notes)) == (0, 1), "whoever said it so at first has its hash"
    del plain["proof"]["hashes"]["result"], plain["proof"]["hashes"]["parts"]
    assert "they are not verified" in verify(plain).notes[-1], "a result from before there were such hashes"


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{")
    (tmp_path / "l.json").write_text("[]")
    for name, says in (("r.json", "not JSON"), ("none.json", "cannot be read"), ("l.json", "holds no result")):
        with pytest.raises(ProofError, match=says):
            verify(tmp_path / name, infer=infer)


# Plain values and back.

EVERYTHING = Result(
    experiment="e",
    title="t",
    verdict=Verdict(VerdictValue.SHIP, 4, "ship it", ("because",), arm="b"),
    checks=(Check("balance", "warning", "failed", "no", math.nan, {"worst": "x"}),),
    comparisons=(
        Comparison(
            "m", MetricType.MEAN, Role.GUARDRAIL, "decrease",
            ArmValue("a", 3, 1.0, 0.1, 3.0, 4.0), ArmValue("b", 4, 1e-300, 5e-324),
            Estimate(0.1 + 0.2, 0.1, -math.inf, math.inf, math.nan, math.inf, 0.95, "greater", "x"),
            Undetermined(Reason.TOO_SKEWED, "skewness 12"),
            Estimate(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9, "two-sided", "y"),
            "Welch", 0.04, (-0.1, 0.3), 0.01, posterior={"better": 0.9}, segment=("country", None), conclusion="safe",
            uncapped=Undetermined(Reason.NO_DATA),
        ),
    ),
    segments=(),
    curve=(CurvePoint("m", "b", date(2026, 1, 5), 10, Undetermined(Reason.NO_VARIANCE), Undetermined(Reason.NO_DATA)),),
    units={"a": 3, "b": 4},
    control="a",
    as_of=AS_OF,
    method="fixed",
    confidence_level=0.95,
    registered=True,
    plan={"x": [1, None]},
    seal=None,
    deviations=("d",),
    data_notes=("n",),
    statements=(StatementText("probe", "duckdb", "SELECT 1"),),
    proof={},
)  # fmt: skip


def test_a_result_comes_back_from_its_plain_values_to_the_last_bit() -> None:
    plain = json.loads(json.dumps(EVERYTHING.to_dict(), allow_nan=False))
    back = Result.from_dict(plain)
    assert to_plain(back) == to_plain(EVERYTHING), "NaN is not equal to itself, its plain form is"
    assert back.comparisons[0].absolute.value == 0.30000000000000004  # type: ignore[union-attr]  # an estimate
    assert back.comparisons[0].treatment.se == 5e-324
    assert math.isnan(back.checks[0].p_value or 0)
    assert plain["comparisons"][0]["relative"] == {
        "undetermined": "too_skewed",
        "sentence": "the distribution is too skewed for this many units",
        "detail": "skewness 12",
    }
    assert plain["comparisons"][0]["absolute"]["lower"] == "-Infinity"


def test_results_follow_the_published_schema(recorded: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(recorded)
    validator.validate(EVERYTHING.to_dict())
    for key, wrong in (("verdict", {}), ("units", {"a": "3"}), ("as_of", 3), ("extra", 1)):
        assert not validator.is_valid({**recorded, key: wrong})


def test_the_proof_says_where_the_data_were_without_a_password() -> None:
    empty = Measurement(Counts(0, {}), {})
    for url, kept in (
        ("postgresql://ada:${PASSWORD}@db/shop", "postgresql://ada:${PASSWORD}@db/shop"),
        ("postgresql://ada:p@ss@db/shop", "postgresql://ada:***@db/shop"),
        ("duckdb:///shop.db", "duckdb:///shop.db"),
    ):
        assert read_proof(build_proof(DOCUMENT.design, empty, source_url=url)).source_url == kept


def test_passwords_do_not_leave_in_a_result() -> None:
    sql = "ATTACH 'postgresql://ada:s3cret@db:5432/shop' AS s; -- password='other' host=db"
    plain = result_to_dict(replace(EVERYTHING, statements=(StatementText("probe", "postgres", sql),)))
    text = json.dumps(plain)
    assert "s3cret" not in text
    assert "other" not in text
    assert "db:5432/shop" in text
    assert without_secrets("a: b@c, https://x.org:80/a@b") == "a: b@c, https://x.org:80/a@b"
    assert result_from_dict(plain).statements[0].name == "probe"


FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOATS, min_size=12, max_size=12), st.booleans(), st.text(max_size=5))
def test_a_measurement_comes_back_to_the_last_bit(numbers: list[float], known: bool, level: str) -> None:
    keys = (CellKey("a", "e", "s", date(2026, 1, 5), "country", level), CellKey("b", attribute="country"))
    units = tuple(frozenset([key]) for key in keys) if known else None
    x = np.array(numbers)
    square = np.empty((2, 2, 2))
    square[:, 0, 0], square[:, 1, 1], square[:, 0, 1] = x[0:2], x[2:4], x[4:6]
    square[:, 1, 0] = square[:, 0, 1]
    moments = Moments(("y", "x1"), x[:2], x[4:8].reshape(2, 2), square, x[8:12].reshape(2, 2), units)
    counts = Counts(
        rows=5,
        units={"a": 2},
        by_day={(None, "2026-01-05", "a"): 3, ("e", "2026-01-06", "b"): 4},
        by_segment={("country", None, "a"): 1},
        first_time=AS_OF,
        maxima={"m": numbers[0]},
    )
    measurement = Measurement(
        counts,
        {"m": Cells("m", keys, moments, moments.select(["y"]), (1, 2), (0, 3))},
        {"m": ClusterSums("m", ("a", "b"), ("v1", "v2"), (3.0, 4.0), ((1.5, numbers[0]),))},
        {"q": Ranks("q", keys, (5, 6), {"q": (numbers[0], 1.0)}, moments)},
        (StatementText("probe", "duckdb", "SELECT"),),
        {"m/y": numbers[1]},
        {"m": (None, numbers[2])},
        AS_OF,
        {"r.csv": {"kind": "files", "files": []}},
        ("w",),
    )
    plain = json.loads(json.dumps(measurement_to_plain(measurement), allow_nan=False))
    back = measurement_from_plain(plain)
    for name in ("n", "mean", "m2", "m3"):
        np.testing.assert_array_equal(getattr(back.cells["m"].moments, name), getattr(moments, name))
    assert back.cells["m"].moments.units == units
    assert back.cells["m"].keys == keys
    assert back.counts.by_day == counts.by_day
    assert json.dumps(measurement_to_plain(back)) == json.dumps(plain)


def test_a_design_comes_back_from_its_plain_values() -> None:
    assert from_plain(Design, json.loads(json.dumps(to_plain(DOCUMENT.design)))) == DOCUMENT.design
    assert (
        read_proof(build_proof(DOCUMENT.design, Measurement(Counts(0, {}), {}), data=DOCUMENT.data)).design
        == DOCUMENT.design
    )
