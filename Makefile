# Each target sets up what it needs first; with everything in place that takes no time.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STORY ?= examples/story.txt
PYTEST_ARGS ?=
BIN := .venv/bin

.PHONY: help demo run test check format lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

demo:  ## Make images and videos of a story into demo-output/ (STORY=path for your own), then stop
	@scripts/setup python broker
	@$(BIN)/python -m scripts.stack demo --story "$(STORY)" --out demo-output

run:  ## Start everything and keep it running until Ctrl-C
	@scripts/setup python broker frontend
	@exec $(BIN)/python -m scripts.stack run

test:  ## Run all tests against a real broker and both databases (PYTEST_ARGS="-k cancel -n 4")
	@AMQP_URL="$$TEST_AMQP_URL" scripts/setup dev broker postgres
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

check:  ## Formatting, lint, types and import rules; changes nothing
	@scripts/setup dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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
