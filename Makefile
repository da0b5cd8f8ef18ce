# Everything that a clone can do. Only Python 3.11 or newer and make are needed; each target
# makes what it needs in .venv by itself. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs
FUZZ := $(VENV)/.fuzz
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
GUIDE := tests/data/guide
STORE := .demo
PACE := --seed 1 --delay 0.1

.PHONY: help setup demo test test-long check bench docs lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | awk -F': ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(DEV) ## create .venv with everything for development

demo: $(RUN) ## run three of the guide's protocols on an embedded NATS server
	@rm -rf $(STORE)
	@echo; echo "1. A hierarchy: seven roles with capabilities, budgets and a journal of facts"
	@$(BIN)/pavane run $(GUIDE)/016.choreo --store $(STORE) $(PACE)
	@echo; echo "2. A threshold: five signers are asked, three answers are enough"
	@$(BIN)/pavane run $(GUIDE)/005.choreo --store $(STORE) $(PACE) --bind Signers=5 --bind threshold=3
	@echo; echo "3. A capability taken away: the second message is denied, and that is the point"
	@$(BIN)/pavane run $(GUIDE)/015.choreo --store $(STORE) $(PACE) --revoke User=respond_to_admin; \
	test $$? -eq 3 || { echo "The denial was to be seen here, and was not." >&2; exit 1; }
	@echo; echo "4. The journal of it all, read back from the stream and verified"
	@$(BIN)/pavane journal replay --store $(STORE)
	@$(BIN)/pavane journal verify --store $(STORE)

test: $(DEV) ## the tests that CI runs
	@$(BIN)/python -m pytest -q -n auto

test-long: $(DEV) $(FUZZ) ## all tests, with those that take minutes, and a million texts for the fuzzers
	@$(BIN)/python -m pytest -q -n auto -m ""

check: $(DEV) ## ruff, mypy, pyright and the import floors
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted: run $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: $(DEV) ## measure against plain nats-py and write benchmarks/results.json
	@$(BIN)/python benchmarks/run.py

docs: $(DOCS) ## build the documentation into site/
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The documentation is in site/index.html"

lock: ## resolve the ranges of pyproject.toml anew into requirements/*.lock
	@sh requirements/lock.sh "$$(sh requirements/python.sh)"

clean: ## remove everything that make has made
	@rm -rf $(VENV) $(STORE) .peers build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .import_linter_cache src/pavane.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps carry the time of the last installation that went well; pip itself is quick
# when nothing has changed.
$(BIN)/python:
	@python=$$(sh requirements/python.sh) || exit 1; \
	echo "Creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)

$(RUN): pyproject.toml requirements/run.lock | $(BIN)/python
	@echo "Installing Pavane and what it needs (about half a minute the first time)"
	@$(PIP) install -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.lock $(RUN)
	@echo "Installing the tools for development"
	@$(PIP) install -r requirements/dev.lock
	@touch $@

$(FUZZ): requirements/fuzz.lock $(RUN)
	@$(PIP) install -r requirements/fuzz.lock 2>/dev/null || echo "atheris has no wheel for this system: its fuzzer is skipped"
	@touch $@

$(DOCS): requirements/docs.lock $(RUN)
	@echo "Installing the tools for the documentation"
	@$(PIP) install -r requirements/docs.lock
	@touch $@
