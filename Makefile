# Two commands to begin with: `make demo` and `make test`. Both set up .venv by themselves.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev

.PHONY: demo test test-slow check format comparison docs clean

demo: $(STAMP)  ## install and watch TVO train the embedded model, then be evaluated
	$(BIN)/tvo train output_dir=outputs/demo/$(shell date +%m%d-%H%M%S)

test: $(DEV_STAMP)  ## the fast tests
	$(BIN)/python -m pytest -n 2

test-slow: $(DEV_STAMP)  ## minutes: throughput, coverage, long runs
	$(BIN)/python -m pytest -m slow -n 2

check: $(DEV_STAMP)  ## what must pass before a commit
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m pytest -n 2

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

comparison: $(DEV_STAMP)  ## docs/results/compare.md: 200 runs, under an hour on two idle cores, resumable
	$(BIN)/tvo train -m experiment=stability_small
	$(BIN)/tvo compare outputs/stability_small --out docs/results/compare

docs: $(DEV_STAMP)  ## docs/algorithms.md and conf/schema/, from the yamls, docstrings and declarations
	$(BIN)/python -m tvo_cli list algorithms --page > docs/algorithms.md
	for group in conf/schema/*.json; do $(BIN)/python -m tvo_cli list $$(basename $$group .json) --schema > $$group; done

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("tvo needs Python 3.11 or newer; try: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP): .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(DEV_STAMP): .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev,tensorboard,reasoning-gym]'
	touch $@ $(STAMP)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build dist
