"""A small server on the loopback interface: the public HTTP of Paribus, and pages that use the SDK."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

DIST = Path(__file__).parents[3] / "sdk" / "browser" / "dist"
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Page {path}</title></head><body>
<h1>Shop</h1><p id="text" title="Private title">Private words</p><input id="name" value="secret value">
<button id="slow">Slow</button>
<a id="next" href="/page/next{query}">Next</a>
<script src="/sdk/paribus.iife.js"></script>
<script>
  document.getElementById("slow").addEventListener("click", () => {{
    const end = performance.now() + 250; while (performance.now() < end); document.body.append("done");
  }});
  window.client = paribus.createClient({{url: "", key: "pb_client_test", ...{options}}});
</script></body></html>"""


class Loopback:
    """What arrived, and how to answer."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.down = False
        self.bulk: dict[str, Any] = {"flags": []}
        self.etag = '"1"'
        self.bulk_headers: list[dict[str, str]] = []
        self.bulk_bodies: list[dict[str, Any]] = []
        self.streams = 0
        self.refetch = threading.Event()
        self.stopping = False
        self.url = ""
        self.scripts: dict[str, bytes] = {}

    @property
    def by_id(self) -> dict[str, dict[str, Any]]:
        """Events as readers see them: each id once."""
        return {event["event_id"]: event for event in self.events}

    def named(self, name: str) -> list[dict[str, Any]]:
        """The distinct events of one name, as they arrived first."""
        return [event for event in self.by_id.values() if event["name"] == name]

    def wait(self, name: str, count: int = 1, seconds: float = 8.0) -> list[dict[str, Any]]:
        """The events of that name once there are so many; what came until then when they do not."""
        deadline = time.monotonic() + seconds
        while len(self.named(name)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.named(name)


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A running server, stopped at the end."""
    state = Loopback()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.startswith("/sdk/"):
                name = Path(parts.path).name
                script = state.scripts.get(name) or (DIST / name).read_bytes()
                self.answer(200, script, "text/javascript")
            elif parts.path.startswith("/page"):
                options = parse_qs(parts.query).get("options", ["{}"])[0]
                query = "?" + parts.query if parts.query else ""
                text = PAGE.format(path=parts.path, options=options, query=query)
                self.answer(200, text.encode(), "text/html; charset=utf-8")
            elif parts.path == "/ofrep/v1/events":
                self.stream()
            else:
                self.answer(404)

        def stream(self) -> None:
            state.streams += 1
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": open\n\n")
            self.wfile.flush()
            self.close_connection = True
            while not state.stopping:
                if state.refetch.wait(0.05):
                    state.refetch.clear()
                    data = json.dumps({"type": "refetchEvaluation", "etag": state.etag, "lastModified": 7})
                    self.wfile.write(f"id: 2\nevent: message\ndata: {data}\n\n".encode())
                    self.wfile.flush()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if state.down:
                self.close_connection = True
                self.connection.close()
                return
            parts = urlsplit(self.path)
            key = self.headers.get("Authorization", "").removeprefix("Bearer ") or unquote(
                parse_qs(parts.query).get("key", [""])[0]
            )
            state.requests.append((parts.path, key))
            if parts.path == "/api/v1/events":
                if state.statuses:
                    status, headers = state.statuses.pop(0)
                    self.answer(status, b"{}", **headers)
                    return
                batch = json.loads(body)["batch"]
                state.events += batch
                answer = {"accepted": len(batch), "quarantined": 0, "rejected": []}
                self.answer(200, json.dumps(answer).encode())
            elif parts.path == "/ofrep/v1/evaluate/flags":
                state.bulk_headers.append({**dict(self.headers), "query": parts.query})
                state.bulk_bodies.append(json.loads(body))
                if self.headers.get("If-None-Match") == state.etag:
                    self.answer(304, ETag=state.etag)
                else:
                    self.answer(200, json.dumps(state.bulk).encode(), ETag=state.etag)
            else:
                self.answer(404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stopping = True
        server.shutdown()
        server.server_close()
        thread.join()
