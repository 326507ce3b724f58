# Two commands do everything: `make lab` opens the workbook, `make test` runs the whole test suite.

PYTHON ?= python3
BIN := .venv/bin
LAB_FLAGS := --ServerApp.root_dir=. --LabApp.news_url=None \
	--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate
ifdef NO_BROWSER
LAB_FLAGS += --no-browser
endif
# LANG=ko on make's command line is the course's language; LANG of the environment, the system's, is left alone.
COURSE_LANG := en
ifeq ($(origin LANG),command line)
COURSE_LANG := $(LANG)
override LANG := C.UTF-8
export LANG
endif
COURSE_FOLDER := notebooks/$(if $(filter-out en,$(COURSE_LANG)),$(COURSE_LANG)/)
ifeq ($(shell id -u),0)
LAB_FLAGS += --allow-root
endif

.PHONY: lab demo slides test test-browser notebooks lint format environment.yml constraints doctor clean help

help:           ## this list
	@grep -E '^[a-z.-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

lab: .venv-lab  ## the workbook in JupyterLab (NO_BROWSER=1 prints the address instead of opening it; LANG=ko, LANG=ja)
	@$(BIN)/facelab doctor --brief
	@$(if $(filter-out en,$(COURSE_LANG)),$(BIN)/python tools/translations.py build $(COURSE_LANG) --missing)
	$(BIN)/jupyter lab $(LAB_FLAGS) --LabApp.default_url=/doc/tree/$(COURSE_FOLDER)00_start_here.ipynb

slides: .venv-dev ## the walk of each lesson as slides that open without a network, in slides/
	$(BIN)/python tools/slides.py

demo: .venv-lab ## every widget of the course as pages without code, for a projector or a fair (LANG=ko, LANG=ja)
	$(if $(filter-out en,$(COURSE_LANG)),FACELAB_LANG=$(COURSE_LANG)) $(BIN)/python -m facelab.course.demo $(if $(NO_BROWSER),--no-browser)

# Test processes, or a kernel and a browser, share the cores: more threads only get in each other's way.
test test-browser: export OMP_NUM_THREADS = 1
# Nobody's record of exercises is touched.
test test-browser notebooks: export FACELAB_COURSE = off
test: lint ## the whole test suite, every notebook included
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser" tests
	$(BIN)/pytest -n 2 --dist loadfile --nbval-lax --nbval-cell-timeout=120 -p no:cacheprovider \
		--ignore=notebooks/ko --ignore=notebooks/ja notebooks

test-browser: .venv-dev ## the widgets in a real Chromium, and how fast they answer (BROWSERS=2: two at a time)
	$(BIN)/pytest $(if $(BROWSERS),-n $(BROWSERS) --dist loadfile) -m browser tests/browser -s

notebooks: .venv-dev ## build, run and store every notebook from notebooks/lessons/ (LANG=ko: into notebooks/ko/)
	$(BIN)/python tools/notebooks.py --lang $(COURSE_LANG)

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
