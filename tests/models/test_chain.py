"""The chain answers within its budget whatever its models do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from paribus.errors import DefinitionError, InputError
from paribus.models import Chain, Link, Shadow, VariantModels
from paribus.models.chain import Row
from paribus.models.inference import infer, metadata

BUDGET = 0.15


def constant(score: float) -> Callable[[Row], float]:
    return lambda row: score


def base_rate(row: Row) -> float:
    return 0.1


def failing(row: Row) -> float:
    raise RuntimeError("planted")


def timing_out(row: Row) -> float:
    raise TimeoutError("its own")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def chain(*scores: Callable[[Row], float], rule: Callable[[Row], float] = base_rate, **options: float) -> Chain:
    names = ("champion", "previous", "older")
    links = [Link(name, score) for name, score in zip(names, scores, strict=False)]
    return Chain(links, rule, **{"budget_seconds": BUDGET, **options})  # type: ignore[arg-type]


def test_the_champion_answers_and_is_timed() -> None:
    made = chain(constant(0.7), constant(0.6))
    answers = [made.answer({}) for _ in range(20)]
    assert {(each.score, each.served_by, each.is_fallback) for each in answers} == {(0.7, "champion", False)}
    assert made.fallback_rate == 0
    p50, p99 = (made.latency["champion"].quantile(share) for share in (0.5, 0.99))
    assert p50 is not None
    assert p99 is not None
    assert 0 < p50 <= p99 < BUDGET


@pytest.mark.parametrize(
    ("fault", "kind"), [(failing, "error"), (timing_out, "error"), (constant(float("nan")), "not a number")]
)
def test_a_fault_is_answered_by_the_next_and_counted(fault: Callable[[Row], float], kind: str) -> None:
    made = chain(fault, constant(0.6))
    answer = made.answer({})
    assert (answer.score, answer.served_by, dict(answer.failures)) == (0.6, "previous", {"champion": kind})
    assert made.failed == {("champion", kind): 1}
    assert made.fallback_rate == 1


def test_what_hangs_is_left_and_then_passed_over(gate: threading.Event) -> None:
    """Each of the two workers is waited for once; after that the champion is `busy` and costs nothing."""
    made = chain(lambda row: float(gate.wait(20)), constant(0.6), workers=2)
    kinds = []
    for _ in range(5):
        began = time.perf_counter()
        answer = made.answer({})
        kinds.append(answer.failures["champion"])
        assert answer.served_by == "previous"
        assert time.perf_counter() - began < 4 * BUDGET
    assert kinds == ["late", "late", "busy", "busy", "busy"]
    gate.set()
    for _ in range(200):
        if made.answer({}).served_by == "champion":
            return
        time.sleep(0.01)
    pytest.fail("the champion did not come back")


def test_the_rule_is_last_and_even_it_may_fail() -> None:
    assert chain(failing, failing).answer({}).score == 0.1
    answer = chain(failing, rule=failing).answer({})
    assert (answer.score, answer.served_by, answer.failures["rule"]) == (0.0, "rule", "error")
    assert chain().answer({}).served_by == "rule"


def test_after_closing_the_rule_answers() -> None:
    made = chain(constant(0.7))
    made.close()
    assert made.answer({}).served_by == "rule"


def test_callers_of_many_threads_are_all_counted() -> None:
    made = chain(constant(0.7), workers=8, budget_seconds=5.0)
    threads = [threading.Thread(target=lambda: [made.answer({}) for _ in range(50)]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(made.served.values()) == 200


def test_a_variant_has_its_chain_and_an_unknown_one_controls() -> None:
    models = VariantModels({"control": chain(constant(0.3)), "treatment": chain(constant(0.9))}, "control")
    assert [models.answer(name, {}).score for name in ("control", "treatment", "gone", None)] == [0.3, 0.9, 0.3, 0.3]
    models.close()
    with pytest.raises(DefinitionError, match="has no model"):
        VariantModels({"treatment": chain()}, "control")


def test_the_shadow_keeps_differences_only(gate: threading.Event) -> None:
    scores = iter([0.9, 0.2, 0.6])
    shadow = Shadow(Link("challenger", lambda row: next(scores)))
    for served in (0.5, 0.4, 0.4):
        shadow.compare({}, served)
    shadow.compare({}, 0.5)  # the iterator is exhausted: a failure
    shadow.settle()
    report = shadow.report()
    assert (report.scored, report.failed, report.dropped) == (3, 1, 0)
    assert report.mean_difference == pytest.approx((0.4 - 0.2 + 0.2) / 3)
    assert report.largest_difference == pytest.approx(0.4)
    assert report.disagreement == pytest.approx(1 / 3)  # 0.9 against 0.5 agree, 0.6 against 0.4 do not
    shadow.close()

    stuck = Shadow(Link("challenger", lambda row: float(gate.wait(20))), waiting=3)
    began = time.perf_counter()
    for _ in range(10):
        stuck.compare({}, 0.5)
    assert time.perf_counter() - began < 1
    assert stuck.report().dropped == 7
    assert stuck.report().mean_difference is None
    stuck.close()


def test_the_open_inference_protocol() -> None:
    made = chain(lambda row: row["a"] + row["b"])
    inputs = [
        {"name": name, "shape": [2], "datatype": "FP32", "data": data} for name, data in (("a", [1, 2]), ("b", [3, 4]))
    ]
    answer = infer(made, "offer", {"id": "9", "inputs": inputs})
    assert (answer["id"], answer["model_name"]) == ("9", "offer")
    assert answer["outputs"][0] == {"name": "score", "shape": [2], "datatype": "FP64", "data": [4.0, 6.0]}
    assert answer["outputs"][1]["data"] == ["champion", "champion"]
    assert metadata(made, "offer", ("a", "b"))["versions"] == ["champion"]
    for wrong in ({}, {"inputs": []}, {"inputs": [*inputs, {"name": "c", "data": [1]}]}, {"inputs": [1]}):
        with pytest.raises(InputError):
            infer(made, "offer", wrong)
