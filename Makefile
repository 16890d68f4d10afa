# Everything a contributor runs, on any machine that has Python 3.11 or newer (with venv), make and git.
# `make` alone lists the targets. Another Python: `make test PYTHON=python3.13`.

PYTHON ?= python3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Nothing of the caller's own set-up reaches a demo or a test: not their Ansible settings, not their API key, and not the
# repository that a git hook is at work in.
unexport $(filter ANSIBLE_% CLAWHOSTERS_% PYTHONPATH PYTHONHOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE,$(.VARIABLES))

# ---- Where things are made. All of it is ignored by git and removed by `make clean`.

# Tools only take a collection for one in a folder ansible_collections/NAMESPACE/NAME. There are two of those:
#   build/live   a link to this folder, for all that runs the collection: edits are live, nothing is copied.
#   build/ansible_collections   a copy of what git would commit, for the tools that follow no link (ansible-test,
#                antsibull-docs) or must not see anything else (the tarball).
LIVE := build/live/ansible_collections/clawhosters/cloud
COPY := build/ansible_collections/clawhosters/cloud

# CORE=2.18 takes this ansible-core instead of the newest that the Python can run, in an environment of its own.
# CORE=lowest takes the lowest versions that the collection promises, of ansible-core, requests and urllib3.
CORE ?=
VENV := $(if $(CORE),build/matrix/$(CORE),.venv)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
DEMO_READY := $(VENV)/demo-$(VERSION).stamp
DEV_READY := $(VENV)/dev-$(VERSION).stamp
BENCH_VENV := build/bench-venv
BENCH_READY := $(BENCH_VENV)/bench-$(VERSION).stamp
MUTATION_VENV := build/mutation-venv
MUTATION_READY := $(MUTATION_VENV)/mutation-$(VERSION).stamp

# What runs sees the tools of the environment, the collection, and a home of its own: nothing is left in the caller's.
HOME_DIR := build/home
RUN := HOME="$(CURDIR)/$(HOME_DIR)" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/live"

# ---- For users

.PHONY: help
help: ## List the targets
	@echo 'make TARGET, where TARGET is one of:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F '|' '{ printf "%-14s%s\n", $$1, $$2 }'

.PHONY: setup
setup: live $(DEV_READY) ## Set all up for a contributor: the tools, and the checks before each commit
	@$(RUN) pre-commit install --install-hooks
	@printf 'Ready. The tools are in %s; make lists what they do.\n' '$(VENV)/bin'

.PHONY: demo
demo: live $(if $(wildcard $(DEV_READY)),$(DEV_READY),$(DEMO_READY)) ## Show the collection at work on a simulated service
	@$(RUN) examples/demo.sh

# Another port: make simulator PORT=9000
PORT ?= 8800
.PHONY: simulator
simulator: live $(if $(wildcard $(DEV_READY)),$(DEV_READY),$(DEMO_READY)) ## Serve a simulated account, to rehearse with
	@$(RUN) PYTHONPATH=tests python -m simulator --port $(PORT) --verbose

# ---- For contributors

# Two things at a time, since they wait for different things; sanity is the longest of the checks, so it comes first.
.PHONY: test
test: live copy $(DEV_READY) ## Run every check that a change must pass
	@$(RUN) python tests/parts.py "unit integration" "sanity lint docs lowest"
	@printf '\nEverything passed.\n'

.PHONY: check
check: live $(DEV_READY) ## Before each commit: format, lint, types, unit tests, and some real commands
	@$(RUN) python tests/parts.py "style unit" "slice"

.PHONY: test-all
test-all: live copy $(DEV_READY) ## Run what takes longer, on top of `make test`
	@$(RUN) python tests/parts.py "crash fault-matrix fuzz build"

# Debian 12's own Python, the oldest that users have; where it is missing, the nearest.
OLDEST_PYTHON := $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3.11) $(PYTHON))

# Another part of it: make test-matrix MATRIX=2.20:python3.13
MATRIX := lowest:$(OLDEST_PYTHON) 2.18:python3.11 2.19:python3.11 2.20:python3.13 2.21:python3.13
.PHONY: test-matrix
test-matrix: ## Run the tests on each supported ansible-core (about 50 minutes)
	@failed=; for pair in $(MATRIX); do \
		printf '\n==> ansible-core %s on %s\n' "$${pair%:*}" "$${pair#*:}"; \
		$(MAKE) sanity unit integration CORE="$${pair%:*}" PYTHON="$${pair#*:}" || failed="$$failed $$pair"; \
	done; \
	for pair in $(MATRIX); do \
		case " $$failed " in *" $$pair "*) outcome=FAILED ;; *) outcome=passed ;; esac; \
		printf '%-10s %-12s %s\n' "$${pair%:*}" "$${pair#*:}" "$$outcome"; \
	done; \
	[ -z "$$failed" ]

heading = @printf '\n==> %s\n' '$(1)'

