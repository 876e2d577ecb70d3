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
# WHEEL=FILE: what somebody else has compiled of these sources, such as `make image`.
INSTALLED := '$(or $(WHEEL),.)[test,check]'
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
INTEROP_PACKAGES := chromium $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
IMAGE_PACKAGES := buildah debootstrap
BROWSER := $(VENV)/browser
NPM_PACKAGES := jssip@3.13.8 playwright-core@1.55.0 esbuild@0.25.0

.DEFAULT_GOAL := help
.PHONY: help setup system prepare demo run test again check check-long fuzz mutants stateful drill bench bench-start bench-store overload standing soak interop constraints image

help:
	@echo "make setup    the virtual environment $(VENV), with $(BIN)/b2bua"
	@echo "              B2BUA_COMPILE=1 before this or another line: .venv-compiled, with the core compiled (gcc, some minutes)"
	@echo "make demo     two scripted phones: a call, hold, the lamp, resume; one line a step"
	@echo "make run      the server with its defaults (ARGS='--config FILE' adds options)"
	@echo "make test     the tests in parts, side by side; installs what they need first (ARGS=FILES: those)"
	@echo "make again    what failed in the last make test or make interop, alone (as root; five tests at most)"
	@echo "make check    ruff, mypy --strict, the import layers"
	@echo "make mutants  whether the tests notice whatever could be wrong in a table or a state machine (some minutes)"
	@echo "make fuzz     each fuzz target for FUZZ_SECONDS (10)"
	@echo "make drill    kill -9 at random moments under load, and a judge of what was acknowledged (ARGS='--kills 1000')"
	@echo "make stateful  two phones and a watcher do anything at any time on a bad network, and what else is random: thousands of runs"
	@echo "make check-long  what takes a minute or more: make fuzz mutants stateful"
	@echo "make soak     phones and SIPp call for SOAK_SECONDS (60) over bad networks; then nothing is left, everything adds up"
	@echo "make bench    the load table (make bench overload: twice and four times what a slow server can do)"
	@echo "make bench-start    how long a start takes with 10,000 bindings and 2,000 calls; writes the table in README.md"
	@echo "make bench-store    CPU and answers with SQLite beside memory; writes the table in README.md"
	@echo "make standing  what calls that stand cost, the most calls a second, register and basic call: an hour, on a quiet machine"
	@echo "make interop  every real client over each of its transports, JsSIP in a browser too, and the suites that need minutes;"
	@echo "              writes the table in README.md (as root)"
	@echo "make image    the container image, built without an engine, and a held call through it (as root, some minutes)"
	@echo "make constraints  looks up anew which files of which packages the image is made of, by hash"
	@echo "make system   the Debian packages that tests use (as root)"
	@echo "make prepare  those, and what make interop and make image need besides (as root)"

setup: $(VENV)/.setup

$(VENV)/.setup: pyproject.toml $(SOURCES) $(WHEEL)
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -rf build/lib.* build/temp.* build/bdist.*
ifdef WHEEL
	@test -z "$$(find pyproject.toml $(SOURCES) -newer $(WHEEL))" || { echo "$(WHEEL) is older than the sources" >&2; exit 2; }
	$(BIN)/python -m pip uninstall --quiet --yes b2bua
endif
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

# Whatever any target installs, for those that run side by side.
prepare: SYSTEM_PACKAGES += $(INTEROP_PACKAGES) $(IMAGE_PACKAGES)
prepare: system setup $(BROWSER)/jssip.js

# Each table that decides something, and each machine that is no table, with one thing wrong at a time: its tests must notice
# (tests/mutation). ARGS="-k NAME": that one.
mutants: setup
	$(BIN)/python -m pytest tests/mutation/every_table.py $(ARGS)

demo: setup
	$(BIN)/python -P -m b2bua.phone.demo

run: setup
	$(BIN)/b2bua run $(ARGS)

# The core's tests are all CPU, those with real phones half wait. More parts than processors, so that one which ends early leaves
# its time to the others.
# What each part has said is shown when it is over; all are run whatever comes of one.
PHONES := $(sort $(wildcard tests/interop/test_*.py tests/restart/test_*.py tests/load/test_*.py))
# Suites that together need minutes: PJSIP, Kamailio, rtpengine, feature servers elsewhere, whole matrices over restarts, features
# beyond the call and its hold. `make interop` has them.
LONG := $(filter tests/interop/test_pjsip% tests/interop/test_kamailio% tests/restart/%matrix.py, $(PHONES)) \
  $(patsubst %,tests/interop/test_%.py,cdr faults feature_server guide kept_trace link_faults log_in message_waiting nat nat_relay presence \
    registration_events reload rough_peers same_ladder sequencing session_timers several_servers sipp_application tls \
    trunk_certificates trunk_watch) \
  $(patsubst %,tests/restart/test_%.py,drill elsewhere field_bugs settings_elsewhere)
CORE := $(filter-out $(PHONES),$(sort $(shell find tests -name 'test_*.py')))
SIDE_BY_SIDE := --no-print-directory --jobs --output-sync=target --keep-going
deal = $(shell printf '%s\n' $(1) | awk 'NR % $(2) == $(3) % $(2)')
# A part keeps the names of what failed in a cache of its own, and how it ended, for `make again`.
PARTS := build/parts
part = @mkdir -p $(PARTS); $(PYTEST) -o cache_dir=$(PARTS)/$@ $(1); echo $$? > $(PARTS)/$@.ended; exit $$(cat $(PARTS)/$@.ended)

