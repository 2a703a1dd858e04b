"""The shared vectors, asked of the server by OFREP: single, and all at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.server.installation import Installation, installed

from paribus.server import create_app
from paribus.server.ofrep import REASONS

SUITES = json.loads((Path(__file__).parents[2] / "spec" / "vectors" / "evaluation.json").read_text())["suites"]
PATH = "/ofrep/v1/evaluate/flags"


async def call(application: Any, path: str, secret: str, body: bytes) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"x-api-key", secret.encode()), (b"paribus-exposure", b"off")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await application(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def expected(case: dict[str, Any]) -> dict[str, Any]:
    want = case["expect"]
    metadata = {"assigned", "served", "reason", "revision", "epoch", "traffic_bp", "split_bp", "probability"}
    return {
        "key": case["flag"],
        "value": want["value"],
        "variant": want["variant"],
        "reason": REASONS.get(want["reason"], "DEFAULT"),
        **{name: want[name] for name in sorted(metadata)},
    }


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    metadata = answer["metadata"]
    names = ("assigned", "served", "reason", "revision", "epoch", "traffic_bp", "split_bp", "probability")
    facts = {name: metadata.get(name) for name in names}
    return {**{name: answer[name] for name in ("key", "value", "variant", "reason")}, **facts}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with installed(tmp_path_factory.mktemp("data")) as installation:
        yield installation


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite["name"])
def test_suite(live: Installation, suite: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(suite["snapshot"].get("flags"), dict):
        pytest.skip("not a snapshot that a server could serve")
    monkeypatch.setattr(live, "snapshot", lambda project, environment: suite["snapshot"])
    live.settings = type(live.settings)(requests_per_second=0)
    secret = live.secret("server")

    async def ask() -> int:
        application = create_app(live)
        asked = 0
        for case in suite["cases"]:
            want = case["expect"]
            # OFREP has neither an asked type nor a null beside a targetingKey of the context.
            if want["error_code"] == "TYPE_MISMATCH" or (case["unit"] is None and "targetingKey" in case["context"]):
                continue
            context = case["context"] | ({} if case["unit"] is None else {"targetingKey": case["unit"]})
            body = json.dumps({"context": context}).encode()
            status, answer = await call(application, f"{PATH}/{case['flag']}", secret, body)
            asked += 1
            if want["variant"] is None:
                status_of = {"FLAG_NOT_FOUND": 404, "PARSE_ERROR": 400}
                assert (status, answer["errorCode"]) == (status_of[want["error_code"]], want["error_code"]), case[
                    "name"
                ]
                continue
            assert status == 200, case["name"]
            assert shown(answer) == expected(case), case["name"]
            _, bulk = await call(application, PATH, secret, body)
            assert {each["key"]: each for each in bulk["flags"]}[case["flag"]] == answer, case["name"]
        await application.stop()
        return asked

    assert asyncio.run(ask()) > 0 or all(case["expect"]["error_code"] for case in suite["cases"])
