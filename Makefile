# The only task runner. `make demo` and `make test` do all the set-up they need.
PYTHON ?= python3
SEED ?= 20261124
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python

# Telemetry of tools that tests may start is off.
export DO_NOT_TRACK = 1

.DEFAULT_GOAL := help
.PHONY: help setup services lint test clients chaos demo calibrate bench mutate neighbors oracles fuzz docs schemas clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Paribus needs Python 3.11 or later: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); sh scripts/apt-install python3-venv && $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

$(VENV)/.runtime: pyproject.toml uv.lock | $(BIN)/uv
	@$(BIN)/uv sync --quiet --frozen --no-default-groups --inexact
	@touch $@

$(VENV)/.development: pyproject.toml uv.lock | $(BIN)/uv
	@$(BIN)/uv sync --quiet --frozen --inexact
	@touch $@ $(VENV)/.runtime

setup: $(VENV)/.development ## the development environment in .venv

services: ## real PostgreSQL, MariaDB and Chromium for tests, from Debian's packages
	@sh scripts/apt-install postgresql mariadb-server chromium

demo: $(VENV)/.runtime ## sixteen steps on a simulated shop: verdict, truth and scorecard; the dossier in demo-output/
	@$(BIN)/paribus demo --out demo-output

lint: $(VENV)/.development ## format, style, types, the law of floors
	$(BIN)/ruff format --check src sdk/python tests benchmarks examples
	$(BIN)/ruff check src sdk/python tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.development services lint ## everything CI checks
	$(BIN)/pytest -q -n 2 --dist loadgroup -m 'not slow and not clients'

clients: $(VENV)/.development services ## genuine clients of other systems, in Python, Node and Chromium
	$(BIN)/pytest -q -n 2 --dist loadfile --record-checks tests/clients

chaos: $(VENV)/.development services ## kill -9: servers at 200 moments, features twice in every step, SQLite and PostgreSQL
	$(BIN)/pytest -q -m slow tests/chaos tests/lake tests/store

oracles: $(VENV)/.development ## published values, topic by topic
	@for f in tests/oracles/data/*.json; do case $$f in *without_values*) ;; *) $(RUN) -m tests.oracles $$f >/dev/null && echo "$$f ok";; esac; done

calibrate: $(VENV)/.development ## simulation gates (SEED=...), results in benchmarks/results/
	$(RUN) -m benchmarks.calibrate --seed $(SEED)
	$(RUN) -m benchmarks.calibrate_shop --seed $(SEED) --seeds 200 --workers 2
	$(BIN)/pytest -q -n 2 -m slow tests/app tests/events tests/experiments tests/impact tests/mcp tests/sdk tests/workflow

bench: $(VENV)/.development ## speed, as ratios within one run, results in benchmarks/results/
	@test -x .cache/bench/bin/python || $(BIN)/uv venv --quiet .cache/bench
	@VIRTUAL_ENV=.cache/bench $(BIN)/uv pip install --quiet --python .cache/bench/bin/python -e . -e sdk/python 'tea-tasting>=1.14,<1.15' 'ibis-framework[duckdb]>=12,<13' growthbook launchdarkly-server-sdk UnleashClient eppo-server-sdk
	.cache/bench/bin/python -m benchmarks.speed
	$(RUN) -m benchmarks.live
	$(RUN) -m benchmarks.listeners

mutate: $(VENV)/.development ## would the tests notice a changed metric compiler? A sample of mutants, in benchmarks/results/
	$(RUN) -m benchmarks.mutate --seed $(SEED) --out benchmarks/results/mutation-$$(date +%F)

neighbors: $(VENV)/.development ## generated pipelines in dbt and Airflow, each in an environment of its own
	@test -x .cache/neighbors/dbt/bin/dbt || { $(BIN)/uv venv -q .cache/neighbors/dbt && $(BIN)/uv pip install -q --python .cache/neighbors/dbt/bin/python 'dbt-core>=1.11,<1.12' 'dbt-duckdb>=1.11,<1.12'; }
	@test -x .cache/neighbors/airflow/bin/airflow || { $(BIN)/uv venv -q .cache/neighbors/airflow && $(BIN)/uv pip install -q --python .cache/neighbors/airflow/bin/python 'apache-airflow>=3,<4'; }
	$(RUN) -m tests.neighbors

fuzz: $(VENV)/.development ## hostile SQL fragments, two minutes
	$(RUN) -m tests.fuzz.fuzz_fragments -max_total_time=120

schemas: $(VENV)/.development ## write the published JSON Schemas in spec/
	$(RUN) -m paribus.app.published spec
	$(RUN) -m paribus.server.openapi spec/openapi.json

docs: $(VENV)/.development ## the documentation site in site/
	$(BIN)/mkdocs build --strict --quiet

clean: ## remove what was built
	rm -rf $(VENV) .cache site dist demo-output
