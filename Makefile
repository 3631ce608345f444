# Two commands to begin with: `make demo` and `make test`. Both set up .venv by themselves.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
STAMP := .venv/.installed
REAL_STAMP := .venv/.installed-smollm2
DEV_STAMP := .venv/.installed-dev
SITE_STAMP := .venv/.installed-site
SLOW_STAMP := .venv/.installed-slow
LOCK := requirements/lock.txt
COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
TESTED := dev tensorboard reasoning-gym smollm2 lora  # extras
LOCKED := $(TESTED) joblib submitit optuna bitsandbytes docs
PACKAGE := .[$(subst $(SPACE),$(COMMA),$(strip $(TESTED)))]
UV := .venv-uv/bin/uv
# $(call install,ENVIRONMENT,OPTIONS): pip itself and what builds packages come from the lock in every environment
install = $(1)/bin/python -m pip install --quiet --constraint $(LOCK) pip && \
  $(1)/bin/python -m pip install --quiet --build-constraint $(LOCK) $(2)

.PHONY: demo real test test-slow test-newest test-oldest lock check format comparison second-edition docs site site-links dist gpu-wheels clean

demo: $(STAMP)  ## install and watch TVO train the embedded model, then be evaluated
	$(BIN)/tvo train output_dir=outputs/demo/$(shell date +%m%d-%H%M%S)

# The model is HuggingFaceTB/SmolLM2-135M-Instruct as a package index has it; the hub is never asked. With
# MATH=FILE.jsonl the first 50 problems of that file are asked too, before and after. Folders are named by the steps and
# by the file's name and checksum, so that other settings never meet what is there, and the same ones go on with it.
REAL := outputs/real
REAL_STEPS ?= 8
REAL_RUN = $(REAL)/run-$(REAL_STEPS)
MATH_NAME = math-$(basename $(notdir $(MATH)))-$(firstword $(shell cksum < $(MATH)))
REAL_TABLES = before after-$(REAL_STEPS) $(if $(MATH),$(MATH_NAME)-before $(MATH_NAME)-after-$(REAL_STEPS))
REAL_EVAL := $(BIN)/tvo eval evaluation.limit=64 decoding.samples=4 logger=none evaluation=[chain_sums]
MATH_EVAL := $(BIN)/tvo eval evaluation.limit=50 decoding.samples=1 logger=none evaluation=[jsonl] protocol.template=chat protocol.max_tokens=256 path=$(MATH)
real: export HF_HUB_OFFLINE := 1
real: $(REAL_STAMP)  ## a pretrained model of 135 M parameters without the hub: fetch, evaluate, train with TVO, evaluate
	$(BIN)/tvo fetch smollm2-135m
	$(REAL_EVAL) model.path=fetched:smollm2-135m model=smollm2-135m output_dir=$(REAL)/before
	$(if $(MATH),$(MATH_EVAL) model.path=fetched:smollm2-135m model=smollm2-135m output_dir=$(REAL)/$(MATH_NAME)-before)
	$(BIN)/tvo train model=smollm2-135m model.path=fetched:smollm2-135m dataset=chain_sums algorithm=tvo logger=none \
	  trainer.steps=$(REAL_STEPS) rollout.prompts=4 rollout.samples=8 rollout.epochs=2 rollout.minibatches=2 \
	  evaluation.problems=64 evaluation.samples=2 stability.reference=false recorder=off output_dir=$(REAL_RUN)
	$(REAL_EVAL) model=custom model.path=$(REAL_RUN) output_dir=$(REAL)/after-$(REAL_STEPS)
	$(if $(MATH),$(MATH_EVAL) model=custom model.path=$(REAL_RUN) output_dir=$(REAL)/$(MATH_NAME)-after-$(REAL_STEPS))
	@for each in $(REAL_TABLES); do echo "$$each"; cat $(REAL)/$$each/table.md; done

test: $(DEV_STAMP)  ## the fast tests
	$(BIN)/python -m pytest -n $(WORKERS)

test-slow: $(SLOW_STAMP)  ## minutes to hours: throughput, coverage, long runs, every command of the pages and examples
	$(BIN)/python -m pytest -m slow -n $(WORKERS)

check: $(DEV_STAMP)  ## what must pass before a commit
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m pytest -n $(WORKERS)

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

second-edition: $(DEV_STAMP)  ## the comparison of docs/decisions/second-edition-plan.md: its sum of core hours first, then its sweeps, resumable
	$(BIN)/python -m benchmarks.second_edition

comparison: $(DEV_STAMP)  ## docs/results/compare.md: 200 runs, under an hour on two idle cores, resumable
	$(BIN)/tvo train -m experiment=stability_small
	$(BIN)/tvo compare outputs/stability_small --out docs/results/compare

