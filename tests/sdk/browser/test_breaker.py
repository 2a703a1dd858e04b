"""The browser's circuit breaker: it weighs as the Python SDK's, and finds what fails once on every page of a visit."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from paribus_sdk.breaker import Breaker
from tests.sdk.browser.conftest import SDK, Visit, run
from tests.sdk.browser.loopback import Loopback
from tests.sdk.browser.test_flags import answer, bulk

BREAKER_BYTES = 2_500

# Reads calls, answers with what was said and refused, by the pure part of the breaker.
WEIGHING = """
import { readFileSync } from "node:fs";
import { openBreaker } from "./circuit.mjs";
let now = 0;
const said = [];
const breaker = openBreaker((flag, variant, news) => said.push([flag, variant, news]), () => now);
const refused = [];
for (const [time, what, variant, failed, seconds] of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  now = time;
  if (what === "ask") refused.push(breaker.refuses("f", variant, failed));
  else if (what === "reset") breaker.reset("f", variant ?? undefined);
  else breaker.report("f", variant, "control", failed, seconds ?? undefined);
}
console.log(JSON.stringify([said, refused]));
"""

# A page whose treatment fails at once, and which keeps its record from page to page.
APP = """
import { createClient } from "@paribus/browser";
import { withBreaker } from "@paribus/browser/breaker";

const base = createClient({ url: "", key: "pb_client_test", vitals: false, flushSeconds: 0.05, unit: "u42" });
const client = withBreaker(base, { controls: { checkout: { variant: "control", value: false } }, remember: true });
window.app = client;
client.ready.then(() => {
  const show = (text) => (document.getElementById("text").textContent = text);
  try {
    client.attempt("checkout", (variant) => {
      if (variant === "treatment") throw new TypeError("no cart");
      show("shown: " + variant + ", " + client.value("checkout", true));
    });
  } catch (error) {
    show("failed");
  }
});
"""


def test_it_is_a_small_part_of_its_own(built: Path) -> None:
    assert len(gzip.compress((built / "breaker.mjs").read_bytes(), 9)) <= BREAKER_BYTES


@pytest.mark.parametrize("seed", range(4))
def test_it_weighs_as_the_python_sdk_does(built: Path, tmp_path: Path, seed: int) -> None:
    calls = _calls(random.Random(seed))
    now = 0.0
    said: list[list[Any]] = []
    refused: list[bool] = []
    breaker = Breaker(lambda flag, variant, news: said.append([flag, variant, news]), clock=lambda: now)
    for time, what, variant, failed, seconds in calls:
        now = time
        if what == "ask":
            refused.append(breaker.refuses("f", variant, failed))
        elif what == "reset":
            breaker.reset("f", variant)
        else:
            breaker.report("f", variant or "", "control", failed, seconds)
    run("npx", "esbuild", "src/circuit.ts", "--format=esm", f"--outfile={tmp_path}/circuit.mjs", "--log-level=error")
    (tmp_path / "weigh.mjs").write_text(WEIGHING)
    (tmp_path / "calls.json").write_text(json.dumps(calls))
    found = json.loads(run("node", "weigh.mjs", "calls.json", folder=tmp_path))
    assert found[1] == refused
    assert [each[:2] for each in found[0]] == [each[:2] for each in said]
    states, causes = {news["state"] for *_, news in said}, {news["cause"] for *_, news in said}
    for (_, _, theirs), (_, _, ours) in zip(found[0], said, strict=True):
        assert theirs.keys() == ours.keys()
        for name, fact in ours.items():
            is_number = isinstance(fact, float)
            assert theirs[name] == (pytest.approx(fact, rel=1e-9) if is_number else fact), name
    assert states == {"open", "half_open", "closed", "held"}
    assert causes == {"errors", "latency", None}


def test_what_fails_once_on_every_page_is_served_as_control(
    visit: Visit, server: Loopback, built: Path, tmp_path: Path
) -> None:
    source, output = SDK / "node_modules" / ".guarded.mjs", tmp_path / "guarded.js"
    aliases = [f"--alias:@paribus/browser={built}/paribus.mjs", f"--alias:@paribus/browser/breaker={built}/breaker.mjs"]
    source.write_text(APP)
    run("npx", "esbuild", str(source), "--bundle", "--format=iife", *aliases, "--external:./recording.mjs",
        f"--outfile={output}")  # fmt: skip
    server.scripts["guarded.js"] = output.read_bytes()
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(consent="pending", vitals=False)  # the page's own client: it sends and stores nothing
    shown: list[str] = []
    for _ in range(8):
        page.add_script_tag(url="/sdk/guarded.js")
        page.wait_for_function("document.getElementById('text').textContent.match(/failed|shown/)")
        shown.append(page.text_content("#text") or "")
        page.evaluate("app.flush()")
        page.reload()
    assert shown[:3] == ["failed"] * 3
    assert shown[-1] == "shown: control, false"
    (news,) = [event["properties"] for event in server.wait("$breaker")]
    assert (news["flag"], news["variant"], news["state"], news["revision"]) == ("checkout", "treatment", "open", 4)
    exposures = [event["properties"] for event in server.wait("$exposure", 2)]
    assert [(each["assigned"], each["served"], each["reason"]) for each in exposures] == [
        ("treatment", "treatment", "SPLIT"),
        ("treatment", "control", "BREAKER"),
    ]
    page.add_script_tag(url="/sdk/guarded.js")
    page.wait_for_function("window.app && document.getElementById('text').textContent.startsWith('shown')")
    kept = "Object.keys(sessionStorage).filter((name) => name.includes('breaker')).length"
    assert page.evaluate(kept) == 1
    page.evaluate("app.setConsent('denied'); app.report('checkout', 'control', true)")
    assert page.evaluate(kept) == 0


def _calls(draw: random.Random) -> list[tuple[float, str, str | None, bool, float | None]]:
    """A day of calls: healthy, slow, healthy again after a retry, then failing for good."""
    calls: list[tuple[float, str, str | None, bool, float | None]] = []
    now = 1000.0
    phases = [(400, 0.002, 0.1), (120, 0.002, 0.9), (500, 0.002, 0.1), (60, 0.5, 0.1), (60, 0.5, 0.1), (60, 0.5, 0.1)]
    for number, (count, failing, seconds) in enumerate(phases):
        for _ in range(count):
            now += draw.uniform(0.0, 0.1)
            variant = draw.choice(["control", "treatment"])
            is_treatment = variant == "treatment"
            failed = draw.random() < (failing if is_treatment else 0.002)
            took = draw.uniform(0.5, 1.5) * (seconds if is_treatment else 0.1)
            calls.append((now, "report", variant, failed, draw.choice([took, took, took, None])))
            if draw.random() < 0.3:
                calls.append((now, "ask", "treatment", draw.random() < 0.8, None))
        now += 400.0
        calls.append((now, "ask", "treatment", True, None))
        if number == 4:
            calls.append((now, "reset", draw.choice([None, "treatment"]), False, None))
            calls += [(now, "report", "treatment", True, None)] * 20
            for _ in range(2):
                now += 400.0
                calls.append((now, "ask", "treatment", True, None))
                calls += [(now, "report", "treatment", True, None)] * 20
    return calls
