# demo   the whole product on this machine, with simulated stations
# test   all tests
# check  format, lint, types, layers, generated files
# bench  what this machine can do, beside the budgets
#
# Needs Python 3.11 or newer with venv, and make. Everything else is installed into .venv,
# by hash, from requirements.txt (demo) or requirements-dev.txt (the others).

PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/installed-run
DEV := .venv/installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input install

.PHONY: demo test check bench
.DEFAULT_GOAL := demo

demo: $(RUN)
	$(BIN)/chargeward demo

test: $(DEV)
	$(BIN)/python -m pytest

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m iot.asyncapi --check docs/contract
	$(BIN)/chargeward openapi --check docs/openapi.json
	@! grep -rnIE 'index[-]url|find[-]links|https?://[^ "]*(registry|pypi|npmjs|/simple)' . \
		--exclude-dir=.git --exclude-dir=.venv --exclude-dir=node_modules --exclude-dir='.*_cache' \
		|| { echo "a file names a package registry: installs must work with any"; exit 1; }

bench: $(DEV)
	$(BIN)/python -m tests.bench.run

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Chargeward needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make virtual environments (Debian: apt-get install python3-venv)."; \
		exit 1; }
	$(PYTHON) -m venv .venv

# Either environment can run the demo; the larger one replaces the smaller, never the reverse.
$(RUN): requirements.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the demo needs (about a minute the first time) ..."
	@$(PIP) --require-hashes -r $(if $(wildcard $(DEV)),requirements-dev.txt,$<)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the tests and checks need (about two minutes the first time) ..."
	@$(PIP) --require-hashes -r $<
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(RUN) $@
