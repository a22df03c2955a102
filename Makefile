# Each target is complete on a fresh clone: it makes .venv, installs what it needs, and runs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format docs conformance benchmark clean

demo: .venv/installed-demo
	$(BIN)/patchcore demo --out demo-out

test: .venv/installed-test
	$(BIN)/python -m pytest

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed-docs
	$(BIN)/mkdocs build --strict

# Every installed part against the laws of its kind, at what it claims.
conformance: .venv/installed-test
	$(BIN)/patchcore-conformance run --installed --profile quick

# Claims about speed, each with its verdict; writes docs/benchmarks.md. Takes anomalib and faiss along as peers.
benchmark: .venv/installed-test,anomalib,faiss
	$(BIN)/python tests/benchmarks/run_all.py

clean:
	rm -rf .venv demo-out dist build site

.venv/installed-%: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
