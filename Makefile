# Everything installs itself: `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Where the CPU build of torch comes from, when no CUDA device is seen and pip does not already
# know a CPU build. Override it, or set it empty to let pip choose.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
export TORCH_INDEX
# One thread a process, two processes: the suite uses two cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: setup demo test variants check docs notebooks bench coverage ci clean lock help

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.core  ## Install the library in .venv

demo: $(VENV)/.core  ## Compare generative models on real digits and on a swiss roll
	@$(BIN)/ancestral demo --out runs/demo --overwrite

test: $(VENV)/.test $(VENV)/.system  ## Install what the tests need and run them
	$(PYTEST)

variants: $(VENV)/.test  ## Run what is promised to the last bit as on other processors
	scripts/variants.sh $(BIN)

check: $(VENV)/.dev  ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: $(VENV)/.docs  ## Build the site, in English and Spanish, in docs/_build
	$(BIN)/python scripts/build_docs.py

notebooks: $(VENV)/.core  ## A Jupyter notebook of each chapter of the book, in docs/_build/notebooks
	$(BIN)/python scripts/notebooks.py

bench: $(VENV)/.test  ## Compare with the peers, interleaved; JSON lines
	$(BIN)/python -m benchmarks

coverage: $(VENV)/.test $(VENV)/.system  ## The tests again, with the lines that none of them reaches
	$(PYTEST) --cov --cov-report=term

ci: check $(VENV)/.test $(VENV)/.system  ## All checks, the tests, the site
	$(PYTEST)
	$(MAKE) variants
	$(MAKE) docs

lock:  ## Pin every dependency anew in constraints.txt
	scripts/lock.sh

clean:  ## Remove what was built, not your runs
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache .hypothesis .coverage* htmlcov

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt scripts/install.sh | $(VENV)/bin/python
	scripts/install.sh $(BIN) ".[text]"
	@touch $@

$(VENV)/.test: $(VENV)/.core
	scripts/install.sh $(BIN) ".[test]"
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	scripts/install.sh $(BIN) ".[dev]"
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	scripts/install.sh $(BIN) ".[docs]"
	@touch $@

# Real data and programs that some tests use; without them those tests skip, saying so.
$(VENV)/.system: scripts/system.sh | $(VENV)/bin/python
	scripts/system.sh
	@touch $@
