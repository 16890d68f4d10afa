# All commands for contributors: `make` lists them. Needs Python 3.11 or newer (with venv), make and git.
# Another Python: make test PYTHON=python3.13. Another ansible-core, in an environment of its own: make unit CORE=2.18,
# CORE=lowest (and the lowest versions of requests, urllib3 and psycopg), CORE=next (the newest pre-release).
PYTHON ?= python3
CORE ?=

.DEFAULT_GOAL := help
# No target is a file, but for those of environments.
.PHONY: $(shell sed -n 's/^\([a-z][a-z -]*\):.*/\1/p' Makefile)
MAKEFLAGS += --no-print-directory

# Isolates demo and tests from the caller's environment: Ansible settings, API key, and the repository of a git hook.
unexport $(filter ANSIBLE_% CLAWHOSTERS_% PYTHONPATH PYTHONHOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE,$(.VARIABLES))
# Containers often set this. Each of thousands of processes would then compile all its modules, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

# Tools require a collection to be in a folder ansible_collections/NAMESPACE/NAME: LIVE is a link to this folder, and
# COPY has the files that git would commit, for tools that follow no links (ansible-test, antsibull-docs).
LIVE := build/live/ansible_collections/clawhosters/cloud
COPY := build/ansible_collections/clawhosters/cloud
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := $(if $(CORE),build/matrix/$(CORE)-$(VERSION),.venv)
DEV := $(VENV)/dev-$(VERSION).stamp
DEMO := $(or $(wildcard $(DEV)),$(VENV)/demo-$(VERSION).stamp)
BENCH := build/bench-venv/bench-$(VERSION).stamp

# Commands use the tools of the environment, the collection, and a separate home folder.
RUN := HOME="$(CURDIR)/build/home" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/live"
# Runs targets of this file, $(1) at a time in the given order. What each prints is shown whole at its end, except by the
# make of macOS. They share the copy that was made before them: two could not make it at once.
parts = $(MAKE) --keep-going --jobs=$(1) $(if $(filter output-sync,$(.FEATURES)),--output-sync) --old-file=copy $(2) || \
	{ printf '\nThe output of what failed ends with ***.\n' >&2; exit 1; }

demo: live $(DEMO) ## Show the collection with a simulated service
	@$(RUN) examples/demo.sh
simulator: live $(DEMO) ## Run the simulator, to rehearse playbooks (PORT=8800 PLAIN=1)
	@$(RUN) PYTHONPATH=tests python -m simulator --port $(or $(PORT),8800) --verbose $(if $(PLAIN),--plain)

setup: live $(DEV) ## Install the tools and the pre-commit hooks
	@$(RUN) pre-commit install --install-hooks

check: live $(DEV) ## Check before a commit: format, lint, types, unit tests and some real commands
	+@$(call parts,2,slice unit style)

test: live copy $(DEV) ## Run what each change must pass (some minutes)
	+@$(call parts,3,integration-quick unit lowest-quick lint docs sanity-quick)
	@printf '\nEverything passed.\n'

# Some of it: make test-all PARTS='build crash' KILLS=15. The first two leave the processors to others most of the time.
PARTS := mesh crash integration-rest fault-matrix fuzz database sanity targets lowest build
test-all: live copy $(DEV) ## Run the slower checks that make test omits (about half an hour)
	+@$(call parts,3,$(PARTS))

test-matrix: ## Run the tests on each installed pair of ansible-core and Python, or on MATRIX=2.20:python3.13
	+@.ci/matrix.sh $(MATRIX)

# ARGS goes to pytest: make unit ARGS='-k budget -x'; make integration ARGS=tests/integration/client
PYTEST := unit integration integration-quick integration-rest slice fault-matrix fuzz crash database
$(PYTEST): live $(DEV)
	@$(RUN) python -m pytest $(OPTIONS) $(if $(filter tests/%,$(ARGS)),,$(TESTS)) $(ARGS)
unit: TESTS = tests/unit ## Run the unit tests

# What is marked `rest` takes a second or more and varies what other tests hold; `slice` is a sample of all kinds.
# The quick ones wait less, and other parts of `make test` run beside them: four workers keep two processors busy.
MANY := -n 6 --dist loadgroup --no-loadscope-reorder
integration: OPTIONS = $(MANY) ## Run the tests over real HTTP against the simulator
integration-quick: OPTIONS = $(MANY) -n 4 -m 'not rest'
integration-rest: OPTIONS = $(MANY) -m 'rest and not fuzz' --deselect tests/integration/state/test_crash.py
integration integration-quick integration-rest slice: TESTS = tests/project tests/integration
slice: OPTIONS = -n 3 --dist loadgroup --failed-first -m slice

