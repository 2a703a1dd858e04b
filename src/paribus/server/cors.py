"""Which pages of other origins may call: flags and events as the setting says, everything else only if named."""

from __future__ import annotations

from collections.abc import Iterable

from paribus.server.answer import Answer, Headers

METHODS = b"GET, HEAD, POST, PUT, DELETE, OPTIONS"
EXPOSED = b"ETag, Retry-After, X-Request-Id"
DEFAULT_HEADERS = b"authorization, content-type, if-none-match, x-api-key, paribus-exposure"
REMEMBERED_SECONDS = b"7200"


class Cors:
    """The headers for an origin.

    Args:
        origins: allowed origins; `*` lets every page evaluate flags and send events (it needs a client or intake
            key for that anyway), and never opens the management API.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        named = {origin.rstrip("/").encode() for origin in origins}
        self._every = b"*" in named
        self._named = frozenset(named - {b"*"})

    def allows(self, origin: bytes, *, public: bool) -> bool:
        """Whether pages of this origin may read the answer."""
        return origin in self._named or (public and self._every)

    def headers(self, origin: bytes | None, *, public: bool) -> Headers:
        """Those of an ordinary answer. Credentials are allowed because some trackers insist; there are no cookies."""
        if origin is None:
            return []
        if not self.allows(origin, public=public):
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        ]

    def preflight(self, wanted: bytes | None) -> Answer:
        """The answer to a preflight; `headers` are added to it as to any other."""
        return Answer(
            204,
            headers=(
                (b"access-control-allow-methods", METHODS),
                (b"access-control-allow-headers", wanted or DEFAULT_HEADERS),
                (b"access-control-max-age", REMEMBERED_SECONDS),
            ),
        )
