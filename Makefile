# Two commands do all the set-up: `make book` and `make test`. `make help` lists the rest.

PYTHON ?= python3
PIP_ARGS ?=    # for every pip call
TORCH_ARGS ?=  # for torch alone: PyTorch's install page names the options for your machine

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)
PORT ?= 8000

ifeq ($(OS),Windows_NT)
$(error Run this under WSL, the Linux inside Windows: this course needs Linux or macOS)
endif

.PHONY: help learn lab applications book serve test exercises checkpoints mutants new-exercise bench clean

help:  ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

learn: .venv/.learn  ## Set up what a learner needs: torch, Jupyter and the checks
	@echo "Ready: $$(du -sm .venv | cut -f1) MB in .venv. Next: make lab, or $(BIN)/nexttoken watch"

lab: .venv/.learn  ## Open JupyterLab on the exercises
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" $(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" $(firstword $(wildcard exercises/autoregression.ipynb exercises/*.ipynb))

applications: .venv/.applications  ## Install the vector database and the frameworks of chapter applications
	@echo "Ready: $$(du -sm .venv | cut -f1) MB in .venv. The pages and notebooks use them from now on."

book: .venv/.book  ## Build the whole site
	NEXTTOKEN_REFERENCE=1 OMP_NUM_THREADS=1 $(BIN)/jupyter-book build . -W -n --keep-going
	@echo
	@echo "The site is in _build/html: open _build/html/index.html, or run make serve."

serve:  ## Serve the built site on this machine
	@test -f _build/html/index.html || { echo "There is no site yet: make book"; exit 2; }
	@echo "http://localhost:$(PORT)  (Ctrl-C ends it)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# Three files of tests at once, also on two cores: they wait for kernels and browsers more than they compute.
test: .venv/.test book  ## Everything that CI runs
	@test -d solutions || { echo "make test needs the full repository: there is no solutions/ here"; exit 2; }
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	NEXTTOKEN_REFERENCE=1 $(BIN)/python -m pytest -q --doctest-modules src
	NEXTTOKEN_REFERENCE=1 $(BIN)/python -m pytest -q --nbval exercises
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile tests

exercises: .venv/.test  ## Store in the graded notebooks what the references print
	$(BIN)/python -m nexttoken.grading.storing

checkpoints: .venv/.learn  ## Train again what the course ships trained (20 minutes on two cores), or make checkpoints RECIPES="sizes family-0"
	$(BIN)/python -m nexttoken.lab.recipes $(RECIPES)

mutants: .venv/.learn  ## Try every blank, reference and wrong answer on the checks
	@$(BIN)/python -m nexttoken.grading.mutants

new-exercise: .venv/.test  ## Lay out a new exercise: make new-exercise NAME=chapter.name
	@$(BIN)/python -m nexttoken.grading.scaffold "$(NAME)"
	$(BIN)/python -m nexttoken.grading.storing "$(firstword $(subst ., ,$(NAME)))"

bench: .venv/.learn  ## Compare with other models, trainers and graders: make bench TEXT=/path/to/tiny_shakespeare.txt
	NEXTTOKEN_REFERENCE=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/nanogpt_size.py $(TEXT)
	NEXTTOKEN_REFERENCE=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/generation.py
	NEXTTOKEN_REFERENCE=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/rloo.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/rounds.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/grading.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/vector_databases.py

clean:  ## Remove the built site, not the environment
	rm -rf _build

# The environments: each stamp is as old as the last installation that it stands for.

.venv/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed. $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo not installed)."; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python comes without pip and venv (on Debian and Ubuntu: apt install python3-venv)."; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.learn: .venv/.venv pyproject.toml constraints.txt
	@echo "Installing torch, then Jupyter. The first time this downloads some hundred MB."
	$(PIP) $(TORCH_ARGS) torch
	$(PIP) --editable '.[learn]'
	@touch $@

.venv/.applications: .venv/.learn
	@echo "Installing a vector database, LangChain and Semantic Kernel: about 460 MB."
	$(PIP) --editable '.[applications]'
	@touch $@

.venv/.book: .venv/.learn
	@test -d solutions || { echo "make book needs the full repository: there is no solutions/ here"; exit 2; }
	$(PIP) --editable '.[book]'
	@touch $@

.venv/.test: .venv/.book .venv/.applications
	$(PIP) --editable '.[test]'
	@touch $@