.PHONY: style
style: live $(DEV_READY) ## Check format, style and types
	$(call heading,Format: ruff format)
	@$(RUN) ruff format --check .
	$(call heading,Lint: ruff)
	@$(RUN) ruff check .
	$(call heading,Types: mypy)
	@$(RUN) mypy
	$(call heading,YAML: yamllint)
	@$(RUN) yamllint --strict .

.PHONY: lint
lint: copy style ## Check format, style, types, docs and changelog
	$(call heading,Ansible content: ansible-lint)
	@$(RUN) ansible-lint --offline --strict
	$(call heading,Changelog: antsibull-changelog)
	@$(RUN) antsibull-changelog lint
	$(call heading,Documentation: antsibull-docs)
	@cd $(COPY) && $(RUN) antsibull-docs lint-collection-docs --plugin-docs .

.PHONY: sanity
sanity: live copy $(DEV_READY) ## Run ansible-test sanity (the first time: a minute or two)
	$(call heading,Sanity: ansible-test)
	@cd $(COPY) && $(RUN) python tests/sanity/run.py

# ARGS goes to pytest: make unit ARGS='-k budget -x'; make integration ARGS=tests/integration/test_fleet.py
pytest_arguments = $(if $(filter tests/%,$(ARGS)),,$(1)) $(ARGS)
.PHONY: unit
unit: live $(DEV_READY) ## Run the unit tests
	$(call heading,Unit tests: pytest)
	@$(RUN) python -m pytest $(call pytest_arguments,tests/unit)

.PHONY: integration
integration: live $(DEV_READY) ## Run the tests over real HTTP against the simulator
	$(call heading,Integration tests: pytest)
	@$(RUN) python -m pytest -n 5 --dist loadgroup --no-loadscope-reorder $(call pytest_arguments,tests/integration)

# Some real commands of each kind, over HTTP; see the marker in pyproject.toml.
.PHONY: slice
slice: live $(DEV_READY)
	$(call heading,Some of the integration tests: pytest)
	@$(RUN) python -m pytest -n 2 --dist loadgroup --failed-first -m slice tests/integration $(ARGS)

# A part of the row of the matrix; the whole of it is make test-matrix MATRIX=lowest:python3.11
.PHONY: lowest
lowest: ## Run a part of the tests with the lowest versions that the collection promises
	@$(OLDEST_PYTHON) -c 'import sys; sys.exit(sys.version_info[:3] != (3, 11, 2))' || \
		printf '\nThe Python 3.11.2 of Debian 12 is not here; the nearest is taken: %s\n' "$$($(OLDEST_PYTHON) --version)"
	@$(MAKE) unit CORE=lowest PYTHON=$(OLDEST_PYTHON)
	@$(MAKE) slice CORE=lowest PYTHON=$(OLDEST_PYTHON) ARGS="-k 'command or test_client'"

# Too long for every day: `make integration` judges a share of the cells, and kills a few runs.
.PHONY: fault-matrix
fault-matrix: live $(DEV_READY) ## Hold every module against every fault on every request: all cells, for some minutes
	$(call heading,Fault matrix: pytest)
	@$(RUN) python -m pytest -n 2 tests/integration/test_fault_matrix.py --all-cells $(ARGS)

# What `make integration` does with a few examples, with many.
.PHONY: fuzz
fuzz: live $(DEV_READY) ## Give the modules and the simulator arbitrary input, for some minutes
	$(call heading,Arbitrary input: pytest)
	@$(RUN) python -m pytest -n 2 tests/integration/test_every_module.py tests/integration/test_simulator_contract.py \
		-k 'any_json or fuzzer' --all-cells $(ARGS)

.PHONY: crash
crash: live $(DEV_READY) ## Kill runs at fifty moments of each kind and run them again, for some minutes
	$(call heading,Crashes: pytest)
	@$(RUN) python -m pytest -n 2 tests/integration/test_crash.py --kills 50 $(ARGS)

# The tests may fail where measuring makes them too slow; the figures are shown all the same.
.PHONY: coverage
coverage: live $(DEV_READY) ## Measure what the tests run of the plugins, in all their processes (ARGS as for unit)
	$(call heading,Coverage: pytest)
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(RUN) $(MEASURE) COVERAGE_PROCESS_START="$(CURDIR)/pyproject.toml" \
		python -m pytest -n 2 $(or $(TESTS),tests/unit tests/integration) $(ARGS); failed=$$?; \
	$(RUN) $(MEASURE) coverage combine --quiet && $(RUN) $(MEASURE) coverage report && exit $$failed
MEASURE := COVERAGE_ROOT="$(CURDIR)"

# ARGS names files of module_utils, and how long it may take: make mutation ARGS='_http/pagination _rate/headers --minutes 10'
.PHONY: mutation
mutation: live copy $(DEV_READY) $(MUTATION_READY) ## Change the code in small ways, and show what no test notices
	$(call heading,Mutation: cosmic-ray)
	@$(RUN) PYTHONPATH=tests $(MUTATION_VENV)/bin/python -m mutation $(ARGS)

