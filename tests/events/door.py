"""A door of its own for the tests: the dialects behind a real HTTP server, everything decoded at once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from paribus.events.compile import CompiledPlan, PlanBook, compile_plan
from paribus.events.dialects import dialect_named, match
from paribus.events.request import Checked, IntakeRequest
from paribus.lake.record import Quarantined, Record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NO_PLAN = compile_plan(None, revision=0)


def request(
    path: str,
    body: Any = b"",
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    now: datetime = NOW,
) -> IntakeRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return IntakeRequest(method, path, query or {}, headers or {"content-type": "application/json"}, raw, now)


def check(incoming: IntakeRequest, plan: CompiledPlan = NO_PLAN) -> Checked:
    dialect = match(incoming)
    assert dialect is not None
    checked = dialect.check(incoming, plan)
    assert checked.received == checked.accepted + checked.quarantined + len(checked.rejected)
    return checked


def decode(checked: Checked, plan_body: dict[str, Any] | None = None) -> list[Record | Quarantined]:
    if not checked.is_landing:
        return []
    book = PlanBook(lambda key_id, revision: (plan_body, "dev"))
    dialect = dialect_named(checked.dialect)
    row = checked.row("k1")
    found = list(dialect.decode(row, book, {"k1": "main"}))
    assert found == list(dialect.decode(row, book, {"k1": "main"}))
    assert len(found) == checked.accepted + checked.quarantined
    return found


def records(incoming: IntakeRequest, plan_body: dict[str, Any] | None = None) -> list[Record]:
    plan = compile_plan(plan_body, revision=1) if plan_body else NO_PLAN
    found = decode(check(incoming, plan), plan_body)
    assert all(isinstance(record, Record) for record in found)
    return [record for record in found if isinstance(record, Record)]


class Door:
    """A running server; `records` grows with what clients send, `keys` with the keys they bring."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.checked: list[Checked] = []
        self.keys: list[str | None] = []
        self.unmatched: list[str] = []
        door = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def serve(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                incoming = IntakeRequest(
                    self.command,
                    unquote(parts.path),
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                    datetime.now(UTC),
                )
                dialect = match(incoming)
                if dialect is None:
                    door.unmatched.append(f"{self.command} {self.path}")
                    self.send_error(404)
                    return
                checked = dialect.check(incoming, NO_PLAN)
                door.keys.append(dialect.key(incoming))
                door.checked.append(checked)
                door.records += [record for record in decode(checked) if isinstance(record, Record)]
                self.send_response(checked.answer.status)
                self.send_header("content-type", checked.answer.content_type)
                self.send_header("content-length", str(len(checked.answer.body)))
                self.end_headers()
                self.wfile.write(checked.answer.body)

            do_POST = do_GET = serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
