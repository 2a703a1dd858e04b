"""The error boundary in a real React page, and the ES module as a bundler takes it."""

from __future__ import annotations

from pathlib import Path

from tests.sdk.browser.conftest import SDK, Visit, run
from tests.sdk.browser.loopback import Loopback
from tests.sdk.browser.test_flags import answer, bulk

APP = """
import { createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "@paribus/browser";
import { ErrorBoundary, useVariant } from "@paribus/browser/react";

const client = createClient({ url: "", key: "pb_client_test", vitals: false, flushSeconds: 0.05 });
window.reported = [];
client.report = (...told) => void window.reported.push(told); // as a client with a circuit breaker has it
function Cart() {
  if (useVariant(client, "checkout") === "treatment") throw new TypeError("no cart");
  return h("b", null, "cart");
}
const fallback = (error, retry) => h("i", { onClick: retry }, "failed: " + error.message);
createRoot(document.getElementById("text")).render(
  h(ErrorBoundary, { client, flag: "checkout", fallback, onError: (error) => (window.seen = error.message) }, h(Cart)));
window.app = client;
"""


def test_the_error_boundary(visit: Visit, server: Loopback, built: Path, tmp_path: Path) -> None:
    """It reports the error with the variants in force, shows its fallback, and can try again."""
    source = SDK / "node_modules" / ".app.mjs"
    output = tmp_path / "app.js"
    aliases = [f"--alias:@paribus/browser={built}/paribus.mjs", f"--alias:@paribus/browser/react={built}/react.mjs"]
    source.write_text(APP)
    run("npx", "esbuild", str(source), "--bundle", "--format=iife", *aliases, "--external:./recording.mjs",
        '--define:process.env.NODE_ENV="production"', f"--outfile={output}")  # fmt: skip
    server.scripts["app.js"] = output.read_bytes()
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(consent="denied")
    page.add_script_tag(url="/sdk/app.js")
    page.wait_for_function("document.getElementById('text').textContent === 'failed: no cart'")
    (event,) = server.wait("$error")
    fault = event["properties"]
    assert (fault["kind"], fault["type"], fault["message"]) == ("boundary", "TypeError", "no cart")
    assert "Cart" in fault["components"] or fault["components"]
    assert fault["variants"] == {"checkout": "treatment"}
    assert fault["flag"] == "checkout"
    assert page.evaluate("seen") == "no cart"
    assert page.evaluate("reported") == []
    server.bulk, server.etag = bulk(answer("checkout", "control", False)), '"2"'
    page.evaluate("app.identify('u43')")
    page.click("#text i")
    page.wait_for_function("document.getElementById('text').textContent === 'cart'")
    assert page.evaluate("reported") == [["checkout", "control", False]]
    exposed = {event["properties"]["assigned"] for event in server.wait("$exposure", 2)}
    assert exposed == {"treatment", "control"}
