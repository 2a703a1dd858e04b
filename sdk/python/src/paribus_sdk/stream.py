"""Definitions as they change: the server's event stream, polling where that fails, files where there is no server."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from paribus_sdk.counters import Stats
from paribus_sdk.reply import jittered
from paribus_sdk.transport import Transport

Apply = Callable[[Mapping[str, Any]], bool]
STREAM_SILENCE_SECONDS = 45.0
FIRST_WAIT = 0.5
FILE_SECONDS = 1.0


class Definitions(Protocol):
    """Where definitions come from; what arrives is handed to `apply`, which says whether it could be used."""

    def start(self) -> None:
        """Begins, in a thread of its own."""
        ...

    def close(self) -> None:
        """Ends."""
        ...


class ServerDefinitions:
    """Definitions from the server.

    The first answer is asked for directly. Then the stream is listened to; when it ends, or says nothing for 45 s, the
    client polls and tries the stream again after a wait that doubles up to `poll_seconds`. Until the server answers
    for the first time, `fallback` is used.
    """

    def __init__(
        self, transport: Transport, apply: Apply, fallback: Callable[[], None], stats: Stats, poll_seconds: float
    ) -> None:
        self._transport = transport
        self._apply = apply
        self._fallback = fallback
        self._stats = stats
        self._poll_seconds = poll_seconds
        self._etag: str | None = None
        self._answered = False
        self._stopping = threading.Event()
        self._listening: Any = None
        self._thread = threading.Thread(target=self._run, name="paribus-definitions", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        with contextlib.suppress(Exception):
            self._listening.shutdown()

    def _run(self) -> None:
        attempt = 0
        self._try(self._poll, 3.0)
        while not self._stopping.is_set():
            if self._try(self._listen):
                attempt = 0
            if self._stopping.is_set():
                return
            self._try(self._poll, 10.0)
            wait = min(FIRST_WAIT * 2 ** min(attempt, 16), self._poll_seconds)
            attempt += 1
            self._stopping.wait(jittered(wait))

    def _try(self, ask: Callable[..., bool], *arguments: float) -> bool:
        try:
            answered = ask(*arguments)
        except Exception as error:  # noqa: BLE001  (urllib3, ssl and socket raise many kinds: all mean "later")
            answered = False
            if not self._stopping.is_set():
                self._stats.trouble("definitions", f"no definitions from {self._transport.url}: {error}")
        self._answered = self._answered or answered
        if not self._answered and not self._stopping.is_set():
            self._fallback()
        return answered

    def _poll(self, read_seconds: float) -> bool:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        response = self._transport.request("GET", "/api/v1/definitions", headers=headers, read_seconds=read_seconds)
        if response.status == 304:
            return True
        if response.status != 200:
            raise ConnectionError(f"the server answered {response.status}")
        used = self._apply(json.loads(response.data))
        if used:
            self._etag = response.headers.get("ETag")
        return used

    def _listen(self) -> bool:
        headers = {"Accept": "text/event-stream"}
        response = self._transport.request(
            "GET", "/api/v1/definitions/stream", headers=headers, read_seconds=STREAM_SILENCE_SECONDS, stream=True
        )
        heard = False
        try:
            if response.status != 200:
                if response.status in (404, 405, 501):  # a proxy or a server without the stream: polling does
                    return False
                raise ConnectionError(f"the server answered {response.status} for the stream")
            self._listening = response
            name, data = "", []
            for line in self._transport.lines(response):
                if self._stopping.is_set():
                    return heard
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif not line:
                    if name == "definitions" and data:
                        heard = self._apply(json.loads("\n".join(data))) or heard
                        self._answered, self._etag = self._answered or heard, None
                    name, data = "", []
        finally:
            self._listening = None
            response.close()
        return heard


class FileDefinitions:
    """Definitions from a file, read again when it changes (looked at each second)."""

    def __init__(self, path: Path, apply: Apply, stats: Stats) -> None:
        self.path = path
        self._apply = apply
        self._stats = stats
        self._seen: tuple[int, int, int] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="paribus-definitions", daemon=True)

    def start(self) -> None:
        self.read()
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()

    def read(self) -> None:
        """Applies the file if it changed; a file that cannot be read is counted, and what is in use stays."""
        try:
            stat = self.path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._seen = seen
                self._apply(json.loads(self.path.read_bytes()))
        except (OSError, ValueError) as error:
            self._stats.trouble("file", f"no definitions from {self.path}: {error}")

    def _run(self) -> None:
        while not self._stopping.wait(FILE_SECONDS):
            self.read()
