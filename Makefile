# Needs git, make and Python 3.11 or newer with venv and pip. `make` alone prints the commands.
.DEFAULT_GOAL := help
.PHONY: help demo quick test live ui check lint types layers docs bench packages setup lock chaos fuzz sbom release clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help: ## print these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

packages: $(VENV)/.packages ## install what the commands need into .venv
setup: $(VENV)/.installed ## install that and what tests, checks and docs need

$(VENV)/.packages: requirements.lock requirements-build.lock pyproject.toml
	$(call install,requirements.lock requirements-build.lock)
	@touch $@
# It holds the same versions of what the commands need.
$(VENV)/.installed: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.packages

# The first line is for a Python that cannot read the script.
define install
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 …")'
	@$(PYTHON) tools/install.py $(VENV) $(1)
endef

demo: packages ## run the main job on a small simulated market
	@$(BIN)/mystocks demo

ui: packages ## start the web UI and the daemon; make ui ARGS=--open opens the browser when it is ready
	@$(BIN)/mystocks ui $(ARGS)

quick: setup ## run the tests of every layer that start no process or server (one to two minutes)
	@$(BIN)/pytest --quick -p no:schemathesis -n 2 tests

test: setup ## run all tests except those of `make live`
	@$(BIN)/pytest --ignore=tests/daemon --ignore=tests/browser

live: setup ## run the long tests, with a real daemon and a real browser
	@$(BIN)/pytest tests/browser tests/daemon

check: lint types layers test live ## run all that CI runs

lint: setup ## check style and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup ## check types
	@$(BIN)/ty check mystocks_dagster

layers: setup ## check the import contracts: modules import from lower layers only
	@$(BIN)/lint-imports

docs: setup ## build the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Read it at http://127.0.0.1:8000:  $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"

bench: setup ## measure speed, as ratios to other programs that do the same
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file; done

lock: ## write the lock files again, without the name of the registry
	uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes pyproject.toml --all-extras -c requirements.lock -o requirements-servers.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group pyproject.toml:build -c requirements-dev.lock -o requirements-build.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group pyproject.toml:install -o requirements-uv.lock

chaos: setup ## a week of faults in HOURS=2, on STORAGE=postgres and LAKE=s3 or SQLite and a folder; the same again with SEED=…
	@PYTHONPATH=tests $(BIN)/python -m support.chaos --hours $(or $(HOURS),2) --storage $(or $(STORAGE),sqlite) --lake $(or $(LAKE),folder) $(if $(PAUSE),--pause $(PAUSE)) $(if $(SEED),--seed $(SEED))

fuzz: setup ## feed every reader with made-up input, for SECONDS=60 each
	@PYTHONPATH=tests $(BIN)/python -W ignore -m fuzz.fuzzer --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

sbom: setup ## write sbom.json, the bill of materials (CycloneDX) of the lock file
	@PYTHONPATH=tests $(BIN)/python -m support.sbom

release: setup ## build wheel and sdist into dist/ and check what is in them and that they install
	@rm -rf dist build
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@MYSTOCKS_TEST_DIST=$(CURDIR)/dist $(BIN)/pytest -n 0 tests/docs/test_release.py
	@ls -l dist

clean: ## remove the environment and caches (never data)
	rm -rf $(VENV) .pytest_cache .ruff_cache
