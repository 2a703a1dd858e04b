from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from paribus.app.loopback import options


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_server_on_this_machine_is_reached_past_a_proxy(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        with pytest.raises(httpx.HTTPError):
            httpx.get(url)
        assert httpx.get(url, **options(url)).status_code == 204
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://paribus.example/", "https://paribus.example/"])
def test_others_are_reached_as_ever(url):
    assert options(url) == {}
