# Two commands matter: `make run` shows the engine, `make test` checks it. Each builds .venv itself,
# from locked and hashed packages, on a machine that has only Python 3.11 (PYTHON=... names another one).
SHELL := bash
PYTHON ?= python3.11
VENV := .venv
PIP := $(VENV)/bin/python -m pip -qq --disable-pip-version-check
PROJECT_FILES := pyproject.toml
SPEED ?=

.DEFAULT_GOAL := help
.PHONY: help run test live check bench lock clean

help: ## what can be made
	@echo "make run     the demo: rules guard a listing-breakout strategy on a paper venue; no keys, sends nothing"
	@echo "make test    all tests"
	@echo "make live    what a real venue needs (ccxt, aiohttp, websockets) into .venv"
	@echo "make check   what CI checks beside the tests: lint, types, import law, rules"
	@echo "make bench   how fast rules and whole runs are"
	@echo "make lock    requirements*.lock again, from pyproject.toml (needs uv)"
	@echo "make clean   remove .venv; state/ is never touched"

run: $(VENV)/runtime.stamp
	@$(VENV)/bin/engine run --tape demo $(if $(SPEED),--speed $(SPEED))

test: $(VENV)/dev.stamp
	@$(VENV)/bin/python -m pytest -q -n 4 --maxschedchunk 8 $(ARGS)

live: $(VENV)/live.stamp

check: $(VENV)/dev.stamp
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(VENV)/bin/engine rules check rules
	@$(VENV)/bin/engine rules test rules
	@$(VENV)/bin/engine rules mutate rules
	@$(VENV)/bin/engine rules docs --check

bench: $(VENV)/dev.stamp
	@$(VENV)/bin/python -m tests.bench

# What the tests run with is chosen first; the others take the same versions of what they share.
lock:
	@for out in requirements-dev.lock:"--extra checkout --extra dev" \
	  requirements-live.lock:"--extra checkout --extra live -c requirements-dev.lock" \
	  requirements.lock:"--extra checkout -c requirements-dev.lock"; do \
	  uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links $${out#*:} pyproject.toml -o "$${out%%:*}" || exit 1; \
	done

clean:
	@rm -rf $(VENV)

# A stamp says which lock the environment holds, so that the install is done once. Development
# packages go into the same environment: their lock has the same versions of what the engine needs.
$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "make: there is no '$(PYTHON)' here. Install Python 3.11 with its venv module, or name one: make run PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: '$(PYTHON)' is older than Python 3.11; name a newer one: make run PYTHON=python3.11" >&2; exit 2; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "make: '$(PYTHON)' cannot make a virtual environment; on Debian: apt-get install python3.11-venv" >&2; exit 2; }

$(VENV)/runtime.stamp: requirements.lock $(PROJECT_FILES) | $(VENV)/bin/python
	@echo "installing a dozen small packages into $(VENV), once ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/live.stamp: requirements-live.lock $(VENV)/runtime.stamp
	@echo "installing ccxt and what it brings into $(VENV), once ..."
	@$(PIP) install --require-hashes -r requirements-live.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@echo "installing the test tools into $(VENV), once ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
