# One door for everything; each target does first what it needs. On a fresh Debian or Ubuntu: make, python3 (3.11 or newer), python3-venv.

SHELL := /bin/bash
# The distribution's interpreter first: it is built with profile-guided optimisation, one built by hand mostly is not and
# then costs a quarter more CPU a call. It counts only where it is new enough and can make a virtual environment.
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' \
  2>/dev/null && echo $$python && exit; done; echo python3)
# B2BUA_COMPILE=1 in the environment: all of this with the core compiled, in a virtual environment of its own. Compiled
# modules beside the sources would hide them, so it is no editable installation, and is made anew when a source changes.
ifeq ($(B2BUA_COMPILE),1)
VENV := .venv-compiled
INSTALLED := '.[test,check]'
SOURCES := setup.py $(shell find b2bua plugins -name '*.py')
# What is installed stands before the checkout, which has the tests.
PYTEST = $(BIN)/pytest -o pythonpath="$$($(BIN)/python -P -c 'from sysconfig import get_path; print(get_path("platlib"))') ."
else
VENV := .venv
INSTALLED := --editable '.[test,check]'
PYTEST = $(BIN)/pytest
endif
BIN := $(VENV)/bin
SYSTEM_PACKAGES := sip-tester baresip-core libxml2-utils prometheus kamailio kamailio-tls-modules nftables iproute2 tmux tshark sngrep rtpengine-daemon

.DEFAULT_GOAL := help
.PHONY: help setup system demo run test check check-long fuzz mutants stateful drill bench bench-start bench-store overload soak interop constraints image

help:
	@echo "make setup    the virtual environment $(VENV), with $(BIN)/b2bua"
	@echo "              B2BUA_COMPILE=1 before this or another line: .venv-compiled, with the core compiled (gcc, some minutes)"
	@echo "make demo     two scripted phones: a call, hold, the lamp, resume; one line a step"
	@echo "make run      the server with its defaults (ARGS='--config FILE' adds options)"
	@echo "make test     all tests; installs what they need first"
	@echo "make check    ruff, mypy --strict, the import layers"
	@echo "make mutants  whether the tests notice whatever could be wrong in a table (a minute or two)"
	@echo "make fuzz     each fuzz target for FUZZ_SECONDS (10)"
	@echo "make drill    kill -9 at random moments under load, and a judge of what was acknowledged (ARGS='--kills 1000')"
	@echo "make stateful  two phones and a watcher do anything at any time on a bad network, thousands of runs"
	@echo "make check-long  what takes a minute or more: make fuzz mutants stateful"
	@echo "make soak     phones and SIPp call for SOAK_SECONDS (60) over bad networks; then nothing is left, everything adds up"
	@echo "make bench    the load table (make bench overload: twice and four times what a slow server can do)"
	@echo "make bench-start    how long a start takes with 10,000 bindings and 2,000 calls; writes the table in README.md"
	@echo "make bench-store    CPU and answers with SQLite beside memory; writes the table in README.md"
	@echo "make interop  every real client over each of its transports, JsSIP in a browser too; writes the table in README.md (as root)"
	@echo "make image    the container image, built without an engine, and a held call through it (as root, some minutes)"
	@echo "make constraints  looks up anew which files of which packages the image is made of, by hash"
	@echo "make system   the Debian packages that tests use (as root)"

setup: $(VENV)/.setup

$(VENV)/.setup: pyproject.toml $(SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -rf build/lib.* build/temp.* build/bdist.*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INSTALLED)
	@touch $@

# kamailio, prometheus and rtpengine-daemon come with services. Tests start their own on loopback, so nothing may start by itself: policy-rc.d
# refuses the start during the installation, and what was installed here is disabled for the next boot.
system:
	@missing=; for package in $(SYSTEM_PACKAGES); do \
	  dpkg -s $$package 2>/dev/null | grep -q '^Status: .* installed$$' || missing="$$missing $$package"; \
	done; \
	test -z "$$missing" && exit 0; \
	if test "$$(id -u)" != 0; then \
	  echo "as root: apt-get update && apt-get install -y --no-install-recommends$$missing" >&2; exit 2; \
	fi; \
	policy=/usr/sbin/policy-rc.d; \
	if ! test -e $$policy; then \
	  trap "rm -f $$policy" EXIT; trap 'exit 130' INT TERM; \
	  printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	apt-get update && apt-get install -y --no-install-recommends $$missing || exit 2; \
	if test -d /run/systemd/system; then \
	  for package in $$missing; do systemctl disable --now $$package.service 2>/dev/null || true; done; \
	fi

# Each table that decides something, with one thing wrong at a time: its tests must notice (tests/mutation).
mutants: setup
	$(BIN)/python -m pytest tests/mutation/every_table.py

demo: setup
	$(BIN)/python -P -m b2bua.phone.demo

run: setup
	$(BIN)/b2bua run $(ARGS)

# The core's tests are all CPU, those with real phones mostly wait: side by side, the phones' in three parts. Each part has a log
# in $(VENV), shown when it is over.
PHONES = $(wildcard tests/interop/test_*.py tests/restart/test_*.py tests/load/test_*.py)

