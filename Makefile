# `make demo` and `make test` do all their set-up in .venv and reuse it.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first Python >= 3.11 on this machine; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Real photos are optional: tests and benchmarks that want them say so when they are missing.
ifeq ($(FREQLEARN_DATA),)
ifneq ($(wildcard ../shared/data),)
export FREQLEARN_DATA := $(abspath ../shared/data)
endif
endif

SOURCES := pyproject.toml CMakeLists.txt $(wildcard freqlearn/csrc/*)
INSTALLED := $(VENV)/.installed

# How long to fuzz, and with which random numbers.
SECONDS := 30
SEED := 0

.PHONY: help install demo test check lint types fuzz libfuzzer tsan bench format clean

help:
	@echo "make demo    plant channels in JPEG files, find them again, train with them (3 to 4 minutes)"
	@echo "make test    lint, types, tests and fuzzing (about 12 minutes on 2 cores)"
	@echo "make lint    ruff and mypy --strict"
	@echo "make fuzz    damaged JPEG files, random plans and pictures, under ASan and UBSan; SECONDS=600 SEED=1 for longer and others"
	@echo "make libfuzzer  the same with clang's libFuzzer, which learns from coverage"
	@echo "make tsan    batches on several threads under TSan"
	@echo "make bench   benchmarks; with real photos if FREQLEARN_DATA names a folder of them"
	@echo "make format  rewrite the sources as ruff wants them"
	@echo "make clean   remove .venv and what was built"

install: $(INSTALLED)

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "freqlearn needs Python 3.11 or newer: install it, or name it with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not make a virtual environment: on Debian and Ubuntu install python3-venv."; exit 1; }

$(INSTALLED): $(VENV)/bin/python $(SOURCES)
	@command -v "$${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || \
	  { echo "freqlearn needs a C++20 compiler (g++ >= 11 or clang >= 14): install one, for instance with 'apt-get install g++'."; exit 1; }
	@echo "Installing freqlearn and its dependencies into $(VENV) (the first time about 6 GB and a few minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/freqlearn demo

# pytest last, so that its count is what one sees at the end.
test: lint fuzz tsan check

check: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

lint: $(INSTALLED) types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/python tools/typecheck.py

fuzz: $(INSTALLED)
	tests/fuzz/run.sh mutations $(SECONDS) $(SEED)

libfuzzer: $(INSTALLED)
	tests/fuzz/run.sh libfuzzer $(SECONDS)

tsan: $(INSTALLED)
	TSAN_OPTIONS=halt_on_error=1 $$(tests/native/build.sh tsan batch_tsan) tests/assets/*.jpg

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .types
