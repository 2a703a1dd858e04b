"""A language model in a role's seat, against a server on loopback: what it may add, and what it can never change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.workflow.visits import visits

from paribus.app.feature import workshop
from paribus.clock import system_clock
from paribus.errors import MissingExtra
from paribus.settings import Settings
from paribus.store import Store, open_store
from paribus.workflow.config import Config, Model
from paribus.workflow.effect import Effects
from paribus.workflow.roles import model
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.roles.prose import numbers_in
from paribus.workflow.roles.use import uses
from paribus.workflow.step import BUSINESS_ANALYST

TEXT = "Of 12,500 units, 3.2% more ordered (1.1% to 5.3%) within 14 days."


class Idea(BaseModel):
    change: str
    days: int = 0


@contextmanager
def answering(say: Callable[[dict[str, Any]], tuple[int, str]], delay: float = 0) -> Iterator[tuple[str, list[Any]]]:
    """An OpenAI-compatible server; `say` gives status and the text of its answer."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({"path": self.path, "auth": self.headers["authorization"], "body": body})
            time.sleep(delay)
            status, text = say(body)
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "stub",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47},
            }
            content = json.dumps(answer if status == 200 else {"error": {"message": text}}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "d.sqlite", clock=system_clock)
    yield opened
    opened.close()


def seat(store: Store, url: str, timeout: float = 10, generation: int = 1) -> Any:
    config = Config(model=Model(url=url, name="stub", key_variable="THE_MODEL_KEY", timeout_seconds=timeout))
    once = Effects(store, "f", "hypothesize", generation).once
    return model.agent_of(
        config, feature="f", step="hypothesize", once=once, store=store, environ={"THE_MODEL_KEY": "k-secret"}
    )


def test_without_a_url_the_roles_are_deterministic(store: Store) -> None:
    found = model.agent_of(Config(), feature="f", step="s", once=lambda name, effect: effect(), store=store)
    assert isinstance(found, Deterministic)
    assert found.is_deterministic


def test_prose_with_the_same_numbers_is_taken_and_recorded(store: Store) -> None:
    better = "3.2% more (1.1% to 5.3%) of 12500 units ordered within 14 days."
    with answering(lambda body: (200, json.dumps({"text": better}))) as (url, asked):
        assert seat(store, url).rewrite(BUSINESS_ANALYST, TEXT, "e1: a result") == better
    assert asked[0]["path"] == "/v1/chat/completions"
    assert asked[0]["auth"] == "Bearer k-secret"
    (use,) = uses(store, "f")
    assert (use.outcome, use.kind, use.role, use.model) == ("used", "rewrite", BUSINESS_ANALYST, "stub")
    assert (use.requests, use.input_tokens, use.output_tokens) == (1, 40, 7)
    assert TEXT in use.prompt
    assert "k-secret" not in repr(use)
    assert "Turn findings into hypotheses" in use.instructions


@pytest.mark.parametrize(
    "worse",
    [
        "3.4% more (1.1% to 5.3%) of 12500 units ordered within 14 days.",
        "3.2% more of 12500 units ordered within 14 days.",
        "3.2% more (1.1% to 5.3%) of 12500 units ordered within 14 days, worth 1000 USD.",
        "3.2 more (1.1% to 5.3%) of 12500 units ordered within 14 days.",
    ],
)
def test_prose_that_changes_a_number_is_refused(store: Store, worse: str) -> None:
    with answering(lambda body: (200, json.dumps({"text": worse}))) as (url, _):
        assert seat(store, url).rewrite(BUSINESS_ANALYST, TEXT, "") == TEXT
    assert uses(store, "f")[0].outcome == "refused"


def test_candidates_stand_behind_the_computed_ones_and_bring_no_numbers(store: Store) -> None:
    ideas = [
        {"change": "keep the cart for 3 visits", "days": 7},
        {"change": "raise sales by 40%"},
        {"change": "a", "days": 9},
    ]
    computed = [Idea(change="show the price earlier", days=7)]
    with answering(lambda body: (200, json.dumps({"candidates": ideas}))) as (url, _):
        found = seat(store, url).propose(
            BUSINESS_ANALYST, "which change?", "carts are left after 3 visits; 0 came back", Idea, default=computed
        )
    assert found[0] == computed[0]
    assert [each.change for each in found[1:]] == ["keep the cart for 3 visits"]
    assert "2 of 3" in uses(store, "f")[0].detail


