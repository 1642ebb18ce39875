# Everything a newcomer types. Each target does its own set-up, so any of them works on a bare clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COVERAGE := 'coverage>=7.10'  # the first that follows processes which tests start
PARALLEL := -n auto --maxprocesses 8 --dist worksteal  # neighbours stay together, so a fixture is made in one process

.PHONY: help setup demo test quick coverage mutants lint audit workflows lock docs reference bench wheel clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(VENV)/.ready ## Create .venv and install dlx into it; LOCKED=1: with the packages of .ci/requirements.txt

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(if $(LOCKED),$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement .ci/requirements.txt)
	$(BIN)/python -m pip install --quiet --no-compile $(if $(LOCKED),--no-deps) --editable '.[dev]'
	@$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true  # on every core; pip uses one
	@touch $@

demo: setup ## Train mlp against mlp_bn on digits (12 runs, offline) and write the report
	$(BIN)/dlx train -m name=demo model=mlp,mlp_bn optimizer.lr=0.001,0.01 seed=0,1,2 epochs=20
	$(BIN)/dlx report outputs/demo

test: setup ## Run the test suite, on every core
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 --durations-min=4

quick: setup ## Run the tests that a change most likely breaks: no network, no browser, nothing slow
	$(BIN)/python -m pytest $(PARALLEL) -q -m 'not slow' --durations=10 --durations-min=2

coverage: setup ## Run the test suite and print which lines of dlx it does not run
	$(BIN)/python -m pip install --quiet $(COVERAGE)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL) -q; $(BIN)/coverage combine --quiet && $(BIN)/coverage report

mutants: setup ## Change a line at random and see whether a test fails: AREA=stats SAMPLE=60 SEED=0
	$(BIN)/python -m pip install --quiet $(COVERAGE)
	$(BIN)/python -m tests.mutants --area $(or $(AREA),stats) --sample $(or $(SAMPLE),60) --seed $(or $(SEED),0)

lint: setup ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: setup ## Compare the installed packages with published advisories (pip-audit)
	$(BIN)/python .ci/audit.py

workflows: setup ## Check the workflows of .github/ (zizmor)
	$(PYTHON) -m venv $(VENV)/workflows
	$(VENV)/workflows/bin/python -m pip install --quiet 'zizmor>=1.32'
	$(VENV)/workflows/bin/zizmor --offline --persona auditor .github

lock: setup ## Renew .ci/requirements.txt, the packages of CI: for every system and Python, with hashes
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet 'uv>=0.8'
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
	  --output-file .ci/requirements.txt pyproject.toml

docs: setup ## Build the documentation into build/site; a warning is an error
	$(BIN)/python -m tests.docs build

reference: setup ## Renew the generated parts of docs/reference/, from the schema, conf/ and the parsers
	$(BIN)/python -m tests.docs reference

bench: setup ## Measure speed beside others: SECTIONS="suite grid" ROUNDS=2 DATA_ROOT=DIR FULL=1
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m tests.benchmarks $(SECTIONS) $(if $(ROUNDS),--rounds=$(ROUNDS)) $(if $(DATA_ROOT),--data-root '$(DATA_ROOT)') $(if $(FULL),--full)

wheel: setup ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what the targets above made, results in outputs/ excepted
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .cache
