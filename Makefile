# Needs python3 (3.11 to 3.13) with venv, make and git. No root, no compiler; everything lands in .venv.

SHELL := /bin/sh
# The first of these that is a Python we support; `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
# What the environment was made for; another folder or another Python makes its scripts and packages useless.
ORIGIN := "$$(pwd -P) $$(readlink -f $(BIN)/python)"
STALE := $(shell test ! -s $(STAMP) || test "$$(cat $(STAMP))" = $(ORIGIN) || echo yes)
# --universal: one lock for all supported Pythons. No index address is written: whoever installs brings their own.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: --generate-hashes \
	--no-emit-index-url --no-header
# More for pytest: make test PYTEST_ARGS='tests/unit -x'
PYTEST_ARGS ?=
# Where `make faults` writes what it has measured: make faults PAGE=docs/reference/fault-suite.md
PAGE ?=
# Rows for `make bench`, none for all of them; and options, e.g. make bench BENCH_ARGS='--runs 1 --quick'
ROW ?=
BENCH_ARGS ?=
# Tests mostly wait for the processes they start and end.
TEST_PROCESSES ?= $(shell echo $$((3 * $$(nproc))))
# More for pip-audit, e.g. another database: make audit AUDIT_ARGS='--vulnerability-service osv'
AUDIT_ARGS ?=
# Which faults `make test` chooses: others with each commit, the same ones for the same commit.
FAULTS_SEED ?= $(shell git rev-list --count HEAD 2>/dev/null || echo 1)

.DEFAULT_GOAL := help
.PHONY: help setup run demo test faults chaos fuzz soak bench check docs reference lock lock-arm audit clean

ifneq ($(STALE),)
.PHONY: $(STAMP)
endif

help: ## Show these commands
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Make the virtual environment; does nothing when nothing changed

run: setup ## Start the sandbox: a whole agent with Kafka (POLLING=1: without), Redis, a fake Port, targets; Ctrl-C ends it
	@$(BIN)/longshore sandbox run $(if $(POLLING),--polling)

demo: setup ## Send a fixed list of invocations through the sandbox and check how each ended
	@$(BIN)/longshore sandbox demo

# A clone that is new has its tests compiled once, and not by each of the processes again.
test: setup ## Run all tests; of those of faults a few, with fewer invocations than `make faults`
	@export PYTHONDONTWRITEBYTECODE=; test -d tests/__pycache__ || \
		$(BIN)/python -m pytest --collect-only -qq $(PYTEST_ARGS) > /dev/null || true
	@PYTHONDONTWRITEBYTECODE= \
		LONGSHORE_FAULTS_MESSAGES=$${LONGSHORE_FAULTS_MESSAGES:-150} LONGSHORE_HELD_BACK=$${LONGSHORE_HELD_BACK:-300} \
		LONGSHORE_FAULTS_SELECTION=$${LONGSHORE_FAULTS_SELECTION:-3} LONGSHORE_FAULTS_SEED=$(FAULTS_SEED) \
		$(BIN)/python -m pytest -n $(TEST_PROCESSES) --no-loadscope-reorder $(PYTEST_ARGS)

faults: setup ## Kill programs, Redis and Port under load, and account for every invocation (Java 17 and Maven)
	@LONGSHORE_FAULTS_PAGE=$(PAGE) $(BIN)/python -m pytest tests/faults $(PYTEST_ARGS)

chaos: setup ## Break a fleet at random for MINUTES=30 (SEED=1 says how; POLLING=1: runs are polled), account for all (Java 17, Maven)
	@LONGSHORE_FAULTS_MESSAGES=$${LONGSHORE_FAULTS_MESSAGES:-150} \
		$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1) --rate $(or $(RATE),10) \
		$(if $(POLLING),--polling)

fuzz: setup ## Look for damaged input that breaks something, other input each time: make fuzz MINUTES=10
	@end=$$(($$(date +%s) + 60 * $(or $(MINUTES),10))); while [ $$(date +%s) -lt $$end ]; do \
		LONGSHORE_FUZZ_EXAMPLES=300 $(BIN)/python -m pytest -n 2 tests/fuzz $(PYTEST_ARGS) || exit; done

soak: setup ## Run an agent under a steady load and look whether anything grows: make soak HOURS=8 (Java 17 and Maven)
	@$(BIN)/python -m bench.soak --hours $(or $(HOURS),8) $(BENCH_ARGS)

bench: setup ## Measure cost, rates and latency, in twelve minutes; one row: make bench ROW=event (Java 17 and Maven)
	@$(BIN)/python -m bench $(ROW) $(BENCH_ARGS)

check: setup ## Lint, docstrings, strict types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

reference: setup ## Rewrite the pages of docs/reference that are made from code and chart
	@$(BIN)/python scripts/reference.py

docs: setup ## Build the documentation's pages in site/; fails at a wrong link
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lock: ## Pin the dependencies of pyproject.toml (needs uv)
	@$(COMPILE) pyproject.toml --extra notify --output-file requirements/run.txt
	@$(COMPILE) pyproject.toml --extra otel --extra notify --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	@$(COMPILE) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	@sed -i "1i # Made from pyproject.toml by 'make lock'; do not edit. Wheels only, CPython 3.11 to 3.13 on Linux." \
		requirements/run.txt requirements/dev.txt requirements/build.txt

lock-arm: setup ## Ask the index whether ARM machines (aarch64) can install all that is pinned; writes requirements/arm.txt
	@$(BIN)/python scripts/arm_wheels.py

audit: setup ## Ask for known vulnerabilities of all that is pinned (needs pip-audit)
	@command -v pip-audit >/dev/null || { echo 'No pip-audit on PATH: install it, e.g. with pipx install pip-audit' >&2; exit 1; }
# Strict: what the database cannot be asked about is no pass. Behind a mirror that has no more than the packages, that is all.
	@for list in run dev build; do pip-audit --strict --require-hashes --disable-pip $(AUDIT_ARGS) -r requirements/$$list.txt || \
		{ echo "requirements/$$list.txt has a finding, or could not be audited: see above" >&2; exit 1; }; done

clean: ## Remove everything that the other commands made
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements/dev.txt requirements/redis.txt scripts/install.py scripts/embedded_redis.py
	@test -n "$(PYTHON)" || { echo 'No Python 3.11, 3.12 or 3.13 found: install one, or name it with make PYTHON=...' >&2; exit 1; }
	@test -z '$(STALE)' || { echo 'The clone was moved or its Python replaced: $(VENV) is recreated.'; rm -rf $(VENV); }
	@$(BIN)/python -c 'import pip' 2>/dev/null || \
		{ echo 'Making a virtual environment in $(VENV) ...'; $(PYTHON) -m venv --clear $(VENV); } || \
		{ rm -rf $(VENV); echo 'No virtual environment could be made; on Debian: apt install python3-venv' >&2; exit 1; }
	@$(BIN)/python scripts/install.py
	@$(BIN)/python scripts/embedded_redis.py
	@echo $(ORIGIN) > $(STAMP)
