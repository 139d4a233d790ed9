# Everything runs in .venv, which the first target makes. Needs Python 3.11 or later; the tests also use Java 17 and
# Maven (a real Kafka broker), PostgreSQL (a shared key store), Go (an independent verifier), strace (kills and failing
# disks) and SoftHSM (a PKCS#11 token), and say so if missing.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODES ?= 1
WORKERS ?= 2
DEMO_HOME ?= .make/demo

.DEFAULT_GOAL := help
.PHONY: help setup vendors demo test lint types generated kafka kafka-jars bench bench-smoke campaign clean

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## Virtual environment with everything in it

$(VENV)/.installed: pyproject.toml requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or later (apt-get install python3 python3-venv)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); say PYTHON=/path/to/python"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing (apt-get install python3-venv)"; exit 2; }
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

vendors: $(VENV)/.vendors ## What tests of capture use besides: the vendors' own clients and what instruments them

$(VENV)/.vendors: requirements-vendors.txt $(VENV)/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-vendors.txt
	@touch $@

demo: setup ## The whole way of an event on the embedded log, ending with a proof and a named tamper
	@rm -rf $(DEMO_HOME) && mkdir -p $(dir $(DEMO_HOME))
	@$(BIN)/audit-ledger demo --home $(DEMO_HOME)

test: setup vendors kafka-jars ## All tests, with real brokers, files and processes; WORKERS=0 runs one at a time
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: setup ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup ## mypy, strict
	@$(BIN)/mypy

generated: setup ## Fails when ledger/v1 is not what proto/ says
	@$(BIN)/python proto/generate.py --check

kafka-jars: setup
	@$(BIN)/python docker/kafka/broker.py --fetch-only || echo "without them the tests against a real Kafka are skipped"

kafka: setup ## A real Apache Kafka for development: NODES=1 or NODES=3; Ctrl-C stops it
	@$(BIN)/python docker/kafka/broker.py --nodes $(NODES) --dir .kafka/data

bench: setup vendors kafka-jars ## All benchmarks; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks --write benchmarks/RESULTS.md

bench-smoke: setup ## Each benchmark once, small
	@$(BIN)/python -m benchmarks --smoke

campaign: setup vendors kafka-jars ## Every kill point, every tamper, long fuzzing (an hour or more)
	@LEDGER_CAMPAIGN=full $(BIN)/python -m pytest -m campaign --timeout 7200 $(PYTEST_ARGS)

clean: ## Removes what was made here
	@rm -rf $(VENV) .make .kafka .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
