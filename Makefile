# Two commands do everything: `make lab` opens the workbook, `make test` runs the whole test suite.

PYTHON ?= python3
BIN := .venv/bin
LAB_FLAGS := --ServerApp.root_dir=. --LabApp.news_url=None \
	--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate
ifdef NO_BROWSER
LAB_FLAGS += --no-browser
endif
ifeq ($(shell id -u),0)
LAB_FLAGS += --allow-root
endif

.PHONY: lab test test-browser notebooks lint format environment.yml constraints doctor clean help

help:           ## this list
	@grep -E '^[a-z.-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

lab: .venv-lab  ## the workbook in JupyterLab (NO_BROWSER=1 prints the address instead of opening it)
	@$(BIN)/facelab doctor --brief
	$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/00_start_here.ipynb

# Test processes, or a kernel and a browser, share the cores: more threads only get in each other's way.
test test-browser: export OMP_NUM_THREADS = 1
test: lint ## the whole test suite, every notebook included
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser" tests
	$(BIN)/pytest -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout=120 -p no:cacheprovider notebooks

test-browser: .venv-dev ## the widgets in a real Chromium
	$(BIN)/pytest -m browser tests/browser -s

notebooks: .venv-dev ## build, run and store every notebook from notebooks/lessons/
	$(BIN)/python tools/notebooks.py

lint: .venv-dev ## ruff, and mypy over the library
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: .venv-dev ## ruff, putting right what it can
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

environment.yml: .venv-dev ## the conda environment, from pyproject.toml
	$(BIN)/python tools/conda.py

constraints: .venv-dev ## constraints.txt, from what is installed here
	$(BIN)/python tools/constraints.py

doctor: .venv-lab ## what is here, what is missing, and the command that mends it
	$(BIN)/facelab doctor

clean:          ## the environment and caches (the notebooks and data stay)
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis

.PHONY: .venv-lab .venv-dev
.venv-lab .venv-dev: .venv-%:
	@$(PYTHON) tools/setup.py $*
