PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP  := $(VENV)/.installed

.PHONY: scan test quick gate trainers loaders lint types check pages picture docs docs-check dist clean

## scan: set up an environment and audit the sample data set
scan: $(STAMP)
	$(BIN)/cr-audit scan sample_data/clone_robust.jsonl

## test: lint, types and the whole test suite
test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q

## quick: lint, types and the unit tests that take a moment (all but tests/slow.txt)
quick: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -q -m "not slow" tests/unit tests/test_architecture.py tests/test_docs.py

## gate: judge the three sample batches; wrong exit codes fail, the SARIF reports stay in build/gate
gate: $(STAMP)
	rm -rf build/gate
	mkdir -p build/gate
	set -e; for case in clean:0 cloned:1 broken:3; do \
	  name=$${case%:*}; code=0; \
	  $(BIN)/cr-audit gate --baseline sample_data/gate/main.jsonl sample_data/gate/batch_$$name.jsonl \
	    --report sarif=build/gate/$$name.sarif --report github=- || code=$$?; \
	  test $$code = $${case#*:} || { echo "$$name: exit $$code, not $${case#*:}"; exit 1; }; \
	done

## trainers: weighted training in TRL itself, and the loaders that other trainers released
trainers: $(STAMP) loaders
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[trl]'
	$(BIN)/python -m pytest -q tests/integrations

## loaders: the released packages whose loaders the X-ray knows, without what else they need
loaders: $(STAMP)
	rm -rf build/loaders
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile \
	  --target build/loaders llamafactory==0.9.5 ms-swift==4.5.2 axolotl==0.18.0 openrlhf==0.11.0

lint: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)
	$(BIN)/mypy

check: test

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[offline,png,docs,dev]'
	touch $(STAMP)

## pages: write the pages of docs/ that come from the code
pages: $(STAMP)
	$(BIN)/python docs/pages.py

## docs: the site in build/site, built without the network (needs the extra docs)
docs: $(STAMP) pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

## docs-check: commands, options, rules, exit codes, schemas, links and examples of the documentation
## held against the code, and the site built
docs-check: $(STAMP)
	$(BIN)/python docs/pages.py check
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_site.py tests/cli/test_library.py \
	  tests/cli/test_notebooks.py tests/unit/test_advice.py tests/unit/readers/test_reader_schemas.py

## dist: build wheel and sdist, look at them, install the wheel in an empty environment and run it
dist: $(STAMP)
	$(BIN)/python tools/dist.py --install slim --out build/dist.json

## picture: draw docs/scan.svg anew
picture: $(STAMP)
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) dist build *.egg-info
