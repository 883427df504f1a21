# Everything below needs Python 3.11 or 3.12 and make; nothing else by hand.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: install run test lint test-system bench constraints clean

install: $(VENV)/.run
run: install
	$(BIN)/rustok-daemon run $(ARGS)

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not system" $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-system: $(VENV)/.test
	$(BIN)/python -m pytest -m system $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python -m bench $(ARGS)

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,bench]"
	touch $@

# Writes the pins anew from an environment that has every extra.
constraints: $(VENV)/.bench
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) dist build