test: system setup
ifdef ARGS
	$(PYTEST) $(ARGS)
else
	@rm -rf $(PARTS)
	@$(MAKE) $(SIDE_BY_SIDE) test-core-1 test-core-2 test-core-3 test-phones-1 test-phones-2 test-phones-3
endif

test-core-%:
	$(call part,-m 'not long' $(call deal,$(CORE),3,$*))

test-phones-%:
	$(call part,$(call deal,$(filter-out $(LONG),$(PHONES)),3,$*))

# What failed in the last `make test` or `make interop`, alone: five tests at most, and none that failed by not being run at all.
again: setup
	@names=$$($(BIN)/python -P tests/again.py $(PARTS)) || exit 2; mapfile -t names <<< "$$names"; \
	unshare --net sh -ec 'ip link set lo up; exec "$$@"' again env BROWSER_PACKAGES=$(abspath $(BROWSER)) \
	  $(PYTEST) "$${names[@]}"

check: setup
	$(BIN)/ruff check b2bua plugins tests setup.py
	$(BIN)/mypy --strict b2bua plugins
	$(BIN)/python -m pytest -q tests/test_layers.py

check-long: fuzz mutants stateful

# Two phones and a watcher do anything at any time on a bad network, over each kind of link and of connection; two transaction
# layers over a channel that loses; values that are printed and read back. All that takes its number of runs from the profile
# (tests/random_runs.py) is named here. A run that fails prints its seed.
stateful: setup
	$(BIN)/python -m pytest -q --hypothesis-profile=long tests/stateful tests/transaction/test_unreliable_channel.py \
	  tests/sip/test_round_trips.py tests/sip/test_round_trips_of_headers.py tests/sip/test_round_trips_of_parts.py \
	  tests/sip/test_round_trips_of_values.py tests/sip/test_reg_info.py tests/session_manager/test_round_trips.py \
	  tests/feature_server/test_round_trips.py tests/dialog/test_dialog.py

# The matrix of what goes on after a restart, whose table b2bua/feature_server/README.md gets; then sixty kills. A run that loses anything prints its
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

# What takes long, or wants a quiet machine. In process first: those figures repeat, but for the times.
STANDING := 10000
IN_PROCESS := memory flat garbage cost pauses scrape

standing: system setup
	@$(MAKE) --no-print-directory setup B2BUA_COMPILE=1
	for meter in $(IN_PROCESS); do $(BIN)/python -m tests.load.in_process.standing $$meter $(STANDING) || exit 1; done
	for peer in b2bua compiled; do $(BIN)/python tests/load/bench.py standing $$peer $(STANDING) 20000 || exit 1; done
	$(BIN)/python tests/load/bench.py table --rate 300 --scenario hold_call,basic_call,register
	for peer in kamailio1 b2bua compiled; do $(BIN)/python tests/load/bench.py max $$peer hold_call 300 || exit 1; done

# A browser is big, and not for every `make test`. In a namespace with nothing but loopback it finds no other network
# for its media, and nobody else's ports are in the way. What npm brings stays in $(VENV); Debian's node and npm are taken
# where there are no others.

interop: SYSTEM_PACKAGES += $(INTEROP_PACKAGES)
interop: system setup $(BROWSER)/jssip.js
	@rm -rf $(PARTS) $(VENV)/interop.record
	@status=0; $(if $(ARGS),,$(MAKE) --no-print-directory interop-5 || status=$$?;) \
	unshare --net sh -ec 'ip link set lo up; exec "$$@"' interop \
	  $(MAKE) $(SIDE_BY_SIDE) interop-0 $(if $(ARGS),,interop-1 interop-2 interop-3 interop-4) || status=$$?; exit $$status
	$(if $(ARGS),,$(BIN)/python -m tests.interop.matrix $(VENV)/interop.record)

# What is told of in the table; then the suites that need minutes.
interop-0: export INTEROP_RECORD := $(abspath $(VENV))/interop.record
interop-0: export BROWSER_PACKAGES := $(abspath $(BROWSER))
interop-0:
	$(call part,$(ARGS) tests/browser/jssip_calls.py tests/browser/jssip_transfer.py tests/browser/jssip_relay.py \
	  tests/interop/matrix_calls.py tests/interop/challenge_calls.py tests/interop/api_described.py \
	  tests/browser/console_views.py tests/browser/console_roles.py)

# Each ladder over a TCP link and with a durable store: `make test` has them in process and over UDP. All CPU, so before the
# phones and not beside them.
interop-5:
	$(call part,-m long tests/scenarios)

interop-%:
	$(call part,$(call deal,$(LONG),4,$*))

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
image: SYSTEM_PACKAGES += $(IMAGE_PACKAGES)
image: system setup
	$(BIN)/python -m tests.image.build
	unshare --net sh -ec 'ip link set lo up; exec $(BIN)/python -m pytest $(ARGS) tests/image/call_through.py'
