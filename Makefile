# The only entry point: `make` prints what there is. CI runs `make test`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

PREFIX ?= $(HOME)/.local
DESTDIR ?=
BUILD ?= .build
SECONDS_TO_FUZZ := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),60)
SECONDS_TO_SOAK := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),600)
ARGS ?=

VENV := .venv
PYTHON := $(VENV)/bin/python
SETUP := $(VENV)/ready
SWIFT_BUILD := swift build --build-path $(BUILD)
# Exclusive access is checked at run time wherever tests run; in the daemon that is measured and
# shipped it would be a fifth of what a call costs.
SWIFT_RELEASE := $(SWIFT_BUILD) -c release --static-swift-stdlib \
  -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -cross-module-optimization
IMPORT_CHECK := --explicit-target-dependency-import-check error

SWIFT_FILES := Package.swift Sources Tests bench examples proto/conformance/drivers/swift
PYTHON_FILES := bench examples fuzz proto scripts/demo Tests

# Go needs nothing from the network: all there is stands in this folder.
export GO := $(abspath $(VENV))/bin/go
export GOFLAGS := -mod=mod
export GOPROXY := off
export GOTOOLCHAIN := local

GO_FILES := bench/go clients/go examples proto/conformance/drivers/go
GOFMT = "$$($(GO) env GOROOT)/bin/gofmt"

# What tests and examples start: the binaries of the debug build, and those of Go.
export COAGENT_BIN ?= $(abspath $(BUILD))/debug
export COAGENTD ?= $(COAGENT_BIN)/coagentd
export COAGENT_GO_BIN ?= $(abspath $(BUILD))/go

.PHONY: help setup build release test lint format bench simulate soak fuzz asan tsan run demo install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(SETUP) ## installs what is missing (apt, .venv); quick when nothing is

$(SETUP): scripts/setup scripts/requirements.txt clients/python/pyproject.toml
	scripts/setup
	touch $@

build: $(SETUP) ## the debug build, tests included, with the import table checked
	$(SWIFT_BUILD) --build-tests $(IMPORT_CHECK)

release: $(SETUP) ## the daemon and the CLI, optimised, statically linked Swift runtime
	$(SWIFT_RELEASE) --product coagentd
	$(SWIFT_RELEASE) --product coagent

test: test-swift test-simulation test-proto test-python test-node test-go conformance test-integration test-examples test-release ## everything that must hold
	@echo "make test: all passed"

.PHONY: build-go conformance test-swift test-simulation test-proto test-python test-node test-go test-integration test-examples test-release

test-swift: build ## the Swift unit tests and the tidy checks
	swift test --build-path $(BUILD) --skip-build

test-simulation: build ## a little of what `make simulate` does
	$(BUILD)/debug/simulate 1..20 600

test-proto: $(SETUP) ## the tables, schemas and vectors of proto/
	$(PYTHON) proto/check.py
	$(PYTHON) proto/conformance/check.py

test-python: $(SETUP) build ## the Python client: types and tests
	cd clients/python && ../../$(VENV)/bin/mypy
	cd clients/python && ../../$(PYTHON) -m pytest