# A sixteenth of the cells: make fault-matrix CELLS="-k '[0-'"
fault-matrix: TESTS = tests/integration/modules/test_fault_matrix.py ## Test each fault on each request (some minutes)
fault-matrix: OPTIONS = -n 2 --dist worksteal --all-cells $(CELLS)
fuzz: TESTS = tests/integration/modules/test_every_module.py
fuzz: OPTIONS = -n 2 -m fuzz --examples $(or $(EXAMPLES),500) ## Test with random input (some minutes)
# Each run prints the seed of its random moments. The same moments again: make crash ARGS=--kill-seed=12345
crash: TESTS = $(patsubst %,tests/integration/state/test_%.py,crash two_incidents random_stops)
crash: OPTIONS = -n 2 --kills $(or $(KILLS),50) ## Kill runs at fifty points and run them again (some minutes)
database: TESTS = tests/database ## Test state_database with failovers and outages (some minutes)
database: OPTIONS = -n 2 --kills $(or $(KILLS),50)
mesh: live $(DEV) ## Lose nodes of a mesh during restores (as root, on Debian; some minutes)
	@$(RUN) PYTHONPATH=tests python -m mesh --seeds $(or $(SEEDS),2) $(ARGS)

OLDEST := $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3.11) $(PYTHON))
lowest: ## Run part of the tests with the lowest supported versions, on Debian 12's Python if it is installed
	@$(MAKE) unit slice CORE=lowest PYTHON=$(OLDEST)
lowest-quick:
	@$(MAKE) slice CORE=lowest PYTHON=$(OLDEST) ARGS='-n 0 tests/unit tests/integration tests/project'

# The quick one leaves out what other parts of `make test` check in less time, and the slow imports.
sanity-quick: SANITY = $(addprefix --skip-test ,ansible-doc changelog import pep8 pylint)
sanity: ## Run ansible-test sanity (a few minutes)
sanity sanity-quick: live copy $(DEV)
	@cd $(COPY) && $(RUN) python tests/sanity/run.py $(SANITY)
targets: live copy $(DEV) ## Run ansible-test integration (ARGS=claw_fleet for one module)
	@cd $(COPY) && $(RUN) ansible-test integration --local --python $(VERSION) --color no $(ARGS)

format: live $(DEV) ## Format the code, and fix what ruff can fix
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .
style: live $(DEV) ## Check format, style and types
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) yamllint --strict .

lint: copy style ## Check format, style, types, docs, changelog and workflows
	@$(RUN) PYTHONPATH=tests python -m support.stand_ins ansible-lint --offline --strict
	@$(RUN) antsibull-changelog lint
	@cd $(COPY) && $(RUN) antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	@$(RUN) zizmor --quiet --offline .github examples/fleet-in-git/fleet.yml

docs: live $(DEV) ## Build the documentation site in build/docs/html
	@$(RUN) python docs/build.py build/docs
build: live $(DEV) ## Build the archive in dist/, and run Galaxy's importer on it
	@rm -rf dist
	@$(RUN) PYTHONPATH=tests python -m project.archive dist

# A part of it: make bench ARGS='tasks runs=1'.
bench: live $(BENCH) ## Compare the cost with hetzner.hcloud and vultr.cloud (about half an hour)
	@$(RUN) PYTHONPATH=tests:build/live $(dir $(BENCH))bin/python -m benchmarks $(ARGS)

clean: ## Remove all generated files and the environments
	rm -rf $(VENV) build dist collections .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "make %-14s%s\n", $$1, $$2 }'

# Leaves a correct link unchanged: replacing it creates a temporary file, which a concurrent copy could pick up.
# The link `collections` is for pytest-ansible, whose own tree of links would miss files added later.
live:
	@mkdir -p build/home $(dir $(LIVE))
	@[ "$$(readlink $(LIVE))" = ../../../.. ] || ln -sfn ../../../.. $(LIVE)
	@[ "$$(readlink collections)" = build/live ] || { rm -rf collections && ln -s build/live collections; }

# A separate repository: ansible-test lists files with git, which finds none in a folder that this repository ignores.
copy:
	@git -c init.defaultBranch=copy init --quiet $(COPY)
	@git --git-dir=$(COPY)/.git --work-tree=. add --all
	@git -C $(COPY) checkout-index --all --force --quiet
	@git -C $(COPY) clean -ffdq

# Makes an environment anew after a change of its pins or the Python.
$(VENV)/demo-$(VERSION).stamp: requirements/demo.txt
$(DEV): requirements/dev.txt $(CORE:%=requirements/core-%.txt)
$(BENCH): requirements/bench.txt
%.stamp:
	@requirements/install.sh $(PYTHON) $(@D) $^
	@touch $@
