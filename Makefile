SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

WASM_PACK_VERSION := 0.15.1
# The generator of the glue must be of exactly the version that the crate was compiled with.
WASM_BINDGEN_VERSION := $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)

TOOLS := $(CURDIR)/.build/tools
export PATH := $(TOOLS)/bin:$(CURDIR)/tests/node_modules/.bin:$(PATH)
export NEXT_TELEMETRY_DISABLED := 1
export WRANGLER_SEND_METRICS := false
# The linter looks for its rules by type beside itself only where it is installed at the top.
export OXLINT_TSGOLINT_PATH := $(CURDIR)/tests/node_modules/.bin/tsgolint

RUST := Cargo.toml Cargo.lock rustfmt.toml $(shell find src -name '*.rs')
WASM_PACK := wasm-pack build --release --mode no-install --target web --no-pack --no-gitignore

.PHONY: help
help:
	@echo 'make demo        a real Next.js app on real workerd, with every render shown as it happens'
	@echo 'make demo-fleet  two processes of next start, one cache: the same date on both ports'
	@echo 'make test        everything: core, exported surface, workerd, Next.js on OpenNext, packaging, evidence'
	@echo 'make evidence    one line per promise: measured, required, and a control that must fail'
	@echo 'make simulate    HISTORIES=100000 simulated histories in which nearly everything goes wrong (SEED=n tells one)'
	@echo 'make planted     mistakes made on purpose, and the histories it takes to find each'
	@echo 'make exhaustive  every history within bounds, with the number of states'
	@echo 'make fuzz        DECODER=frame with libFuzzer for SECONDS=60; needs the nightly toolchain'
	@echo 'make chaos       SECONDS=3600 of kills, outages, lag and clock jumps under mixed traffic on both hosts (SEED=n)'
	@echo 'make bench       calls, whole requests, renders, waiting: beside OpenNext, vinext, Next.js and a Redis handler; the figures of README'
	@echo 'make bill        operations counted, times list prices: writes docs/cost.md'
	@echo 'make wasm        the two wasm files of the npm package'
	@echo 'make pkg         the npm package: wasm, and what TypeScript compiles to'
	@echo 'make lint-ts     types, import cycles, promises nobody waits for, format of the package'
	@echo 'make fmt         formats Rust and TypeScript'

# --- tools ----------------------------------------------------------------------------------------------------------------

# Unoptimized: they are built more slowly than they ever run here.
INSTALL := CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --force --root $(TOOLS)

$(TOOLS)/wasm-bindgen-$(WASM_BINDGEN_VERSION):
	rustup target add wasm32-unknown-unknown
	$(INSTALL) wasm-bindgen-cli@$(WASM_BINDGEN_VERSION)
	@touch $@

$(TOOLS)/wasm-pack-$(WASM_PACK_VERSION):
	$(INSTALL) wasm-pack@$(WASM_PACK_VERSION)
	@touch $@

tests/node_modules/.package-lock.json: tests/package.json tests/package-lock.json
	npm --prefix tests ci --no-audit --no-fund
	@touch $@

.PHONY: tools
tools: $(TOOLS)/wasm-bindgen-$(WASM_BINDGEN_VERSION) $(TOOLS)/wasm-pack-$(WASM_PACK_VERSION) tests/node_modules/.package-lock.json

# --- wasm -----------------------------------------------------------------------------------------------------------------

ENGINE := pkg/wasm/engine/engine_bg.wasm
OBJECTS := pkg/wasm/objects/objects_bg.wasm
PANICKING := .build/panicking/engine_bg.wasm

.PHONY: wasm
wasm: $(ENGINE) $(OBJECTS)

# One after the other: cargo gives them all the same file to work on.
$(ENGINE): $(RUST) | tools
	$(WASM_PACK) --out-dir pkg/wasm/engine --out-name engine . --features engine

$(OBJECTS): $(RUST) | tools $(ENGINE)
	$(WASM_PACK) --out-dir pkg/wasm/objects --out-name objects . --features objects