docs: $(DEV_STAMP)  ## docs/algorithms.md, modules.md, papers.md, commands-not-run.md and conf/schema/, from yamls, docstrings, pages and declarations
	$(BIN)/python -m tests.module_table > docs/modules.md
	$(BIN)/python -m tests.paper_table > docs/papers.md
	$(BIN)/python -m tests.pages.not_run > docs/commands-not-run.md
	$(BIN)/python -m tvo_cli list algorithms --page > docs/algorithms.md
	for group in conf/schema/*.json; do $(BIN)/python -m tvo_cli list $$(basename $$group .json) --schema > $$group; done

SPHINX = $(BIN)/python -m sphinx --quiet --fresh-env --keep-going --fail-on-warning -c website docs
site: $(SITE_STAMP)  ## the site, from docs/ into outputs/site; a broken link or anchor is an error
	$(SPHINX) -b html outputs/site

site-links: $(SITE_STAMP)  ## whether the addresses of others that the pages name still answer; needs a network
	$(SPHINX) -b linkcheck outputs/site-links

dist: $(DEV_STAMP)  ## wheel and source package, in dist/
	rm -rf dist && $(BIN)/python -m build --outdir dist .

# For another Python or processor: make gpu-wheels GPU_PYTHON=3.13 GPU_PLATFORM=aarch64; MORE names further packages.
GPU_WHEELS := outputs/gpu-wheels
GPU_PYTHON ?= 3.12
GPU_PLATFORM ?= x86_64
gpu-wheels: .venv/bin/python  ## wheels for benchmarks.gpu on a Linux machine without a network (benchmarks/README.md)
	rm -rf $(GPU_WHEELS)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(GPU_WHEELS) --constraint $(LOCK) antlr4-python3-runtime
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version $(GPU_PYTHON) \
	  $(foreach glibc,2_28 2_27 2_24 2_17,--platform manylinux_$(glibc)_$(GPU_PLATFORM)) --platform manylinux2014_$(GPU_PLATFORM) \
	  --find-links $(GPU_WHEELS) --dest $(GPU_WHEELS) --constraint $(LOCK) --requirement requirements/gpu.txt $(MORE)
	du -sh $(GPU_WHEELS)

lock: $(UV)  ## requirements/lock.txt anew: the newest releases that pyproject.toml and requirements/held.txt allow
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --custom-compile-command 'make lock' \
	  --constraint requirements/held.txt $(LOCKED:%=--extra %) --output-file $(LOCK) pyproject.toml requirements/installers.txt

test-newest: .venv-newest/bin/python  ## the fast tests with the newest releases that pyproject.toml allows
	$(call install,.venv-newest,--upgrade --upgrade-strategy eager --editable '$(PACKAGE)')
	.venv-newest/bin/python -m pip freeze --exclude-editable > .venv-newest/versions.txt
	.venv-newest/bin/python -m pytest -n $(WORKERS)

test-oldest: .venv-oldest/bin/python $(UV)  ## the fast tests with the oldest releases that pyproject.toml allows
	$(UV) pip compile --quiet --upgrade --resolution lowest-direct --python .venv-oldest/bin/python --no-annotate --no-header \
	  $(TESTED:%=--extra %) --output-file .venv-oldest/oldest.txt pyproject.toml
	$(call install,.venv-oldest,--constraint .venv-oldest/oldest.txt --editable '$(PACKAGE)')
	.venv-oldest/bin/python -m pip freeze --exclude-editable > .venv-oldest/versions.txt
	.venv-oldest/bin/python -m pytest -n $(WORKERS)

$(UV): $(LOCK)
	$(PYTHON) -m venv .venv-uv
	$(call install,.venv-uv,--constraint $(LOCK) uv)
	touch $@

.venv/bin/python .venv-newest/bin/python .venv-oldest/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("tvo needs Python 3.11 or newer; try: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(@:/bin/python=)

$(STAMP): .venv/bin/python pyproject.toml $(LOCK)
	$(call install,.venv,--constraint $(LOCK) --editable .)
	touch $@

$(REAL_STAMP): .venv/bin/python pyproject.toml $(LOCK)
	$(call install,.venv,--constraint $(LOCK) --editable '.[smollm2]')
	touch $@ $(STAMP)

$(DEV_STAMP): .venv/bin/python pyproject.toml $(LOCK)
	$(call install,.venv,--constraint $(LOCK) --editable '$(PACKAGE)')
	touch $@ $(STAMP)

$(SITE_STAMP): $(DEV_STAMP)
	$(call install,.venv,--constraint $(LOCK) --editable '.[docs]')
	touch $@

$(SLOW_STAMP): $(SITE_STAMP)
	$(call install,.venv,--constraint $(LOCK) --editable '.[bitsandbytes]')
	touch $@

clean:
	rm -rf .venv .venv-newest .venv-oldest .venv-uv .pytest_cache .mypy_cache .ruff_cache build dist
