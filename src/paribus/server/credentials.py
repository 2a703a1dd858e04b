"""From a request to a principal that may do what it asks, within its rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from paribus.errors import AccessError, LimitError
from paribus.governance.access import authorize
from paribus.server.live import Live
from paribus.server.rates import Rates
from paribus.server.request import Request

if TYPE_CHECKING:
    from paribus.governance.access import Action, Principal

REMEMBERED_SECONDS = 0.2
"""How long an accepted key is not looked up again; a revocation is in force after it."""
GUESSES_PER_SECOND = 10


class Door:
    """Lets principals in: who, whether they may, and how often."""

    def __init__(self, live: Live) -> None:
        self._authenticate = live.authenticate
        self._rates = Rates(live.settings.requests_per_second)
        self._guesses = Rates(GUESSES_PER_SECOND, 50)
        self._remembered: dict[tuple[str, str], tuple[float, Principal]] = {}

    def enter(self, request: Request, action: Action, *, in_query: bool = False) -> Principal:
        """The principal of the key in the request.

        Raises:
            AccessError: no key, an unknown one, or one that may not do this.
            LimitError: too often.
        """
        return self.admit(request.secret(in_query=in_query), action, request)

    def admit(self, secret: str | None, action: Action, request: Request) -> Principal:
        """The principal of a key that was found elsewhere, in the body for instance."""
        if not secret:
            raise AccessError(
                "this request carries no API key",
                authenticated=False,
                where=request.path,
                fix="send Authorization: Bearer <key>; paribus key create prints one",
            )
        now = time.monotonic()
        found = self._remembered.get((secret, action))
        principal = found[1] if found and now < found[0] else self._look_up(secret, action, request, now)
        wait = self._rates.wait(principal.key_id)
        if wait:
            raise LimitError(
                "this key calls too often",
                retry_after=wait,
                where=request.path,
                rule="PARIBUS_REQUESTS_PER_SECOND per key",
                fix="wait as Retry-After says, or use a second key for the second service",
            )
        return principal

    def _look_up(self, secret: str, action: Action, request: Request, now: float) -> Principal:
        try:
            if not secret.isascii():
                raise AccessError("this is no API key", authenticated=False, where=request.path, fix="paribus key list")
            principal = self._authenticate(secret)
        except AccessError:
            self._guessed(request)
            raise
        authorize(principal, action, project=principal.project, environment=principal.environment)
        if len(self._remembered) > 10_000:
            self._remembered.clear()
        self._remembered[secret, action] = (now + REMEMBERED_SECONDS, principal)
        return principal

    def _guessed(self, request: Request) -> None:
        client = request.scope.get("client")
        wait = self._guesses.wait(client[0] if client else "")
        if wait:
            raise LimitError(
                "too many unknown keys from this address",
                retry_after=wait,
                where=request.path,
                rule=f"{GUESSES_PER_SECOND} a second",
            )
