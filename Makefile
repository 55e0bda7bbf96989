# make demo: install, simulate a retailer, run everything, show what came out.
# make test: the whole test-suite. make ui: the Dagster UI on http://127.0.0.1:3000.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test ui lint types validate clean

demo: $(INSTALLED)
	@$(BIN)/customer-profiles demo

ui: $(INSTALLED)
	@$(BIN)/customer-profiles ui

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy

validate: $(INSTALLED)
	$(BIN)/dagster definitions validate -w workspace.yaml

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed, this is " + sys.version + ": make demo PYTHON=python3.12")'
	@echo 'installing into $(VENV), about three minutes and 3 GB'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(INSTALLED)

clean:
	rm -rf $(VENV) *.egg-info