@pytest.mark.parametrize(
    ("status", "text", "detail"),
    [(500, "down", ""), (401, "no key", ""), (200, "no json at all", ""), (200, '{"other": 1}', "")],
)
def test_whatever_fails_the_computed_answer_stands(store: Store, status: int, text: str, detail: str) -> None:
    with answering(lambda body: (status, text)) as (url, _):
        assert seat(store, url).rewrite(BUSINESS_ANALYST, TEXT, "") == TEXT
    (use,) = uses(store, "f")
    assert use.outcome == "failed"
    assert use.detail


def test_a_model_that_takes_too_long_is_not_waited_for(store: Store) -> None:
    with answering(lambda body: (200, "{}"), delay=3) as (url, _):
        started = time.perf_counter()
        assert seat(store, url, timeout=0.3).rewrite(BUSINESS_ANALYST, TEXT, "") == TEXT
        assert time.perf_counter() - started < 2.5
    assert "Timeout" in uses(store, "f")[0].detail


def test_a_model_that_is_down_is_not_asked_again_and_again(store: Store) -> None:
    with answering(lambda body: (401, "no")) as (url, asked):
        one = seat(store, url)
        for i in range(5):
            assert one.rewrite(BUSINESS_ANALYST, f"{TEXT} {i}", "") == f"{TEXT} {i}"
    assert len(asked) == model.MOST_FAILURES
    assert len(uses(store, "f")) == 5


def test_a_step_that_runs_again_asks_nothing_twice(store: Store) -> None:
    better = "Within 14 days, 3.2% more (1.1% to 5.3%) of 12500 units ordered."
    with answering(lambda body: (200, json.dumps({"text": better}))) as (url, asked):
        assert seat(store, url).rewrite(BUSINESS_ANALYST, TEXT, "") == better
        assert seat(store, url).rewrite(BUSINESS_ANALYST, TEXT, "") == better
        assert len(asked) == 1
        assert len(uses(store, "f")) == 1


def test_the_library_of_models_for_tests_works_too(store: Store) -> None:
    from pydantic_ai.models.test import TestModel

    one = seat(store, "http://127.0.0.1:9/v1")
    one.model = TestModel(custom_output_text=json.dumps({"text": TEXT}))
    assert one.rewrite(BUSINESS_ANALYST, TEXT, "") == TEXT
    assert uses(store, "f")[0].outcome == "unchanged"


def test_a_configured_model_without_its_extra_says_what_to_install(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"paribus\[agents\]"):
        seat(store, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("12,500 units", "12500 units", True),
        ("3.0%", "3%", True),
        ("3%", "3", False),
        ("-2.5", "−2.5", True),
        ("from 1.1 to 5.3", "1.1–5.3", True),
        ("p95 and A/B", "A/B and p95", True),
        ("2026-01-31", "2026-01-30", False),
    ],
)
def test_numbers_are_told_apart_from_their_spelling(one: str, other: str, same: bool) -> None:
    assert (numbers_in(one) == numbers_in(other)) is same


def test_a_run_asks_the_configured_model_and_goes_on_without_its_answer(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with answering(lambda body: (503, "busy")) as (url, asked), workshop(settings) as shop:
        config = Config(model=Model(url=url, timeout_seconds=5))
        source = str(visits(tmp_path / "events.csv"))
        shop.new("one-click checkout for mobile users", key="f", config=config, source=source, author="ann")
        stop = shop.run("f", until="hypothesize", author="ann")
        assert stop.kind == "until"
        recorded = uses(shop.operations.store, "f")
        assert asked
        assert {(use.step, use.outcome) for use in recorded} == {("hypothesize", "failed")}
        sources = {each["source"] for each in shop.dossier.artifact("f", "hypothesize").facts["hypotheses"]}
        assert "model" not in sources