test-node: $(SETUP) build ## the Node client: types, declarations and tests
	clients/node/check
	cd clients/node && timeout --kill-after=10 600 node --test test/*.test.js

test-go: $(SETUP) build ## the Go client: vet and tests, these with the race detector too
	cd clients/go && $(GO) vet ./... && $(GO) test -timeout 3m ./...
	cd clients/go && CGO_ENABLED=1 $(GO) test -race -timeout 5m ./...
	cd proto/conformance/drivers/go && $(GO) vet ./...
	cd bench/go && $(GO) vet ./...

conformance: $(SETUP) build build-go ## the daemon and every client against SPEC.md; ARGS="--language go --only input/"
	$(PYTHON) -m pytest -q proto/conformance/tests
	$(PYTHON) proto/conformance/run.py $(ARGS)

test-integration: $(SETUP) build build-go ## real daemon, real clients, real sockets
	$(PYTHON) -m pytest Tests/integration

build-go: $(SETUP)
	cd proto/conformance/drivers/go && $(GO) build -o $(COAGENT_GO_BIN)/driver .
	cd examples && $(GO) build -o $(COAGENT_GO_BIN)/ ./...

test-examples: $(SETUP) build build-go ## the stories and what the README shows, with the debug build
	cd examples && $(GO) vet ./...
	$(PYTHON) -m pytest examples

# The optimiser has bugs of its own: what is shipped and measured is built as it is there.
test-release: demo ## everything that is built optimised, and the demo with it
	$(SWIFT_RELEASE) --product example-stories
	$(SWIFT_RELEASE) --product bench-swift

lint: $(SETUP) ## style: swift format, gofmt, ruff, mypy, tsc
	swift format lint --strict --parallel --recursive $(SWIFT_FILES)
	$(VENV)/bin/ruff check --config scripts/ruff.toml $(PYTHON_FILES)
	cd clients/python && ../../$(VENV)/bin/ruff check
	cd clients/python && ../../$(VENV)/bin/mypy
	clients/node/check
	unformatted=$$($(GOFMT) -l $(GO_FILES)) && test -z "$$unformatted" || { echo "gofmt: $$unformatted"; false; }

format: $(SETUP) ## rewrites Swift, Go and Python in the house style
	swift format --in-place --parallel --recursive $(SWIFT_FILES)
	$(GOFMT) -w $(GO_FILES)
	$(VENV)/bin/ruff check --config scripts/ruff.toml --fix $(PYTHON_FILES)
	cd clients/python && ../../$(VENV)/bin/ruff check --fix

bench: release ## the limit, the peers and us, side by side; takes some minutes
	$(SWIFT_RELEASE) --product bench-swift
	COAGENT_BIN=$(abspath $(BUILD))/release bench/run $(ARGS)

# Optimised, with its checks on; for testing, because it looks into the router's records.
simulate: $(SETUP) ## random peers around the core, in virtual time: SEEDS=1..200 or SEEDS=7, STEPS=5000
	$(SWIFT_BUILD)/simulation -c release --product simulate \
	  -Xswiftc -enable-testing -Xswiftc -assert-config -Xswiftc Debug
	$(BUILD)/simulation/release/simulate $(or $(SEEDS),1..200) $(or $(STEPS),5000)

soak: build build-go ## the daemon and agents of all languages, everything at once, SECONDS=600
	PYTHONPATH=proto/conformance:Tests/integration $(PYTHON) Tests/integration/soak.py $(SECONDS_TO_SOAK)

fuzz: $(SETUP) ## the frame decoder and the header parser, SECONDS=60
	fuzz/run $(SECONDS_TO_FUZZ)

# No leak detection: it does not see what weak references in Swift point through.
asan: export ASAN_OPTIONS := detect_leaks=0:$(ASAN_OPTIONS)
asan: $(SETUP) ## the Swift tests under the address sanitizer
	swift build --build-path $(BUILD)/asan --sanitize=address --build-tests
	swift test --build-path $(BUILD)/asan --sanitize=address --skip-build --no-parallel

tsan: $(SETUP) ## the Swift tests under the thread sanitizer
	swift build --build-path $(BUILD)/tsan --sanitize=thread --build-tests
	swift test --build-path $(BUILD)/tsan --sanitize=thread --skip-build --no-parallel

run: release ## the daemon in the foreground; ARGS="--log-level debug"
	$(BUILD)/release/coagentd $(ARGS)

demo: release build-go ## starts a daemon and agents of its own and shows what it does
	$(SWIFT_RELEASE) --product example-agents
	COAGENT_BIN=$(abspath $(BUILD))/release $(PYTHON) scripts/demo

install: release ## binaries, completion, systemd user unit; PREFIX=~/.local
	scripts/install --build $(BUILD)/release --prefix "$(PREFIX)" --destdir "$(DESTDIR)"

clean: ## removes what the targets above made in this folder
	rm -rf $(BUILD) $(VENV) .cache bench/out node_modules
	find . -name __pycache__ -o -name '.*_cache' -o -name '*.egg-info' | xargs rm -rf
