# `make run` and `make test` need nothing before them: .venv is made, and remade when requirements.lock changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_COMPILE_BYTECODE := 1
export PYTHONPATH := $(CURDIR)
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check stop lock bench docs clean
.DEFAULT_GOAL := run
bench: ARGS ?= --quick

$(VENV)/.ready: requirements.lock
	@echo "Setting up $(VENV) (once; a minute or so)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip sync -q --require-hashes requirements.lock
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s/$(BIN)/python" -m commands.main "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/holdfast
	@chmod +x $(BIN)/holdfast
	@touch $@

run: $(VENV)/.ready  ## start all, load the samples (or DROP=file.mrc), print what came out; ARGS=--once ends there, CONFIG=another holdfast.toml
	@$(BIN)/python -m commands.main run $(if $(CONFIG),--config "$(CONFIG)") $(if $(DROP),--drop "$(DROP)") $(ARGS)

stop: $(VENV)/.ready  ## stop what `make run` left running
	@$(BIN)/python -m commands.main stop $(if $(CONFIG),--config "$(CONFIG)")

test: $(VENV)/.ready  ## the whole suite, in two processes
	@$(BIN)/python -m commands.main setup --tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.ready  ## style, types, direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.ready  ## every benchmark beside its peers, in short (ARGS= for the long form)
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(VENV)/.ready  ## pin the newest versions that fit pyproject.toml
	@$(BIN)/uv pip compile -q --upgrade --universal -p 3.11 --group dev --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock

docs: $(VENV)/.ready  ## the reference pages, from the code
	@$(BIN)/python -m commands.main reference

clean:  ## remove the environment; ./var (your data) stays
	@rm -rf $(VENV)
