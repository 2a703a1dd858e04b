"""HTTP to the server; urllib3 is imported when the first request is made."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from paribus_sdk.event import SDK_VERSION
from paribus_sdk.fork import whole
from paribus_sdk.reply import Reply, retry_after_seconds

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


class Transport:
    """Requests with the key of one environment."""

    def __init__(self, url: str, key: str | None, timeout_seconds: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._headers = {"User-Agent": SDK_VERSION} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._pool: PoolManager | None = None

    def post_events(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Sends a batch of events; a failure of the network is a reply with status 0."""
        try:
            response = self.request("POST", "/api/v1/events", body=body, headers=headers)
        except Exception as error:  # noqa: BLE001  (urllib3, ssl and socket raise many kinds: all mean "later")
            return Reply(0, trouble=f"{self.url} cannot be reached: {error}")
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        said = answer.get("detail") or answer.get("title") if isinstance(answer, dict) else None
        after = retry_after_seconds(response.headers.get("Retry-After"))
        return Reply(response.status, answer, after, str(said or f"the server answered {response.status}"))

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        read_seconds: float | None = None,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        """The response, its body still to be read when `stream`.

        Raises:
            urllib3.exceptions.HTTPError: The server cannot be reached in time.
        """
        with whole:
            import urllib3

            "host".encode("idna")  # the codec of host names is imported when first used
        with self._lock:
            if self._pool is None:
                self._pool = urllib3.PoolManager(num_pools=2, maxsize=2)
        timeout = urllib3.Timeout(connect=min(self._timeout, 5.0), read=read_seconds or self._timeout)
        return self._pool.request(
            method,
            self.url + path,
            body=body,
            headers=self._headers | (headers or {}),
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=not stream,
        )

    def lines(self, response: Any) -> Any:
        """The lines of a streamed response, without their ends, as they arrive."""
        rest = b""
        while True:
            data = response.read1(65536)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r").decode("utf-8", "replace")
