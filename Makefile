# The two commands of the README are `make demo` and `make test`; both install what they need on Debian, as root.

LAB := $(CURDIR)/target/lab
KEYS := $(LAB)/keys/trusted/lab.pub $(LAB)/keys/trusted/next.pub

# One place for all builds, all trusting the throw-away keys of this checkout: nothing is compiled twice, and nothing of
# it can be mistaken for what a developer or packaging/release.sh builds.
export CARGO_TARGET_DIR := $(LAB)/build
export NOVACULA_KEYS_DIR := $(LAB)/keys/trusted

# All that may mean something else to another systemd.
LAB_TESTS := $(patsubst tests/%.rs,--test %,$(wildcard tests/lab_*.rs))

# Tests on hosts mostly wait: four at once load two processors well.
export RUST_TEST_THREADS ?= $(shell n=$$(nproc); echo $$((n > 4 ? n : 4)))

.PHONY: demo test test-api test-fleet test-crash-points test-power-cuts test-ui test-matrix fuzz bench bench-scale package prepare

demo: prepare $(KEYS)
	cargo run --quiet --locked --package novacula-lab --bin demo

# What fails cheaply fails first: form, lints, functions, then whole programs on real hosts.
test: prepare $(KEYS)
	cargo fmt --all --check
	shellcheck .ci/run tests/*.sh packaging/*.sh packaging/deb/p* packaging/files/settle benches/*.sh crates/lab/src/host/*.sh
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo test --workspace --locked --lib --bins
	NOVACULA_TEST_ENGINE=postgresql cargo test --package novacula-control-plane --locked --lib
	cargo test --workspace --locked --doc
	cargo test --workspace --locked --test '*' --no-fail-fast

# Every point; `make test` tries a sample of them.
test-crash-points: prepare $(KEYS)
	NOVACULA_CRASH_POINTS=all cargo test --locked --no-fail-fast --test crash_points --test lost_writes -- --nocapture

# Fifty hosts are cut off from power in the middle of an upgrade; `make test` cuts a few.
test-power-cuts: prepare $(KEYS)
	NOVACULA_POWER_CUTS=$${NOVACULA_POWER_CUTS:-50} cargo test --locked --test lab_power_cuts -- --nocapture

# Everything the API's description allows and forbids, from another beginning each time; `make test` asks a little of it.
# API_SEED=N asks the same again.
API_EXAMPLES ?= 150
test-api: prepare $(KEYS)
	NOVACULA_API_EXAMPLES=$(API_EXAMPLES) NOVACULA_API_SEED=$${API_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} \
		cargo test --locked --test api -- --nocapture

# A plan of four waves on a thousand simulated executors, 5 % bad and 3 % dead, with the promises about plans looked at in
# every answer, from another seed each time; `make test` tries two small ones. FLEET_FIRST_SEED=N tries the same again.
FLEET_SEEDS ?= 100
FLEET_EXECUTORS ?= 1000
test-fleet: prepare $(KEYS)
	cargo build --locked --profile lab --package novactl --package novacula-control-plane
	FLEET_PROGRAMS=$(CARGO_TARGET_DIR)/lab FLEET_SEEDS=$(FLEET_SEEDS) FLEET_EXECUTORS=$(FLEET_EXECUTORS) \
		cargo test --locked --package novactl --test simulate -- --nocapture a_plan_halts

# The console in a real browser: every page, wide and narrow, light and dark, with axe-core; `make test` looks at one page of
# each kind. NOVACULA_SCREENSHOTS=docs/console keeps pictures of the main pages there.
test-ui: prepare $(KEYS)
	NOVACULA_WALKS=all cargo test --locked --package novacula-control-plane --test console

# The hosts of `make test` are of one suite; these are of systemd 247, 252 and 257.
test-matrix: prepare $(KEYS)
	NOVACULA_LAB_SUITES="bullseye bookworm trixie" cargo test --locked --no-fail-fast $(LAB_TESTS)

# fuzz/README.md says what each target tries and what the compiler for it is. New finds stay in target/fuzz.
FUZZ_SECONDS ?= 180
fuzz: export CARGO_TARGET_DIR := $(CURDIR)/target/fuzz
fuzz: prepare $(KEYS)
	targets=$$(cargo +nightly fuzz list) && for target in $$targets; do \
		mkdir -p target/fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target target/fuzz/corpus/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=20 || exit 1; \
	done

bench: prepare $(KEYS)
	benches/run.sh
	$(MAKE) bench-scale

# How far one control plane goes, and two; benches/scale.py says what each part is. SCALE_PARTS=ac measures some of them, and
# SCALE_LONG_RUN=20 makes a short run of the one with the killed replica.
SCALE_PARTS ?= abcdefgh
SCALE_LONG_RUN ?= 600
bench-scale: prepare $(KEYS)
	cargo build --quiet --locked --release --package novacula-control-plane
	cargo build --quiet --locked --release --package novacula-lab --bin load
	cargo build --quiet --locked --workspace --bin bench_parts
	python3 -B benches/scale.py --parts $(SCALE_PARTS) --long-run $(SCALE_LONG_RUN) \
		--control-plane $(CARGO_TARGET_DIR)/release/novacula-control-plane --load $(CARGO_TARGET_DIR)/release/load \
		--bench-parts $(CARGO_TARGET_DIR)/debug/bench_parts --secret-key $(LAB)/keys/secret/lab.key \
		--version $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1) $(SCALE_FLAGS)

# What ships trusts the keys in keys/, never those of the laboratory. BINARY=PATH packages what was built and signed
# before.
package:
	env -u CARGO_TARGET_DIR -u NOVACULA_KEYS_DIR packaging/package.sh $(if $(BINARY),--binary $(BINARY))

prepare:
	tests/prepare.sh

# crates/lab/src/signing.rs makes the same pairs for whoever calls cargo without make.
$(LAB)/keys/trusted/%.pub:
	mkdir -p $(LAB)/keys/secret $(LAB)/keys/trusted
	minisign -G -W -f -s $(LAB)/keys/secret/$*.key -p $@ >/dev/null