test: system setup
ifdef ARGS
	$(PYTEST) $(ARGS)
else
	@parts="core 0 1 2"; running=; status=0; \
	for part in $$parts; do \
	  chosen="--ignore=tests/interop --ignore=tests/restart --ignore=tests/load"; \
	  test $$part = core || chosen=$$(printf '%s\n' $(PHONES) | awk "NR % 3 == $$part"); \
	  $(PYTEST) $$chosen > $(VENV)/test-$$part.log 2>&1 & running="$$running $$!"; \
	done; \
	trap 'kill $$running 2>/dev/null' INT TERM; \
	set -- $$running; \
	for part in $$parts; do \
	  wait $$1 || status=1; shift; \
	  cat $(VENV)/test-$$part.log; \
	done; exit $$status
endif

check: setup
	$(BIN)/ruff check b2bua plugins tests setup.py
	$(BIN)/mypy --strict b2bua plugins
	$(BIN)/python -m pytest -q tests/test_layers.py

check-long: fuzz mutants stateful

# Two phones and a watcher do anything at any time on a bad network, over each kind of link. A run that fails prints its seed.
stateful: setup
	$(BIN)/python -m pytest -q --hypothesis-profile=long tests/stateful

# The matrix of what goes on after a restart, whose table README.md gets; then sixty kills. A run that loses anything prints its
# seed and the ladders.
drill: system setup
	$(BIN)/python -m tests.restart.matrix
	$(BIN)/python -m tests.restart.drill $(ARGS)

FUZZ_SECONDS := 10

$(VENV)/.fuzz: $(VENV)/.setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

# The whole server on real sockets, through relays: over UDP one that loses, doubles and delays, over TCP one that delays and
# breaks connections. The end waits for every time-out, up to 100 s.
SOAK_SECONDS := 60

soak: system setup
	$(BIN)/python -m tests.soak.run --seconds $(SOAK_SECONDS) $(ARGS)

# `make bench` is the table, `make bench overload` that of a slow server.
bench: system setup
	@$(MAKE) --no-print-directory setup B2BUA_COMPILE=1
	$(BIN)/python tests/load/bench.py $(if $(filter overload,$(MAKECMDGOALS)),overload,table)
	$(if $(filter overload,$(MAKECMDGOALS)),,$(BIN)/python tests/load/bench.py table --scenario basic_call,register --pairs 1 --seconds 5)

overload: bench
	@:

# How long a start takes with 10,000 bindings and 2,000 calls; what SQLite costs beside memory. Both write their table into
# README.md, fail above their limits, and want a quiet machine.
bench-start: system setup
	@$(MAKE) --no-print-directory setup B2BUA_COMPILE=1
	$(BIN)/python tests/load/bench.py start --readme $(ARGS)

bench-store: system setup
	@$(MAKE) --no-print-directory setup B2BUA_COMPILE=1
	$(BIN)/python tests/load/bench.py store --readme $(ARGS)

# A browser is big, and not for every `make test`. In a namespace with nothing but loopback it finds no other network
# for its media. What npm brings stays in $(VENV); Debian's node and npm are taken where there are no others.
BROWSER := $(VENV)/browser
NPM_PACKAGES := jssip@3.13.8 playwright-core@1.55.0 esbuild@0.25.0

interop: SYSTEM_PACKAGES += chromium $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
interop: system setup $(BROWSER)/jssip.js
	rm -f $(VENV)/interop.record
	INTEROP_RECORD=$(abspath $(VENV))/interop.record BROWSER_PACKAGES=$(abspath $(BROWSER)) \
	  unshare --net sh -ec 'ip link set lo up; exec "$$@"' interop \
	  $(PYTEST) $(ARGS) tests/browser/jssip_calls.py tests/browser/jssip_relay.py tests/interop/matrix_calls.py \
	    tests/interop/challenge_calls.py tests/browser/console_views.py
	$(if $(ARGS),,$(BIN)/python -m tests.interop.matrix $(VENV)/interop.record)

$(BROWSER)/jssip.js: Makefile | system
	mkdir -p $(BROWSER)
	timeout 300 npm install --prefix $(BROWSER) --no-save --no-package-lock --no-audit --no-fund --ignore-scripts $(NPM_PACKAGES)
	$(BROWSER)/node_modules/.bin/esbuild $(BROWSER)/node_modules/jssip/lib/JsSIP.js --bundle --format=iife \
	  --global-name=JsSIP --log-level=warning --outfile=$@

# Which files of which packages the image is made of: looked up anew. `make setup` takes what pyproject.toml allows: the hashes
# are of wheels for the image's Python and machines, and would fail on any other.
constraints: setup
	$(BIN)/python -m tests.image.constraints

# The network namespace lets the image listen on its own ports, whoever has them outside.
image: SYSTEM_PACKAGES += buildah debootstrap iproute2
image: system setup
	$(BIN)/python -m tests.image.build
	unshare --net sh -ec 'ip link set lo up; exec $(BIN)/python -m pytest $(ARGS) tests/image/call_through.py'
