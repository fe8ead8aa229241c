# On a fresh Debian 12 as root each target does all its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3 /usr/bin/python3; do \
  $$each -c '$(USABLE)' 2>/dev/null && { echo $$each; break; }; done)
STAMP := $(VENV)/.installed-for
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where no locale is set, Java takes file names for ASCII.
export LC_ALL := C.UTF-8

MVN := mvn -q -B --no-transfer-progress

.PHONY: help demo test lint groovy unit steps bench clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## The whole gate on real servers, on loopback (KEEP=1 leaves them running)
	$(VENV)/bin/python -m demo $(if $(KEEP),--keep)

test: lint groovy $(STAMP) ## Everything that CI runs: lint, types, unit and integration tests
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, mypy --strict, CodeNarc
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy --strict lab demo bench
	$(VENV)/bin/python -m lab.packages mvn javac
	$(MVN) -f tests/groovy/lint exec:java

groovy: $(STAMP) ## The Jenkins library on JenkinsPipelineUnit, and the harness that the integration tests run it on
	$(VENV)/bin/python -m lab.packages mvn javac
	$(MVN) -f tests/groovy package

unit: $(STAMP) ## Only the fast tests
	$(VENV)/bin/python -m pytest -q tests/unit

steps: $(STAMP) ## Write the Jenkins library's help and tables anew, from the catalogue of steps
	$(VENV)/bin/python -m imagegate.jenkins.render

bench: $(STAMP) ## Times and memory beside the peers; writes bench/results.json
	$(VENV)/bin/python -m bench

$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	  if [ "$$(id -u)" != 0 ]; then echo "python3 (3.11 or newer) with venv is missing; install python3-venv" >&2; exit 1; fi; \
	  echo "installing Debian packages: python3 python3-venv"; \
	  apt-get update -q >/dev/null; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3 python3-venv >/dev/null; \
	fi
	@test -x $(VENV)/bin/pip || $(or $(PYTHON),/usr/bin/python3) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	@touch $@

clean: ## Remove what the other targets made
	rm -rf $(VENV) tests/groovy/target .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
