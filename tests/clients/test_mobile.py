"""The generated sample for phones: typed against React Native's own types; its client at a real server, without DOM."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.clients.arrival import Json, landed, until
from tests.clients.conftest import Served
from tests.clients.genuine import install
from tests.clients.splits import variant_of
from tests.workflow.test_frontend import made

from paribus.workflow.code.trial import write_files

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("mobile")]
PACKAGES = Path(__file__).parent / "mobile"
PROGRAM = """
import { Events, decide } from "./paribus.js";
import * as events from "./events.js";
const { url, key, units } = JSON.parse(process.argv[2]);
const decided = {};
for (const unit of units) decided[unit] = await decide({ url, key, unit, context: {} });
const phone = { url, key, unit: "phone-1", context: {} };
const sender = new Events(phone);
sender.variants["one-click-checkout"] = "treatment";
events.cartItemAdded(sender, { product: "p1", price: 9.5, quantity: 2 });
sender.error(new Error("it broke"), "boundary");
const delivered = await sender.flush();
const away = new Events({ ...phone, url: "http://127.0.0.1:9" });
events.cartItemAdded(away, { product: "p1", price: 9.5, quantity: 2 });
const kept = { flushed: await away.flush(), stats: away.stats };
kept.decided = await decide({ ...phone, url: "http://127.0.0.1:9" });
console.log(JSON.stringify({ decided, delivered, stats: sender.stats, kept, dom: typeof document }));
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder mobile/ of the page's artifact, with React Native's packages beside it."""
    folder = tmp_path_factory.mktemp("mobile")
    _, page = made(folder / "artifacts")
    wanted = {file.path: file.text for file in page.files if file.path.startswith("mobile/")}
    assert sorted(wanted) == [
        f"mobile/{name}" for name in ("App.tsx", "events.ts", "package.json", "paribus.ts", "tsconfig.json")
    ]
    write_files(wanted, folder)
    (folder / "mobile" / "node_modules").symlink_to(install(PACKAGES) / "node_modules")
    return folder / "mobile"


def tsc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PACKAGES / "node_modules" / ".bin" / "tsc"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_compiles_against_the_types_of_react_native(sample: Path) -> None:
    done = tsc(sample, "--noEmit")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"quantity": 1', '"quantity": "one"', "not assignable to type 'number'"),
        ('accessibilityRole="button"', 'accessibilityRole="buton"', "AccessibilityRole"),
        ("events.cartItemAdded", "events.cartItemsAdded", "cartItemsAdded"),
    ],
)
def test_what_is_wrong_does_not_compile(sample: Path, tmp_path: Path, old: str, new: str, said: str) -> None:
    for path in sample.iterdir():
        if path.name == "node_modules":
            (tmp_path / path.name).symlink_to(path.resolve())
        else:
            text = path.read_text()
            (tmp_path / path.name).write_text(text.replace(old, new) if path.name == "App.tsx" else text)
    done = tsc(tmp_path, "--noEmit")
    assert done.returncode != 0
    assert said in done.stdout


def test_its_client_decides_and_delivers_without_a_browser(
    sample: Path, tmp_path: Path, served: Served, flag: Json, label: str
) -> None:
    done = tsc(sample, "--outDir", str(tmp_path), "--noEmit", "false")
    assert done.returncode == 0, done.stdout
    script = (tmp_path / "paribus.js").read_text().replace("one-click-checkout", "checkout")
    (tmp_path / "paribus.js").write_text(script)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)
    units = [f"u{number}" for number in range(20)]
    given = {"url": served.url, "key": served.key("client", label), "units": units}
    ran = subprocess.run(
        ["node", "main.js", json.dumps(given)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = json.loads(ran.stdout)
    assert said["dom"] == "undefined"
    assert said["decided"] == {unit: variant_of(flag, unit) for unit in units}
    assert said["delivered"] is True
    assert said["stats"] == {"sent": 2, "refused": 0, "dropped": 0, "waiting": 0}
    assert said["kept"]["flushed"] is False
    assert said["kept"]["stats"]["waiting"] == 1
    assert said["kept"]["decided"] == "control"
    source = f"paribus:{label}"
    arrived = until(lambda: len(found := landed(served.folder, source)) == len(units) + 2 and found)
    sent = [each for each in arrived if each.name != "$exposure"]
    assert {each.unit for each in arrived if each.name == "$exposure"} == set(units)
    assert [(each.name, each.unit) for each in sent] == [("cart_item_added", "phone-1"), ("$error", "phone-1")]
    assert sent[0].properties == {"product": "p1", "price": 9.5, "quantity": 2}
    assert sent[1].properties["variants"] == {"one-click-checkout": "treatment"}
