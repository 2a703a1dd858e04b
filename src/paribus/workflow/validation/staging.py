"""The staging environment: a key of its own for each use, taken back at the end, and after a crash at the next use."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from paribus.errors import InputError, TransientError
from paribus.workflow.context import Context, Endpoint

STAGING = "staging"
TIMEOUT_SECONDS = 30.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Door:
    """A door of the server: the endpoint, and the secret that events or definitions are asked for with."""

    url: str
    secret: str


def endpoint_of(context: Context) -> Endpoint:
    """The running server.

    Raises:
        InputError: there is none.
    """
    if context.endpoint is None:
        raise InputError(
            "no server is running",
            where=context.feature.key,
            rule="this step uses the real doors: events are sent, flags are switched",
            fix="paribus serve, or paribus feature run, which starts one",
        )
    return context.endpoint


@contextmanager
def key(endpoint: Endpoint, scope: str, source: str, *, environment: str = STAGING) -> Iterator[Door]:
    """A key of the staging environment whose events carry `source`; revoked at the end."""
    _revoke(endpoint, source, environment)
    made = ask(endpoint, "POST", "/api/v1/keys", {"scope": scope, "environment": environment, "source": source})
    try:
        yield Door(endpoint.url, made["secret"])
    finally:
        _revoke(endpoint, source, environment)


def ask(endpoint: Endpoint, method: str, path: str, body: Json | None = None) -> Any:
    """What the server answers.

    Raises:
        TransientError: it does not answer, or refuses.
    """
    import httpx

    try:
        answer = httpx.request(
            method,
            endpoint.url + path,
            json=body,
            headers={"Authorization": f"Bearer {endpoint.key}"},
            timeout=TIMEOUT_SECONDS,
            verify=trust(),
        )
    except httpx.HTTPError as error:
        raise TransientError(f"the server did not answer: {error}", where=endpoint.url, fix="see its log") from error
    if answer.status_code >= 400:
        raise TransientError(f"{method} {path}: {answer.status_code} {answer.text[:300]}", where=endpoint.url)
    return answer.json() if answer.content else None


@lru_cache(1)
def trust() -> ssl.SSLContext:
    """Whom to trust over TLS: the system's certificates, read once, since reading them takes longer than a request."""
    return ssl.create_default_context()


def _revoke(endpoint: Endpoint, source: str, environment: str) -> None:
    listed = ask(endpoint, "GET", "/api/v1/keys")
    for each in listed["items"]:
        if each["source"] == source and each["environment"] == environment and each["revoked_time"] is None:
            ask(endpoint, "DELETE", f"/api/v1/keys/{each['id']}")
