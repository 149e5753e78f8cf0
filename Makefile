SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.build/tools
export PATH := $(TOOLS)/bin:$(CURDIR)/tests/node_modules/.bin:$(PATH)
export NEXT_TELEMETRY_DISABLED := 1
export WRANGLER_SEND_METRICS := false
# The linter looks for its rules by type beside itself only where it is installed at the top.
export OXLINT_TSGOLINT_PATH := $(CURDIR)/tests/node_modules/.bin/tsgolint

RUST := Cargo.toml Cargo.lock rustfmt.toml $(shell find src -name '*.rs')
WASM_TOOL := cargo run --quiet --locked --manifest-path tests/tools/wasm/Cargo.toml --target-dir .build/tools/wasm --
WASM_TOOL_SOURCES := $(shell find tests/tools/wasm -name '*.rs' -o -name 'Cargo.*')

.PHONY: help
help:
	@echo 'make demo        a real Next.js app on real workerd, with every render shown as it happens'
	@echo 'make demo-fleet  two processes of next start, one cache: the same date on both ports'
	@echo 'make check       format, lint, types, import circles, dependencies, licences, unit tests: a minute'
	@echo 'make test        every kind of test, on one version of Next.js for each host'
	@echo 'make evidence    one line per promise: measured, required, and a control that must fail (ONLY=a,b; LONG=1 plays long forms)'
	@echo 'make simulate    HISTORIES=100000 simulated histories in which nearly everything goes wrong (SEED=n tells one)'
	@echo 'make planted     mistakes made on purpose, and the histories it takes to find each'
	@echo 'make exhaustive  every history within bounds, with the number of states'
	@echo 'make fuzz        DECODER=frame with libFuzzer for SECONDS=60; needs the nightly toolchain'
	@echo 'make chaos       SECONDS=3600 of kills, outages, lag and clock jumps under mixed traffic on both hosts (SEED=n)'
	@echo 'make bench       calls, whole requests, renders, waiting: beside OpenNext, vinext, Next.js and a Redis handler; the figures of README'
	@echo 'make bill        operations counted, times list prices: writes docs/cost.md'
	@echo 'make wasm        the three wasm files of the npm package'
	@echo 'make pkg         the npm package: wasm, and what TypeScript compiles to'
	@echo 'make lint-ts     types, import cycles, promises nobody waits for, format of the package'
	@echo 'make fmt         formats Rust and TypeScript'

# --- tools ----------------------------------------------------------------------------------------------------------------

# Unoptimized: they are built more slowly than they ever run here.
INSTALL := CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --force --root $(TOOLS)

tests/node_modules/.package-lock.json: tests/package.json tests/package-lock.json
	npm --prefix tests ci --no-audit --no-fund
	@touch $@

.PHONY: tools
tools: tests/node_modules/.package-lock.json

# --- wasm -----------------------------------------------------------------------------------------------------------------

ENGINE := pkg/wasm/engine/engine_bg.wasm
OBJECTS := pkg/wasm/objects/objects_bg.wasm
API := pkg/wasm/api/api_bg.wasm
PANICKING := .build/panicking/engine_bg.wasm .build/panicking-api/api_bg.wasm
NOTICES := .build/THIRD-PARTY-NOTICES

.PHONY: wasm
wasm: $(ENGINE) $(OBJECTS) $(API) $(NOTICES)

# A further wasm file is a line of FILES in tests/tools/wasm/src/main.rs, one of tests/tools/features.mjs and a name here.
$(ENGINE) $(OBJECTS) $(API) &: $(RUST) $(WASM_TOOL_SOURCES) | tools
	$(WASM_TOOL) engine objects api
	@touch $(ENGINE) $(OBJECTS) $(API)

