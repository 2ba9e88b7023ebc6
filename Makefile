PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: scan test lint types check picture clean

## scan: set up an environment and audit the sample data set
scan: $(STAMP)
	$(BIN)/cr-audit scan sample_data/clone_robust.jsonl

## test: lint, types and the whole test suite
test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -q

lint: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)
	$(BIN)/mypy

check: test

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[offline,dev]'
	touch $(STAMP)

## picture: draw docs/scan.svg anew
picture: $(STAMP)
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) dist build *.egg-info
