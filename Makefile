# Everything from a machine that has Python >= 3.11 and make. Nothing is installed outside .venv.
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The first interpreter that is new enough and can make a virtual environment; PYTHON=... overrides.
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	if $$name -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$name; break; fi; done)

.PHONY: demo demo-core test test-first-half test-second-half test-slow test-live lint bench bench-gpu docs clean

# Explain the failed runs that come with the package, and a chain of thought with the pocket model.
demo: $(VENV)/.lm
	$(BIN)/tracer demo

# The same without torch: it says what it leaves out.
demo-core: $(VENV)/.core
	$(BIN)/tracer demo

# Everything that CI checks on the sources; the tests in two halves, side by side.
test: lint
	+@$(MAKE) --no-print-directory -j2 test-first-half test-second-half

test-first-half: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore-glob='tests/test_[h-z]*'

test-second-half: $(VENV)/.dev
	$(BIN)/python -m pytest tests/test_[h-z]*.py

# Proofs by simulation that take minutes each.
test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest tests/slow

# Real agent frameworks, each installed in a virtual environment of its own, against a live `tracer collect`.
test-live: $(VENV)/.dev
	$(BIN)/python -m pytest -m live tests/test_live_clients.py

# Style, types and the borders between the rooms.
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy tracer tests scripts
	$(BIN)/lint-imports

# Times of load, blame and start-up; with TRACER_REAL_LOGS set, the accuracy table too.
bench: $(VENV)/.dev
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-columns=min,mean,max,rounds
	@if [ -n "$$TRACER_REAL_LOGS" ]; then $(BIN)/tracer bench whowhen "$$TRACER_REAL_LOGS/whowhen-dev"; fi

# What the white-box analyses cost on a GPU; without one it says so.
bench-gpu: $(VENV)/.lm
	$(BIN)/python scripts/bench_gpu.py

# Rewrite docs/commands from the help texts.
docs: $(VENV)/.dev
	$(BIN)/python scripts/write_docs.py

# Remove what the targets above made.
clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks tracer-demo

# The package and its light dependencies.
$(VENV)/.core: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or newer with venv (Debian, Ubuntu: apt-get install python3-venv), or PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --upgrade "pip>=25.1"
	PYTHONWARNINGS="ignore:Editable" $(INSTALL) --editable .
	@touch $@

# torch and transformers, of exactly the versions in constraints.txt.
$(VENV)/.lm: $(VENV)/.core
	PYTHONWARNINGS="ignore:Editable" $(INSTALL) --editable ".[lm]"
	@touch $@

# What lint and the tests need; pip reads the groups from pyproject.toml.
$(VENV)/.dev: $(VENV)/.lm
	$(INSTALL) --group tests --group lint
	@touch $@
