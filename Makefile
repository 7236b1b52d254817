# make distill    distil a language model and write a report
# make lab        open your own copies of the chapters in Jupyter
# make book       make the website of the book
# make pdf        print it as a PDF, with Chromium
# make test       run all tests, every notebook included
# make test-fast  run those that need no notebook, no browser and no whole run
# make lint       check style, types and spelling
# make tidy       mend what ruff can mend
# make pairs      check that each notebook is its source's
# make setup      install everything
# Each sets up .venv first with what it needs, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.DEFAULT_GOAL := help
.PHONY: help setup distill lab book pdf test test-fast lint tidy pairs

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

# What is installed: the package alone, with the book, or all.
PACKAGE := $(VENV)/.package
BOOK := $(VENV)/.book
ALL := $(VENV)/.all
INSTALL = $(BIN)/python -m pip install --constraint constraints.txt --editable

setup: $(ALL)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(PACKAGE): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.'
	touch $@

$(BOOK): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[book]'
	touch $(PACKAGE) $@

$(ALL): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[all]'
	touch $(PACKAGE) $(BOOK) $@

# A run that was stopped goes on; a finished one shows its report again.
distill: $(PACKAGE)
	$(BIN)/kdlib distill pocket $(if $(wildcard runs/pocket/state.json),--resume)

# As kdlib/machine/waiting.py does, which comes too late where a notebook imports torch first.
lab: export GOMP_SPINCOUNT ?= 3000
# Copies without outputs, which would answer the questions; what you have worked on stays.
lab: $(BOOK)
	$(BIN)/kdlib start mine --add
	$(BIN)/jupyter lab mine

book: $(BOOK)
	$(BIN)/python chapters/book.py

pdf: $(BOOK)
	$(BIN)/python chapters/book.py --pdf

test: $(ALL)
	$(BIN)/python -m pytest

test-fast: $(ALL)
	$(BIN)/python -m pytest -m "not slow"

lint: $(ALL)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell *.md *.cff *.yml .github chapters kdlib tests

tidy: $(ALL)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pairs: $(BOOK)
	$(BIN)/python chapters/build.py --check
