# make distill    distil a language model and write a report
# make test       run the tests
# make lab        open the chapters in Jupyter
# Each sets up .venv first, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup distill test lab

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