.PHONY: docs
docs: live $(DEV_READY) ## Make the site of the documentation, in build/docs/html
	$(call heading,Documentation: Sphinx)
	@$(RUN) python docs/build.py build/docs

.PHONY: pictures
pictures: live $(DEV_READY) ## Take the pictures of the README anew, from a run of the demo (needs a Chromium)
	@$(RUN) python docs/pictures.py

# ARGS names rows, and how often each is run: make bench ARGS='inventory runs=1'
.PHONY: bench
bench: live $(BENCH_READY) ## Measure it beside hetzner.hcloud and vultr.cloud (about half an hour)
	@$(RUN) PYTHONPATH=tests $(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

.PHONY: format
format: live $(DEV_READY) ## Put the code into its format, and fix what ruff can fix
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

# ARGS goes to uv: make lock ARGS=--upgrade
# ansible-galaxy of ansible-core 2.18 refuses the newest resolvelib.
.PHONY: lock
lock: $(DEV_READY) ## Pin the requirements anew (ARGS=--upgrade for the newest)
	@for name in demo dev uv bench mutation; do \
		$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) $(ARGS) --python-version 3.11 "requirements/$$name.in" \
			--output-file "requirements/$$name.txt" || exit; \
	done
	@for pair in $(MATRIX); do \
		case "$${pair%:*}" in \
			lowest) pins='ansible-core==2.18.0 requests==2.28.1 urllib3==1.26.12 charset-normalizer<3 resolvelib<1.1' ;; \
			2.18) pins='ansible-core==2.18.* resolvelib<1.1' ;; \
			*) pins="ansible-core==$${pair%:*}.*" ;; \
		esac; \
		printf '%s\n' $$pins | $(VENV)/bin/uv pip compile $(LOCK_OPTIONS) $(ARGS) --no-deps --python-version "$${pair##*python}" - \
			--output-file "requirements/core-$${pair%:*}.txt" || exit; \
	done
LOCK_OPTIONS := --quiet --no-config --universal --generate-hashes --no-header

.PHONY: build
build: live $(DEV_READY) ## Build the collection's archive into dist/, and let Galaxy's importer judge it
	$(call heading,Build: ansible-galaxy, and the importer of Galaxy (this takes a while))
	@rm -rf dist
	@$(RUN) PYTHONPATH=tests python -m support.archive dist

.PHONY: changelog
changelog: live $(DEV_READY) ## Turn the fragments into a release of galaxy.yml's version
	@$(RUN) antsibull-changelog release

.PHONY: clean
clean: ## Remove all that these targets made, the environment too
	rm -rf $(VENV) build dist collections .ansible .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f changelogs/.plugin-cache.yaml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- How it is done

# A link that is right is left alone: to replace it takes a file of another name, which a copy made meanwhile would meet.
# pytest-ansible would make a tree of links of its own, once, and miss what is added later; it takes this one instead.
.PHONY: live
live:
	@mkdir -p $(HOME_DIR) $(dir $(LIVE))
	@[ "$$(readlink $(LIVE))" = ../../../.. ] || ln -sfn ../../../.. $(LIVE)
	@[ -L collections ] || rm -rf collections
	@[ "$$(readlink collections)" = build/live ] || ln -sfn build/live collections

# A repository of its own: ansible-test asks git for the files, and finds none in a folder that an outer one ignores.
.PHONY: copy
copy:
	@[ -d $(COPY)/.git ] || git init --quiet --initial-branch=copy $(COPY)
	@git --git-dir=$(COPY)/.git --work-tree=. add --all
	@git -C $(COPY) checkout-index --all --force --quiet
	@git -C $(COPY) clean -ffdq

# uv installs in seconds what takes pip a minute; where there is no uv, pip does it.
PIP := -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
install = UV_CACHE_DIR=build/uv $(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --require-hashes $(1) \
	|| $(@D)/bin/python $(PIP) $(1)

# A change of the pins, or of the Python, makes the environment anew. The stamp is written last: a broken-off install has none.
$(DEMO_READY): requirements/demo.txt
$(DEV_READY): requirements/dev.txt $(CORE:%=requirements/core-%.txt)
$(BENCH_READY): requirements/bench.txt
$(MUTATION_READY): requirements/mutation.txt
$(DEMO_READY) $(DEV_READY) $(BENCH_READY) $(MUTATION_READY):
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "PYTHON=$(PYTHON) is not a Python 3.11 or newer with venv (Debian: python3-venv). Name one: make PYTHON=python3.13" >&2; \
		exit 1; }
	@[ ! -L $(@D) ] || { echo '$(@D) is a link to another environment, which would be emptied.' >&2; exit 1; }
	@echo 'Setting up $(@D) with the versions of $< (Python $(VERSION)) ...'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python $(PIP) --requirement requirements/uv.txt || true
	@$(call install,--requirement $<)
	@$(if $(CORE),$(call install,--no-deps --requirement requirements/core-$(CORE).txt))
	@touch $@