# The engine with a panic on demand, for tests; the packed tarball is checked not to hold it.
$(PANICKING): $(RUST) | tools $(OBJECTS)
	$(WASM_PACK) --out-dir .build/panicking --out-name engine . --features engine,panic-injection

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

# --- the example apps -------------------------------------------------------------------------------------------------------

.PHONY: apps apps-workers apps-fleet
apps: apps-workers apps-fleet

apps-workers: pkg
	node tests/e2e/build.mjs

apps-fleet: pkg
	node tests/fleet/build.mjs

.PHONY: demo
demo: pkg
	node examples/demo.mjs

.PHONY: demo-fleet
demo-fleet: pkg
	node examples/fleet.mjs

# --- tests ------------------------------------------------------------------------------------------------------------------

# Builds and checks of Rust beside builds of the apps; then what mostly waits; then the evidence.
.PHONY: test
test:
	$(MAKE) --jobs=3 --output-sync=target apps lint lint-ts test-core test-surface
	$(MAKE) --jobs=3 --output-sync=target test-app test-fleet test-workerd test-packaging test-demo
	$(MAKE) evidence
	@echo 'make test: everything passed'

.PHONY: lint
lint: | tools
	cargo fmt --check
	cargo clippy --quiet --all-targets --features planted-faults -- --deny warnings
	cargo clippy --quiet --target wasm32-unknown-unknown --features engine -- --deny warnings
	cargo clippy --quiet --target wasm32-unknown-unknown --features objects -- --deny warnings

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

# What it finds is for tests/fuzz/corpus; what `make test` runs needs no nightly toolchain.
.PHONY: fuzz
fuzz: $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)
	@mkdir -p tests/fuzz/libfuzzer/corpus/$(DECODER)
	FUZZ_DECODER=$(DECODER) cargo +nightly fuzz run --fuzz-dir tests/fuzz/libfuzzer decoder tests/fuzz/libfuzzer/corpus/$(DECODER) tests/fuzz/corpus/$(DECODER) \
		-- -max_total_time=$(or $(SECONDS),60)

.PHONY: chaos
chaos: apps $(PANICKING)
	node tests/chaos/run.mjs --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),1)

# The surface that JavaScript calls, in Node.
.PHONY: test-surface
test-surface: | tools
	wasm-pack test --node --mode no-install . --features engine,panic-injection --test wasm

.PHONY: test-workerd
test-workerd: pkg $(PANICKING)
	node --test --test-concurrency=1 'tests/harness/*.test.mjs' 'tests/workerd/*.test.mjs' 'tests/next/*.test.mjs'

# The example app on OpenNext.
.PHONY: test-app
test-app: apps
	node --test --test-concurrency=1 'tests/e2e/*.test.mjs'

# The fleet app on `next start`.
.PHONY: test-fleet
test-fleet: apps
	node --test --test-concurrency=1 'tests/fleet/*.test.mjs'

.PHONY: test-packaging
test-packaging: pkg
	node --test --test-concurrency=1 'tests/packaging/*.test.mjs'

.PHONY: test-demo
test-demo: pkg
	node examples/demo.mjs --check

# Further setups of OpenNext that figures are beside.
.PHONY: bench-apps
bench-apps: apps
	node tests/e2e/build.mjs --bench

bench/vinext/node_modules/.package-lock.json: bench/vinext/package.json bench/vinext/package-lock.json
	npm --prefix bench/vinext ci --no-audit --no-fund
	@touch $@

.PHONY: bench
bench: bench-apps bench/vinext/node_modules/.package-lock.json
	if command -v redis-server > /dev/null; then node tests/fleet/build.mjs redis; fi
	node bench/run.mjs

.PHONY: bill
bill: bench-apps
	node bench/bill.mjs

.PHONY: evidence
evidence: apps $(PANICKING)
	node tests/evidence/run.mjs