# The licences of what is compiled into them. `npm pack` takes it along.
$(NOTICES): Cargo.lock $(wildcard tests/tools/licences.mjs tests/tools/licences/*.mjs tests/tools/features.mjs) | tools
	@mkdir -p $(dir $@)
	node tests/tools/licences.mjs --notices $@

# With a panic on demand, for tests; the packed tarball is checked not to hold it.
$(PANICKING) &: $(RUST) $(WASM_TOOL_SOURCES) | tools $(ENGINE)
	$(WASM_TOOL) panicking panicking-api
	@touch $(PANICKING)

# --- the package ------------------------------------------------------------------------------------------------------------

# The compiler keeps what it knows in pkg/dist, and does again what has changed.
.PHONY: pkg
pkg: wasm | tools
	@# What a source that is gone was compiled to.
	@cd pkg && find dist -name '*.js' 2> /dev/null | while read -r made; do \
		source=src/$${made#dist/}; [ -e $${source%.js}.ts ] || rm -f $${made%.js}.js $${made%.js}.js.map $${made%.js}.d.ts; done
	tsc --project pkg
	@chmod +x pkg/dist/cli/cli.js

.PHONY: lint-ts
lint-ts: pkg
	oxlint pkg/src tests bench examples
	oxfmt --check pkg/src

.PHONY: fmt
fmt: | tools
	cargo fmt
	oxfmt pkg/src

# --- the example app --------------------------------------------------------------------------------------------------------

# All of its builds, which scenes visit.
.PHONY: apps apps-workers apps-fleet
apps: apps-workers apps-fleet

apps-workers: pkg
	node tests/e2e/opennext/build.mjs

apps-fleet: pkg
	node tests/e2e/fleet/build.mjs

# Those of `make test`: one version of Next.js for each host.
.PHONY: test-apps-workers test-apps-fleet
test-apps-workers: pkg
	node tests/e2e/opennext/build.mjs --tests

test-apps-fleet: pkg
	node tests/e2e/fleet/build.mjs --tests

.PHONY: demo
demo: pkg
	node examples/demo.mjs

.PHONY: demo-fleet
demo-fleet: pkg
	node examples/fleet.mjs

# --- tests ------------------------------------------------------------------------------------------------------------------

# Builds of the apps beside builds and checks of Rust; then what mostly waits.
.PHONY: test
test:
	$(MAKE) --jobs=3 --output-sync=target test-apps-workers test-apps-fleet lint lint-ts circles dependencies licences test-unit test-core
	$(MAKE) --jobs=3 --output-sync=target test-app test-fleet test-node test-workerd test-packaging test-demo
	@echo 'make test: everything passed'

# What is quick to tell of a change: about a minute when little has to be compiled anew.
.PHONY: check
check:
	$(MAKE) --jobs=3 --output-sync=target lint lint-ts circles dependencies licences test-unit
	@echo 'make check: everything passed'

.PHONY: lint
lint: | tools
	cargo fmt --check
	cargo clippy --quiet --all-targets --features planted-faults -- --deny warnings
	cargo clippy --quiet --target wasm32-unknown-unknown --features engine -- --deny warnings
	cargo clippy --quiet --target wasm32-unknown-unknown --features objects -- --deny warnings
	cargo clippy --quiet --target wasm32-unknown-unknown --features api -- --deny warnings
	cargo fmt --check --manifest-path tests/tools/wasm/Cargo.toml
	cargo clippy --quiet --locked --all-targets --manifest-path tests/tools/wasm/Cargo.toml --target-dir .build/tools/wasm -- --deny warnings

# Folders in which no module may import itself by way of others.
CIRCLE_FREE := src pkg

.PHONY: circles
circles: | tools
	node tests/tools/circles.mjs $(CIRCLE_FREE)

.PHONY: dependencies
dependencies: | tools
	node tests/tools/dependencies.mjs

.PHONY: licences
licences: | tools
	node tests/tools/licences.mjs

.PHONY: test-unit
test-unit: | tools
	cargo test --quiet --lib
	node --test 'tests/tools/*.test.mjs' tests/evidence/runner/scenes.test.mjs

# The core: unit tests, properties, the exhaustive checks. What takes a release build is part of the evidence.
.PHONY: test-core
test-core:
	cargo test --quiet

# As optimized as a release, as strict as a debug build.
PROOFS := cargo test --quiet --profile proofs --features planted-faults
HISTORIES ?= 100000
FROM ?= 0

.PHONY: simulate
simulate:
	$(PROOFS) --test simulation -- $(if $(SEED),--seed $(SEED),--histories $(HISTORIES) --from $(FROM))

.PHONY: planted
planted:
	$(PROOFS) --test simulation -- --faults

.PHONY: exhaustive
exhaustive:
	$(PROOFS) --test exhaustive -- --nocapture

CARGO_FUZZ_VERSION := 0.13.2
DECODER ?= frame
SECONDS ?=

$(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION):
	$(INSTALL) cargo-fuzz@$(CARGO_FUZZ_VERSION)
	@touch $@

# What it finds is for tests/rust/fuzz/corpus; what `make test` runs needs no nightly toolchain.
.PHONY: fuzz
fuzz: $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)
	@mkdir -p tests/rust/fuzz/libfuzzer/corpus/$(DECODER)
	FUZZ_DECODER=$(DECODER) cargo +nightly fuzz run --fuzz-dir tests/rust/fuzz/libfuzzer decoder tests/rust/fuzz/libfuzzer/corpus/$(DECODER) tests/rust/fuzz/corpus/$(DECODER) \
		-- -max_total_time=$(or $(SECONDS),60)

.PHONY: chaos
chaos: apps $(PANICKING)
	node tests/evidence/chaos/run.mjs --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),1)

# The package and the exported surface in Node, and the tool that builds the wasm files.
.PHONY: test-node
test-node: pkg $(PANICKING)
	cargo test --quiet --locked --manifest-path tests/tools/wasm/Cargo.toml --target-dir .build/tools/wasm
	node --test --test-concurrency=1 'tests/node/*.test.mjs'

.PHONY: test-workerd
test-workerd: pkg $(PANICKING)
	node --test --test-concurrency=1 'tests/tools/harness/*.test.mjs' 'tests/workerd/*.test.mjs'

# The example app on OpenNext.
.PHONY: test-app
test-app: test-apps-workers
	node --test --test-concurrency=1 'tests/e2e/opennext/*.test.mjs'

# What tests are named after that play in `make evidence`: further versions of Next.js, further builds of its own.
OTHER_BUILDS := 15\.5|16\.2|16\.3|standalone output of webpack|edge-webpack

# The example app on `next start`.
.PHONY: test-fleet
test-fleet: test-apps-fleet
	node --test --test-concurrency=1 --test-skip-pattern='$(OTHER_BUILDS)' 'tests/e2e/fleet/*.test.mjs'

# The same on those: part of `make evidence`.
.PHONY: test-other-builds
test-other-builds: apps-fleet
	node --test --test-concurrency=1 --test-name-pattern='$(OTHER_BUILDS)' 'tests/e2e/fleet/*.test.mjs'

.PHONY: test-packaging
test-packaging: pkg
	node --test --test-concurrency=1 'tests/node/packaging/*.test.mjs'

.PHONY: test-demo
test-demo: test-apps-workers
	node examples/demo.mjs --check

# Further setups of OpenNext that figures are beside.
.PHONY: bench-apps
bench-apps: apps
	node tests/e2e/opennext/build.mjs --bench

bench/vinext/node_modules/.package-lock.json: bench/vinext/package.json bench/vinext/package-lock.json
	npm --prefix bench/vinext ci --no-audit --no-fund
	@touch $@

.PHONY: bench
bench: bench-apps bench/vinext/node_modules/.package-lock.json
	if command -v redis-server > /dev/null; then node tests/e2e/fleet/build.mjs redis; fi
	node bench/run.mjs

.PHONY: bill
bill: bench-apps
	node bench/bill.mjs

# Every scene, and what tests have to show on other builds. `ONLY=a,b` plays these scenes alone, `LONG=1` their long forms.
.PHONY: evidence
evidence: apps $(PANICKING)
	$(if $(ONLY)$(LONG),,$(MAKE) test-other-builds)
	node tests/evidence/run.mjs $(if $(ONLY),--only $(ONLY)) $(if $(LONG),--long)

# What scenes need of Debian.
.PHONY: packages
packages: pkg
	packages=$$(node tests/evidence/run.mjs --packages); if [ -n "$$packages" ]; then apt-get update && apt-get install --yes --no-install-recommends $$packages; fi
