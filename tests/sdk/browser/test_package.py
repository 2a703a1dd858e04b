"""The package as npm sees it: its own tests, its size, its types, and use from Node."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

from tests.sdk.browser.conftest import SDK, run

BUNDLE_BYTES = 12_000


def test_its_own_tests_pass(built: Path) -> None:
    """Types by the strict compiler; conditions, delivery and the shared vectors in Node."""
    output = run("npm", "test", "--silent")
    assert " passed" in output
    assert "failed" not in output


def test_the_bundle_is_small(built: Path) -> None:
    assert len(gzip.compress((built / "paribus.iife.js").read_bytes(), 9)) <= BUNDLE_BYTES
    assert len(gzip.compress((built / "paribus.mjs").read_bytes(), 9)) <= BUNDLE_BYTES


def test_nothing_is_needed_at_run_time(built: Path) -> None:
    package = json.loads((SDK / "package.json").read_text())
    assert "dependencies" not in package
    assert set(package["peerDependencies"]) == {"react"}
    for entry in package["exports"].values():
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            assert (SDK / target).exists(), target


def test_types_and_node(built: Path, tmp_path: Path) -> None:
    """A consumer compiles against the published types alone, and runs in Node without a page."""
    folder = tmp_path / "node_modules" / "@paribus" / "browser"
    shutil.copytree(SDK / "dist", folder / "dist")
    shutil.copy(SDK / "package.json", folder)
    (tmp_path / "use.mts").write_text(
        """import { createClient, bucket, type Decision } from "@paribus/browser";
const client = createClient({ url: "http://127.0.0.1:9", definitions: { format: 1, project: "default",
  environment: "dev", revision: 1, flags: { f: { type: "boolean", default_variant: "on",
  variants: [{ name: "on", value: true }] } } } });
const on: boolean = client.value("f", false, "u1");
const decision: Decision = client.decide("f", "u1");
// @ts-expect-error a name is needed
client.track();
console.log(JSON.stringify([on, decision.reason, client.anonymousId, client.decide("f").unit, bucket("s", "u") >= 0]));
"""
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    run(str(SDK / "node_modules" / ".bin" / "tsc"), *options, "use.mts", folder=tmp_path)
    assert json.loads(run("node", "use.mjs", folder=tmp_path)) == [True, "DEFAULT", None, None, True]
