# Everything runs in .venv, which `make setup` makes from requirements.lock; a second call skips what is done.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --retries 5 --timeout 60
STAMPS := $(VENV)/.stamps
CODE := clicktrail producers consumers spark_jobs

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-spark test-dags test-integration test-compose compose-logins check format bench bench-full up down setup clean

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
	  while IFS='|' read -r name text; do printf '  make %-18s %s\n' "$$name" "$$text"; done

demo: setup ## set up, start the servers, send 20,000 clicks through the pipeline, show what came out
	@$(BIN)/clicktrail demo

test: setup ## set up, then every test
	@$(BIN)/python -m pytest

test-unit: setup ## tests without servers and without Java
	@$(BIN)/python -m pytest tests/unit

test-spark: setup ## tests with a local Spark session
	@$(BIN)/python -m pytest tests/spark

test-dags: setup ## tests of the DAGs
	@$(BIN)/python -m pytest tests/dags

test-integration: setup ## tests with the real servers
	@$(BIN)/python -m pytest tests/integration

test-compose: setup ## tests of the containers; skipped where no Docker engine answers
	@$(BIN)/python -m pytest tests/compose

compose-logins: ## Airflow's logins in the containers
	@docker compose logs --no-log-prefix secrets

check: setup ## ruff and mypy, as the commit hooks run them
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(CODE:%=-p %)

format: setup ## put the code in its form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup ## against other ways and the machine's limits, within 30 minutes (BENCH="--help": what can be chosen)
	@$(BIN)/python -m benchmarks $(BENCH)

bench-full: setup ## the whole matrix: hours
	@$(BIN)/python -m benchmarks --full $(BENCH)

up: setup ## start the servers
	@$(BIN)/clicktrail up

down: ## stop the servers; data stays
	@if [ -x $(BIN)/clicktrail ]; then $(BIN)/clicktrail down; else echo "Nothing is running: there is no $(VENV)."; fi

setup: $(STAMPS)/package $(STAMPS)/jars ## the environment and the jars, without starting anything

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 is needed, found: $$($(PYTHON) --version 2>&1 || echo none). Install it, or: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@echo "setup: $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "Python's venv module does not work. On Debian and Ubuntu: apt-get install python3.11-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: requirements.lock | $(STAMPS)/venv
	@echo "setup: packages of requirements.lock (about 2 minutes at the first time)"
	@$(PIP) install --quiet --require-hashes -r requirements.lock || { \
	  echo "The packages could not be installed; pip says why above. What was downloaded is kept: run it again." >&2; exit 1; }
	@touch $@

$(STAMPS)/package: $(STAMPS)/packages pyproject.toml
	@echo "setup: clicktrail itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/jars: clicktrail/jars.lock $(STAMPS)/package
	@echo "setup: jars of clicktrail/jars.lock"
	@$(BIN)/python -m clicktrail.jars install
	@touch $@

clean: down ## stop the servers and delete the environment; the servers' data stays (that: clicktrail reset)
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
