# Everything a developer types. A fresh machine needs Python 3.11 (with venv), make, and an index that pip can reach.
#
#   make backtest   install, generate three days if there are none, run both strategies that ship, say where the reports are
#   make test       the fast tests             make check   lint, types and the slow tests
#   make format     rewrite the sources        make lock    resolve the dependencies anew (UPGRADE=1: to the newest versions)
#   make lint       ruff                       make types   mypy
#   make soak       the tests that take hours  make clean   remove what can be made again; data/ and results/ stay
#   make cluster-test   `ray up` on hosts made of namespaces; needs root, iproute2, openssh-server and rsync, else says what is missing

PYTHON  ?= $(shell command -v python3.11 || command -v python3)
STORE   ?= data/store
RESULTS ?= results

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --no-input
# The versions come from a lock and every file is checked against its hash. The project itself is installed with the locked
# setuptools: a build in isolation would fetch one that nobody checked.
INSTALL = $(PIP) install --quiet --require-hashes --requirement $< && $(PIP) install --quiet --no-deps --no-build-isolation --editable .

.DELETE_ON_ERROR:
.PHONY: backtest test check cluster-test soak lint types format lock clean

backtest: $(VENV)/runtime
	@if [ -e $(STORE)/generating ] || [ -z "$$(find $(STORE) -name '*.h5' -print -quit 2>/dev/null)" ]; then \
	  mkdir -p $(STORE) && touch $(STORE)/generating && echo "no stored days in $(STORE): generating three" \
	  && $(BIN)/astrarium data synth --symbol BTCUSDT --days 3 --events 1000000 --seed 1 --store $(STORE) \
	  && rm $(STORE)/generating; fi
	@for graph in market_maker bollinger; do \
	  $(BIN)/astrarium backtest strategies/$$graph.toml --store $(STORE) --results $(RESULTS) || exit; done

test: $(VENV)/dev
	@$(BIN)/pytest

check: lint types
	@$(BIN)/pytest -m slow

cluster-test: $(VENV)/dev
	@$(BIN)/pytest -m cluster -rs

soak: $(VENV)/dev
	@$(BIN)/pytest -m soak

lint: $(VENV)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/dev
	@$(BIN)/mypy

format: $(VENV)/dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/where/it/is" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# Stamps: a lock is installed again only when it, or the project's own description, changed.
$(VENV)/runtime: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing from $< (a minute or two)"
	@$(INSTALL)
	@touch $@

$(VENV)/dev: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing from $< (a minute or two)"
	@$(INSTALL)
	@touch $@ $(VENV)/runtime

# The development lock is made first and bounds the other, so that tests run on the versions that users get. Nothing of the machine
# that made it (index, paths) gets in. pip-tools lives in a folder of its own and is needed for nothing else.
LOCK = $(VENV)-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --build-deps-for editable --strip-extras --no-header \
  --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(if $(UPGRADE),--upgrade)

lock:
	"$(PYTHON)" -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --disable-pip-version-check install --quiet pip-tools==7.6.2
	$(LOCK) --extra dev --extra cluster --output-file requirements-dev.txt pyproject.toml
	$(LOCK) --constraint requirements-dev.txt --output-file requirements.txt pyproject.toml
	$(LOCK) --constraint requirements-dev.txt --extra cluster --output-file requirements-cluster.txt pyproject.toml
	rm -r $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-lock build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
