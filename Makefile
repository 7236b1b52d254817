# make distill    distil a language model and write a report
# make test       run the tests
# make lab        open the chapters in Jupyter
# make book       make the website of the book
# make pdf        print it as a PDF, with Chromium
# make lint       check style, types and spelling
# make tidy       mend what ruff can mend
# make pairs      check that each notebook is its source's
# Each sets up .venv first, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup distill test lab book pdf lint tidy pairs

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[all]'
	touch $@

# A run that was stopped goes on; a finished one shows its report again.
distill: $(STAMP)
	$(BIN)/kdlib distill pocket $(if $(wildcard runs/pocket/state.json),--resume)

test: $(STAMP)
	$(BIN)/python -m pytest

lab: $(STAMP)
	$(BIN)/jupyter lab chapters

book: $(STAMP)
	$(BIN)/python chapters/book.py

pdf: $(STAMP)
	$(BIN)/python chapters/book.py --pdf

lint: $(STAMP)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell *.md *.cff *.yml .github chapters kdlib tests

tidy: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pairs: $(STAMP)
	$(BIN)/python chapters/build.py --check
