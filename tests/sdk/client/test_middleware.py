"""The middleware in genuine FastAPI, Flask and Django applications, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paribus_sdk.breaker import BreakerPolicy
from paribus_sdk.middleware.passage import unit_reader
from paribus_sdk.request import current_request
from paribus_sdk.testing import InMemoryClient
from tests.sdk.client.snapshots import flag, snapshot, treatment_to_all

PRO = [{"id": "pro", "when": {"attribute": "plan", "op": "equals", "value": "pro"}, "variant": "treatment"}]
DEFINITIONS = snapshot(checkout=treatment_to_all(), pro=flag(rules=PRO))

Get = Callable[..., int]


@pytest.fixture
def memory() -> InMemoryClient:
    return InMemoryClient(DEFINITIONS, breaker=BreakerPolicy(trips=1))


def fastapi_app(memory: InMemoryClient) -> Get:
    from fastapi import FastAPI, HTTPException
    from fastapi.testclient import TestClient
    from paribus_sdk.middleware.asgi import ParibusMiddleware

    app = FastAPI()
    app.add_middleware(
        ParibusMiddleware,
        client=memory,
        unit="header:X-User-Id",
        context=lambda scope: {"plan": dict(scope["headers"]).get(b"x-plan", b"").decode()},
    )

    @app.get("/buy/{item}")
    def buy(item: int) -> dict[str, str]:
        return {"variant": memory.variant("checkout"), "pro": memory.variant("pro")}

    @app.get("/async")
    async def buy_async() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"variant": memory.variant("checkout")}

    @app.get("/broken")
    def broken() -> None:
        memory.variant("checkout")
        raise RuntimeError("broken on demand")

    @app.get("/teapot")
    def teapot() -> None:
        memory.variant("checkout")
        raise HTTPException(418)

    @app.get("/plain")
    def plain() -> str:
        return "no flag"

    browser = TestClient(app, raise_server_exceptions=False)
    return lambda path, **headers: browser.get(path, headers=named(headers)).status_code


def flask_app(memory: InMemoryClient) -> Get:
    from flask import Flask, abort
    from paribus_sdk.middleware.flask import init_app

    app = Flask("shop")
    init_app(app, memory, unit="header:X-User-Id", context=lambda request: {"plan": request.headers.get("X-Plan", "")})

    @app.get("/buy/<item>")
    def buy(item: str) -> dict[str, str]:
        return {"variant": memory.variant("checkout"), "pro": memory.variant("pro")}

    @app.get("/async")
    def other() -> dict[str, str]:
        return {"variant": memory.variant("checkout")}

    @app.get("/broken")
    def broken() -> str:
        memory.variant("checkout")
        raise RuntimeError("broken on demand")

    @app.get("/teapot")
    def teapot() -> str:
        memory.variant("checkout")
        abort(418)

    @app.get("/plain")
    def plain() -> str:
        return "no flag"

    browser = app.test_client()
    return lambda path, **headers: browser.get(path, headers=named(headers)).status_code


def django_app(memory: InMemoryClient, is_async: bool = False) -> Get:
    import django
    from django.conf import settings
    from django.http import HttpResponse
    from django.test import AsyncClient, Client
    from django.urls import path

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=None,
            MIDDLEWARE=["paribus_sdk.middleware.django.ParibusMiddleware"],
            SECRET_KEY="test",
            LOGGING_CONFIG=None,
        )
        django.setup()
    settings.PARIBUS = {
        "client": memory,
        "unit": "header:X-User-Id",
        "context": lambda request: {"plan": request.headers.get("X-Plan", "")},
    }

    def buy(request: Any, item: str) -> HttpResponse:
        return HttpResponse(memory.variant("checkout") + memory.variant("pro"))

    async def buy_async(request: Any) -> HttpResponse:
        await asyncio.sleep(0)
        return HttpResponse(memory.variant("checkout"))

    def broken(request: Any) -> HttpResponse:
        memory.variant("checkout")
        raise RuntimeError("broken on demand")

    def teapot(request: Any) -> HttpResponse:
        return HttpResponse(memory.variant("checkout"), status=418)

    def plain(request: Any) -> HttpResponse:
        return HttpResponse("no flag")

    class Urls:
        urlpatterns = (
            path("buy/<item>", buy),
            path("async", buy_async),
            path("broken", broken),
            path("teapot", teapot),
            path("plain", plain),
        )

    settings.ROOT_URLCONF = Urls
    if is_async:
        browser_async = AsyncClient(raise_request_exception=False)

        async def get(path: str, headers: dict[str, str]) -> int:
            return (await browser_async.get(path, headers=headers)).status_code

        return lambda path, **headers: asyncio.run(get(path, named(headers)))
    browser = Client(raise_request_exception=False)
    return lambda path, **headers: browser.get(path, headers=named(headers)).status_code


def named(headers: dict[str, str]) -> dict[str, str]:
    return {f"X-{name.replace('_', '-')}": value for name, value in headers.items()}


APPS = {
    "fastapi": fastapi_app,
    "flask": flask_app,
    "django": django_app,
    "django_async": lambda memory: django_app(memory, is_async=True),
}
ROUTES = {"fastapi": "/buy/{item}", "flask": "/buy/<item>", "django": "/buy/<item>", "django_async": "/buy/<item>"}


@pytest.fixture(params=APPS)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def get(framework: str, memory: InMemoryClient) -> Iterator[Get]:
    yield APPS[framework](memory)
    assert current_request.get() is None


def test_the_unit_is_carried_and_the_request_logged(get: Get, memory: InMemoryClient, framework: str) -> None:
    assert get("/buy/7", User_Id="u7", Plan="pro") == 200
    exposures = {exposure["flag"]: exposure for exposure in memory.exposures()}
    assert exposures["checkout"]["unit"] == "u7"
    assert (exposures["pro"]["assigned"], exposures["pro"]["attributes"]) == ("treatment", {"plan": "pro"})
    (request,) = memory.named("$request")
    assert request["unit"] == "u7"
    properties = request["properties"]
    assert properties.pop("seconds") > 0
    assert properties == {
        "method": "GET",
        "route": ROUTES[framework],
        "status": 200,
        "error": False,
        "exception": None,
        "variants": {"checkout": "treatment", "pro": "treatment"},
    }


def test_async_views(get: Get, memory: InMemoryClient) -> None:
    assert get("/async", User_Id="u8") == 200
    assert memory.named("$request")[0]["properties"]["variants"] == {"checkout": "treatment"}


def test_an_exception_is_an_error_and_a_refusal_is_none(get: Get, memory: InMemoryClient) -> None:
    assert get("/broken", User_Id="u") == 500
    assert get("/teapot", User_Id="u") == 418
    first, second = (event["properties"] for event in memory.named("$request"))
    assert (first["status"], first["error"], first["exception"]) == (500, True, "RuntimeError")
    assert (second["status"], second["error"]) == (418, False)


def test_requests_without_flags_are_not_logged(get: Get, memory: InMemoryClient) -> None:
    assert get("/plain", User_Id="u") == 200
    assert memory.events == []


def test_a_failing_variant_trips_and_control_is_served(get: Get, memory: InMemoryClient) -> None:
    for number in range(20):
        get("/broken", User_Id=f"u{number}")
    assert memory.named("$breaker")[0]["properties"]["state"] == "held"
    served = [event["properties"]["variants"]["checkout"] for event in memory.named("$request")]
    assert served[0] == "treatment"
    assert served[-1] == "control"


def test_places_of_a_unit() -> None:
    scope = {"h": {"X-User": "a"}, "c": {"uid": "b"}}
    places = (lambda it, name: it["h"].get(name), lambda it, name: it["c"].get(name))
    assert unit_reader("header:X-User", *places)(scope) == "a"
    assert unit_reader("cookie:uid", *places)(scope) == "b"
    assert unit_reader("cookie:none", *places)(scope) is None
    assert unit_reader(lambda it: len(it), *places)(scope) == 2
    assert unit_reader(None, *places)(scope) is None
    with pytest.raises(ValueError, match="'header:NAME'"):
        unit_reader("query:uid", *places)


def test_functions_that_fail_cost_the_unit_only(memory: InMemoryClient) -> None:
    from flask import Flask
    from paribus_sdk.middleware.flask import init_app

    app = Flask("shop")
    init_app(app, memory, unit=lambda request: request.no_such_attribute)
    app.get("/")(lambda: memory.variant("checkout"))
    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (200, "control")
    assert memory.stats.errors["middleware"] == 1


def test_cookies_of_asgi() -> None:
    from paribus_sdk.middleware.asgi import _cookie

    scope = {"headers": [(b"cookie", b"a=1; uid=u%205; b=2")]}
    assert _cookie(scope, "uid") == "u%205"
    assert _cookie(scope, "none") is None
    assert _cookie({"headers": []}, "uid") is None
