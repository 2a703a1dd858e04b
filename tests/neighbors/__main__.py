"""The generated dbt project built by dbt, and the generated DAG loaded and run by Airflow; results in `benchmarks/`.

    python -m tests.neighbors [--keep FOLDER]

Each tool has an environment of its own below `.cache/neighbors`, which `make neighbors` installs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.neighbors.installation import environment, install
from tests.recording import record

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TOOLS = ROOT / ".cache" / "neighbors"
RESULTS = ROOT / "benchmarks" / "results"
TABLES = ("fct_event", "fct_exposure", "dim_user", "obt_experiment")
LOAD = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("{dags}")
assert not bag.import_errors, bag.import_errors
dag = bag.dags["one_click_checkout"]
print("LOADED " + json.dumps({{"tasks": sorted(task.task_id for task in dag.tasks),
    "assets": sorted(each.name for task in dag.tasks for each in task.outlets)}}))
"""


def dbt(folder: Path) -> dict[str, Any]:
    """`dbt build` twice, the second time from what is new; then the star's rows beside those that Paribus keeps."""
    project = folder / "pipeline" / "dbt"
    variables = {**environment(folder / "data", TOOLS / "dbt" / "bin", BIN), "PIPELINE_FOLDER": str(project)}
    subprocess.run(["paribus", "pipeline", "export", str(project / "data")], env=variables, check=True)
    began = time.perf_counter()
    done = [_run(["dbt", "build", "--project-dir", ".", "--profiles-dir", "."], project, variables) for _ in range(2)]
    seconds = time.perf_counter() - began
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    by_status: dict[str, int] = {}
    for each in results:
        by_status[each["status"]] = by_status.get(each["status"], 0) + 1
    subprocess.run(["paribus", "pipeline", "refresh", "one-click-checkout"], env=variables, check=True)
    script = (
        "import duckdb, json, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
        "print(json.dumps({t: c.execute(f'SELECT count(*) FROM {t}').fetchall()[0][0] for t in sys.argv[2:]}))"
    )
    python = str(TOOLS / "dbt" / "bin" / "python")
    theirs = json.loads(_out([python, "-c", script, str(project / "target" / "star.duckdb"), *TABLES], variables))
    ours = json.loads(
        _out([str(BIN / "python"), "-c", script, str(folder / "data/lake/star/model.duckdb"), *TABLES], variables)
    )
    return {
        "command": "dbt build --project-dir . --profiles-dir .",
        "version": _version("dbt", "dbt-core"),
        "passed": all(each.returncode == 0 for each in done) and theirs == ours,
        "nodes": by_status,
        "rows_by_dbt": theirs,
        "rows_by_paribus": ours,
        "seconds": round(seconds, 1),
        "tail": "" if all(each.returncode == 0 for each in done) else done[-1].stdout[-3000:],
    }


def airflow(folder: Path) -> dict[str, Any]:
    """The DAG loaded by DagBag, and run from its first task to its last by `airflow dags test`."""
    home = folder / "airflow-home"
    variables = {
        **environment(folder / "data", TOOLS / "airflow" / "bin", BIN, TOOLS / "dbt" / "bin"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "pipeline" / "airflow" / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PIPELINE_FOLDER": str(folder / "pipeline" / "dbt"),
    }
    began = time.perf_counter()
    _run(["airflow", "db", "migrate"], folder, variables)
    script = LOAD.format(dags=variables["AIRFLOW__CORE__DAGS_FOLDER"])
    loaded = _run([str(TOOLS / "airflow" / "bin" / "python"), "-c", script], folder, variables)
    found = next((line for line in loaded.stdout.splitlines() if line.startswith("LOADED ")), "")
    tested = _run(["airflow", "dags", "test", "one_click_checkout", "2026-11-01"], folder, variables)
    said = tested.stdout + tested.stderr
    states = [line for line in said.splitlines() if "state" in line.lower() and "success" in line.lower()]
    passed = bool(found) and tested.returncode == 0 and "DagRun Finished" in said and "state=success" in said
    return {
        "command": "airflow dags test one_click_checkout 2026-11-01",
        "version": _version("airflow", "apache-airflow"),
        "passed": passed,
        "loaded": json.loads(found.removeprefix("LOADED ")) if found else loaded.stderr[-2000:],
        "successes": len(states),
        "seconds": round(time.perf_counter() - began, 1),
        "tail": "" if passed else said[-3000:],
    }


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def _out(command: list[str], variables: dict[str, str]) -> str:
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout


def _version(tool: str, package: str) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return _out([str(TOOLS / tool / "bin" / "python"), "-c", script], dict(os.environ)).strip()


def main() -> int:
    """Runs every tool that is installed; exit status 1 when one of them refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        install(folder, BIN)
        report: dict[str, Any] = {"command": "make neighbors", "python": sys.version.split()[0]}
        for name, check in (("dbt", dbt), ("airflow", airflow)):
            present = (TOOLS / name / "bin" / "python").exists()
            report[name] = check(folder) if present else {"passed": False, "why": f"{TOOLS / name} is not installed"}
            print(name, json.dumps(report[name], indent=1)[:4000], flush=True)
            if present:
                record({f"neighbors/{name}": "passed" if report[name]["passed"] else "failed"})
    day = datetime.now(UTC).date()
    (RESULTS / f"neighbors-{day}.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all(report[name]["passed"] for name in ("dbt", "airflow")) else 1


if __name__ == "__main__":
    sys.exit(main())
