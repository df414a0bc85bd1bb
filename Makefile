# One command per common task. Python 3.11 or later is all that has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
# Whole workflows wait for one another's threads more than for the processor.
SLOW_JOBS ?= 3
ORACLE := .venv-oracle
ORACLE_STAMP := $(ORACLE)/.installed

.PHONY: help install demo test test-slow test-long oracle lint typecheck bench iam-evidence mutation-gate clean

help: ## Show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

install: $(STAMP) ## Make .venv with everything in it

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": set PYTHON=python3.12, for instance")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

demo: install ## Deploy the workflow on the embedded emulator and run it to a live model
	$(BIN)/nova demo

test: install ## Fast tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-slow: install ## Faults at every state, whole workflows
	$(BIN)/python -m pytest -n $(SLOW_JOBS) --dist loadfile -m slow --timeout 600

test-long: install $(ORACLE_STAMP) ## What takes longer than CI allows
	$(BIN)/python -m pytest -m long --timeout 3600

oracle: install $(ORACLE_STAMP) ## Ask the SageMaker SDK for its requests and compare ours
	$(BIN)/python -m pytest -m long --timeout 900 tests/oracle

# An environment of its own: the SDK pins packages that ours has in other versions.
$(ORACLE_STAMP): tests/oracle/requirements.txt
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/oracle/requirements.txt
	@touch $(ORACLE_STAMP)

lint: install ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: install ## Types
	$(BIN)/mypy

bench: install ## Figures, measured side by side
	$(BIN)/python -m bench

mutation-gate: install ## Change the gate's code in every way a tool knows; tests must notice 95 %
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target .mutation mutmut==3.8.1
	PYTHONPATH=.mutation $(BIN)/python -m mutmut run --max-children $(JOBS)
	PYTHONPATH=.mutation $(BIN)/python -m mutmut results
	PYTHONPATH=.mutation $(BIN)/python -m mutmut export-cicd-stats
	@$(BIN)/python -c 'import json, sys; s = json.load(open("mutants/mutmut-cicd-stats.json")); print(s); sys.exit(s["killed"] < 0.95 * s["total"])'

iam-evidence: install ## Run the workflow paths and rewrite nova_constructs/iam_evidence.json
	$(BIN)/python -m pytest -m long --timeout 600 tests/workflow/test_permissions.py tests/workflow/test_permissions_of_options.py -k "test_path or the_table" --write-evidence

clean: ## Remove what the commands made
	rm -rf .mutation mutants $(VENV) $(ORACLE) cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
