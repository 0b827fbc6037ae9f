# Hanami: `make help` lists what there is. Needs Python 3.11 or newer on Linux, and the network at set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
T ?=

.DEFAULT_GOAL := help
.PHONY: help setup protos protos-check baseline lint format test bench soak fuzz pictures demo up down dashboard manifests clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Install everything into .venv (done by the other targets as needed)

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Hanami needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv, once: downloads about $$(grep -c == requirements.lock) packages (a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

protos: setup ## Generate Python, TypeScript and descriptors from protos/
	$(BIN)/buf format -w protos
	$(BIN)/python protos/generate.py

protos-check: setup ## Fail when generated/ does not fit protos/
	$(BIN)/python protos/generate.py --check

baseline: setup ## Accept the contracts as they are (needs a CHANGELOG entry)
	$(BIN)/buf build protos --exclude-source-info -o protos/baseline.binpb

lint: setup protos-check ## Check contracts, code, layers, manifests
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf breaking protos --against protos/baseline.binpb
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python torii/dashboard/build.py --check
	$(BIN)/python -m hanami_sdk.local.kubernetes --check
	$(BIN)/python k8s/validate.py

format: setup ## Put code and contracts into their standard form
	$(BIN)/buf format -w protos
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup ## Run all tests; T=path runs a piece
	$(BIN)/python -m pytest $(T)

$(VENV)/.bench-ready: $(VENV)/.ready
	@echo "Adding the peers of the measurements to .venv: scikit-learn, matplotlib"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[bench]'
	@touch $@

bench: $(VENV)/.bench-ready ## Measure speed and accuracy; T=mnist runs a part, T=--help lists them
	$(BIN)/python -m tests.bench $(T)

soak: setup ## Learn for a while under random kills, and compare the networks bit for bit
	$(BIN)/python -m tests.soak $(T)

fuzz: setup ## Send malformed messages to every service; T=--help lists what can be chosen
	$(BIN)/python -m tests.fuzz $(T)

pictures: $(VENV)/.bench-ready ## Draw docs/pictures anew from real runs
	$(BIN)/python -m tests.bench.pictures $(T)

demo: setup ## Start the mesh, learn MNIST through it, say how good and how fast, stop
	$(BIN)/hanami demo mnist

up: setup ## Start the mesh on this machine
	$(BIN)/hanami up

down: setup ## Stop the mesh on this machine
	$(BIN)/hanami down

dashboard: setup ## Build the start page into torii/static
	$(BIN)/python torii/dashboard/build.py

manifests: setup ## Render the Kubernetes manifests anew
	$(BIN)/python -m hanami_sdk.local.kubernetes

clean: ## Remove everything that is built or installed here
	rm -rf $(VENV) .build .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
