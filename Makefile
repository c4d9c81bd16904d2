# `make help` lists what there is to make. Needs Python 3.11 or newer and nothing else: the set-up is made here.

PYTHON ?= python3
BUILD  ?= _build
PORT   ?= 8000
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SITE   := $(BUILD)/html

# What a page can depend on: the sum and the path of each file, whatever its name, and the addresses that the
# environment gives. The list is a file, so that to change, add or delete a source, or to publish elsewhere, is a change.
STATE := { find index.md _config.yml _toc.yml CITATION.cff requirements.txt book superpos vendor -type f \
             ! -path '*/__pycache__/*' ! -path '*/.*' ! -name '*.ipynb' -exec cksum {} + | LC_ALL=C sort; \
           echo "$(SITE_URL) $(REPOSITORY)"; }

export BOOK_CACHE = $(abspath $(BUILD))/cache
export PYTHONPATH = $(CURDIR)
export PYTHONHASHSEED = 0
export PYTHONNOUSERSITE = 1
export JUPYTER_PREFER_ENV_PATH = 1

.PHONY: help book pdf test lint ci lab serve fresh bench reproducible dist clean FORCE
.DELETE_ON_ERROR:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(SITE)/.built  ## build the book, and say where to open it
	@echo "The book is built: open $(SITE)/index.html"

pdf: $(BUILD)/superpos.pdf  ## print the whole book to one PDF, and offer it on the site (needs Chromium)

test: $(SITE)/.built  ## build the book and run every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lint: $(READY)  ## check formatting, lint and types, of the chapters' code too
	@$(BIN)/python scripts/lint.py

ci:  ## what CI runs: book and tests, in a clean clone on Debian, as root
	@bash .ci/run

lab: $(READY)  ## open the chapters as notebooks in JupyterLab
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" $(BIN)/jupyter lab --notebook-dir="$(CURDIR)" \
	    --LabApp.default_url=/lab/tree/book $(if $(filter 0,$(shell id -u)),--allow-root)

serve: $(SITE)/.built  ## serve the built book on this machine
	@echo "Open http://127.0.0.1:$(PORT)/ (stop with Ctrl+C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

fresh: $(SITE)/.built  ## run two downloaded notebooks, each in an environment that has what its first cell installs
	@$(BIN)/python scripts/fresh.py $(BUILD)

bench: $(READY)  ## time and peak memory, beside what one would write instead
	@$(BIN)/python -m benchmarks

reproducible: $(READY)  ## build twice from scratch and compare (takes two full builds)
	@$(BIN)/python scripts/check_reproducible.py

dist: $(READY)  ## source archive and wheel in dist/, with the addresses of book/site.yml (TAG=v1.2.3 checks the version)
	@$(BIN)/python scripts/dist.py dist $(TAG)

clean:  ## remove the build and the virtual environment
	@$(PYTHON) scripts/build.py --clean $(BUILD)
	@[ ! -e $(VENV) ] || [ -e $(VENV)/.superpos ] || [ -e $(READY) ] || \
	    { echo "superpos: VENV is $(VENV); make has not made it, so it is not removed" >&2; exit 2; }
	rm -rf $(VENV)

# The file .ready is written last and says where the environment was made: one that was moved or broken is made anew.
SOUND := $(shell [ "$$(cat $(READY) 2>/dev/null)" = "$(CURDIR)" ] && $(BIN)/python -c 'import pip, yaml' >/dev/null 2>&1 && echo yes)

$(READY): requirements.txt pyproject.toml $(if $(filter yes,$(SOUND)),,FORCE)
	@PYTHON="$(PYTHON)" VENV="$(VENV)" SOUND="$(SOUND)" sh scripts/setup.sh

# Built in a folder of its own, and put in the place of the last good site only when all of it is there.
$(SITE)/.built: $(READY) $(BUILD)/sources
	@$(BIN)/python scripts/build.py $(BUILD)

$(BUILD)/superpos.pdf: $(SITE)/.built scripts/pdf.py
	@$(BIN)/python scripts/pdf.py $(BUILD)

$(BUILD)/sources: FORCE
	@$(PYTHON) scripts/build.py --claim $(BUILD)
	@$(STATE) > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
