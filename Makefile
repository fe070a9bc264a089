# fiscotool: one command a purpose. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
k ?=
# Hundreds of processes are started, which would compile all that they import once more wherever Python is told not to keep it.
export PYTHONDONTWRITEBYTECODE :=
# A file's tests share a chain, so they stay together; in the order of the directories, so that the long ones do not come last.
# Three workers on two cores: a third of the time tests wait for a chain.
SPREAD := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-fast lint fmt types tidy golden proto bench fast model mutants pictures docs clean sync packages compiled

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "fiscotool needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	bash scripts/install.sh .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	bash scripts/install.sh '.[dev]'
	@touch $(STAMP) $@

sync: $(DEV_STAMP) ## make .venv and install everything in it

demo: $(STAMP) ## the main job: deploy 4 nodes, kill the leader, recover, judge, report
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/demo.sh

test: ## everything: lint, types, import contracts, tidy rules, all tests
	$(MAKE) --no-print-directory -j 4 packages lint types compiled
	$(BIN)/python -m pytest $(SPREAD) $(if $(k),-k '$(k)')

test-fast: $(DEV_STAMP) ## tests without processes (k=... filters)
	$(BIN)/python -m pytest $(SPREAD) -m 'not devnet and not browser and not slow' $(if $(k),-k '$(k)')

packages:
	@bash scripts/system_packages.sh

compiled: $(DEV_STAMP)
	@$(BIN)/python -m compileall -q fiscotool
	@found=$$($(BIN)/python -m pytest --collect-only -q -p no:cacheprovider) || { echo "$$found"; exit 1; }

lint: $(DEV_STAMP) ## ruff, formatting, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

fmt: $(DEV_STAMP) ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

types: $(DEV_STAMP) ## mypy --strict
	$(BIN)/mypy

tidy: $(DEV_STAMP) ## the house rules that a machine can read
	$(BIN)/python -m pytest -q tests/architecture

golden: $(DEV_STAMP) ## rewrite the golden transcripts; read the diff line by line
	FISCOTOOL_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/golden tests/pbft -k golden

proto: $(DEV_STAMP) ## generate the Protobuf modules again
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. fiscotool/devnet/proto/*.proto

bench: $(DEV_STAMP) ## all benchmarks (6 minutes; docs/speed.md says what they measure)
	@failed=; for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || failed="$$failed $$file"; done; \
	if [ -n "$$failed" ]; then echo "beyond a limit, or failed:$$failed"; exit 1; fi

fast: $(DEV_STAMP) ## the core compiled into build/fast, for long simulations (needs a C compiler; docs/simulate.md)
	$(BIN)/python scripts/fast/build.py

pictures: $(DEV_STAMP) ## photograph a real report for docs/images
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/make_pictures.sh

model: $(DEV_STAMP) ## count all rows of scripts/model_counts.toml again and compare; hold the core and the hypotheses against the model
	$(BIN)/python scripts/run_model.py
	$(BIN)/fiscotool model refine
	$(BIN)/fiscotool model refine --byzantine 3 --depth 1
	@for s in fisco2 classic; do for b in 1 3; do $(BIN)/fiscotool model refine --spec $$s --byzantine $$b || exit 1; done; done
	$(BIN)/fiscotool model hypotheses --steps
	$(BIN)/python bench/explorer.py

mutants: $(DEV_STAMP) ## plant every bug, try every judge, write docs/mutants.md (20 minutes; goes on when interrupted)
	$(BIN)/python scripts/run_mutants.py

edits: $(DEV_STAMP) ## edit clean traces in ways the judge must reject, 10,000 times (3 minutes)
	$(BIN)/python scripts/edit_traces.py --seeds 0..130 --edits 104

docs: $(DEV_STAMP) ## write the generated parts of docs/ again
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python -m tests.consistency.invariants_page

clean: ## remove what was built (never a chain)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
