# Each target sets up what it needs first; with everything in place that takes no time.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STORY ?= examples/story.txt
PYTEST_ARGS ?=
BIN := .venv/bin
# Real models are a download of gigabytes: only who asks for them gets what they need.
MODEL_PARTS := $(if $(filter diffusers,$(BACKEND)),diffusers)

.PHONY: help demo run models env token images test test-containers faults chaos bench screenshots check contracts format lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | awk -F'\t' '{printf "  make %-15s %s\n", $$1, $$2}'

demo:  ## Make images and videos of a story into demo-output/ (STORY=path for your own), then stop
	@scripts/setup python broker frontend $(MODEL_PARTS)
	@$(BIN)/python -m scripts.stack demo --story "$(STORY)" --out demo-output

run:  ## Start everything and keep it running until Ctrl-C
	@scripts/setup python broker frontend $(MODEL_PARTS)
	@exec $(BIN)/python -m scripts.stack run

models:  ## Download the models for BACKEND=diffusers (IMAGE_MODEL=owner/name VIDEO_MODEL=owner/name, MODELS_ARGS=--yes)
	@scripts/setup python diffusers
	@$(BIN)/python -m shared.diffusion.download $(MODELS_ARGS)

env:  ## Write .env for docker compose: passwords and the page's token, made once and then kept
	@scripts/env

token:  ## Show the token that the page asks for when it runs in containers
	@scripts/env >/dev/null && sed -n 's/^API_TOKEN=//p' .env

images:  ## Build the container images
	@scripts/env >/dev/null
	@docker compose build

test:  ## Run all tests: page, real broker, both databases, real browser (PYTEST_ARGS="-k cancel -n 0")
	@AMQP_URL="$$TEST_AMQP_URL" scripts/setup dev diffusers broker postgres frontend chromium
	@npm --prefix frontend run --silent test
	@$(BIN)/python -m pytest -m 'not containers' -n 2 --dist loadgroup $(PYTEST_ARGS)

test-containers:  ## Build the images and run the tests that need a Docker engine
	@scripts/setup dev chromium
	@$(BIN)/python -m pytest -m containers -n 2 --dist loadfile tests/containers $(PYTEST_ARGS)

faults:  ## Run the fault tests on every combination of database and coordinators (half an hour)
	@AMQP_URL="$$TEST_AMQP_URL" scripts/setup dev broker postgres
	@FAULTS=all $(BIN)/python -m pytest tests/integration/test_faults.py tests/integration/test_outages.py tests/integration/test_chaos.py $(PYTEST_ARGS)

MINUTES ?= 5
SEED ?= 1
chaos:  ## Torment a studio at random, then check every promise (MINUTES=5 SEED=1, CHAOS_ARGS="--database postgresql")
	@scripts/setup dev broker postgres
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(CHAOS_ARGS)

bench:  ## Measure against the aims and a peer; writes bench/results.json (BENCH="handover cancel" for some)
	@scripts/setup dev diffusers bench broker postgres frontend chromium
	@$(BIN)/python -m bench $(BENCH)

screenshots:  ## Take pictures of every page and state into docs/screenshots/
	@scripts/setup dev broker frontend chromium
	@$(BIN)/python -m scripts.screenshots

check:  ## Formatting, lint, types, import rules, generated contracts; changes nothing
	@scripts/setup dev node
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.export_contracts --check frontend/src/api/openapi.gen.json
	npm --prefix frontend run --silent contracts:check
	npm --prefix frontend run --silent check

contracts:  ## Generate the page's types from the Python contracts
	@scripts/setup dev node
	$(BIN)/python -m scripts.export_contracts frontend/src/api/openapi.gen.json
	npm --prefix frontend run --silent contracts

format:  ## Format the code and mend what ruff can mend
	@scripts/setup dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock:  ## Pin the newest allowed packages in requirements.lock
	@scripts/setup dev
	@$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --upgrade -o requirements.lock --no-header

clean:  ## Remove what was built and cached; keeps var/ (your projects) and .venv
	rm -rf demo-output frontend/dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find shared services client scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
