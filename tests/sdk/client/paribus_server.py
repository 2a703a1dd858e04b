"""A real server on loopback that speaks the client's protocol, and fails when told to."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "pb_server_test"


class ParibusServer:
    """Definitions, their stream and the intake of events. `failures` are answered first, one a request.

    A failure is a status, ("retry", status, seconds) for a Retry-After, "drop" to close the connection unanswered,
    "lose" to take the events and close before the answer, or "portal" for a page that is not ours.
    """

    def __init__(self, snapshot: dict[str, Any] | None = None, port: int = 0) -> None:
        self.snapshot = snapshot
        self.failures: deque[Any] = deque()
        self.refuse: Any = None
        self.batches: list[list[dict[str, Any]]] = []
        self.requests: Counter[str] = Counter()
        self.times: list[float] = []
        self.streaming = True
        self.changed = threading.Condition()
        self.closing = False
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                owner.get(self)

            def do_POST(self) -> None:
                owner.post(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass

        self.http = Server(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def port(self) -> int:
        return self.http.server_address[1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Distinct events by id, in order of first arrival, as every reader of the lake sees them."""
        seen: dict[str, dict[str, Any]] = {}
        for batch in self.batches:
            for event in batch:
                seen.setdefault(event["event_id"], event)
        return list(seen.values())

    @property
    def arrivals(self) -> int:
        return sum(len(batch) for batch in self.batches)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["name"] == name]

    def publish(self, snapshot: dict[str, Any]) -> None:
        with self.changed:
            self.snapshot = snapshot
            self.changed.notify_all()

    def wait_for(self, claim: Any, timeout: float = 5.0) -> bool:
        deadline = time.monotonic() + timeout
        while not claim():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.http.shutdown()
        self.http.server_close()

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests[f"GET {handler.path}"] += 1
        if handler.headers.get("Authorization") != f"Bearer {KEY}":
            self.answer(handler, 401, {"title": "no access", "detail": "the key is not known"})
        elif handler.path == "/api/v1/definitions/stream" and self.streaming:
            self.stream(handler)
        elif handler.path == "/api/v1/definitions" and self.snapshot is not None:
            etag = f'"{self.snapshot["revision"]}"'
            if handler.headers.get("If-None-Match") == etag:
                self.requests["304"] += 1
                self.answer(handler, 304, None)
            else:
                self.answer(handler, 200, self.snapshot, {"ETag": etag})
        else:
            self.answer(handler, 404, {"title": "not found"})

    def stream(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        sent: Any = None
        while True:
            with self.changed:
                while self.snapshot is sent and self.streaming and not self.closing:
                    self.changed.wait()
                if self.closing or not self.streaming:
                    handler.close_connection = True
                    return
                sent = self.snapshot
            text = f": heartbeat\n\nevent: definitions\nid: {sent['revision']}\ndata: {json.dumps(sent)}\n\n".encode()
            for part in (text[:40], text[40:]):
                handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                handler.wfile.flush()

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.times.append(time.monotonic())
        self.requests["POST"] += 1
        if handler.headers.get("Content-Encoding") == "gzip":
            self.requests["gzip"] += 1
            body = gzip.decompress(body)
        failure = self.failures.popleft() if self.failures else None
        if failure == "drop":
            handler.close_connection = True
            return
        if failure == "portal":
            self.answer(handler, 200, {"welcome": "please sign in"})
            return
        if isinstance(failure, int):
            self.answer(handler, failure, {"title": "failed on demand"})
            return
        if isinstance(failure, tuple):
            self.answer(handler, failure[1], {"title": "wait"}, {"Retry-After": str(failure[2])})
            return
        content = json.loads(body)
        assert set(content) == {"sent_at", "batch"}
        if self.refuse is not None and (status := self.refuse(content["batch"])):
            self.answer(handler, status, {"title": "refused", "detail": "refused on demand"})
            return
        self.batches.append(content["batch"])
        if failure == "lose":
            handler.close_connection = True
            return
        self.answer(handler, 200, {"accepted": len(content["batch"]), "quarantined": 0, "rejected": []})

    def answer(
        self, handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None
    ) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
