# `make` alone lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

include tests/cluster/cluster.mk

CARGO ?= cargo
# The versions besides the default one that `make test-matrix` goes through.
MATRIX ?= 1.34 1.37
# How long `make fuzz` takes for each of its targets, and the name of one, for that one alone.
FUZZ_MINUTES ?= 10
FUZZ ?=

.PHONY: help doctor test test-matrix lint deny sbom unit fuzz e2e faults bench image demo demo-down generate clean

help: ## List the targets
	@echo "Usage: make TARGET"
	@awk -F ':[^#]*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

doctor: ## Say whether everything that is needed is there
	@.ci/doctor

test: ## Everything: format, lints, unit to end-to-end; last line "N passed, N failed"
	@.ci/test

lint: ## Formatting, clippy, shell scripts and the Dockerfile
	@QUIET=1 .ci/doctor
	$(CARGO) fmt --all --check
	.ci/clippy
	@.ci/scripts

deny: ## Licences, sources and banned crates, with cargo-deny; ADVISORIES=1 for known vulnerabilities
	@QUIET=1 .ci/doctor
	@.ci/deny $(if $(ADVISORIES),advisories)

sbom: ## What is in the program, as a CycloneDX bill of materials, into target/sbom/
	@QUIET=1 .ci/doctor
	@.ci/sbom

unit: ## Unit, scenario, property and chart tests; needs no cluster and no root
	@QUIET=1 .ci/doctor
	@.ci/helm
	$(CARGO) test --locked

fuzz: ## Hostile input for minutes: FUZZ=name of one target, FUZZ_MINUTES=10 for each
	@QUIET=1 .ci/doctor
	FUZZ=$(FUZZ) FUZZ_MINUTES=$(FUZZ_MINUTES) $(CARGO) test --locked --profile fuzz --test fuzz for_minutes -- --ignored --nocapture

e2e: ## End-to-end tests on the real node; needs root, or BACKSTAY_TEST_KUBECONFIG=FILE of a test cluster
	@.ci/doctor $(if $(BACKSTAY_TEST_KUBECONFIG),,root)
	tests/e2e/run

faults: ## Crashes, storms and lost nodes on simulated nodes
	@.ci/doctor
	tests/faults/run

test-matrix: ## The end-to-end tests and the faults on the other Kubernetes versions, MATRIX="1.34 1.37"
	@.ci/doctor root
	@failed=; for version in $(MATRIX); do \
		echo "==> Kubernetes $$version"; \
		KUBERNETES=$$version tests/e2e/run && KUBERNETES=$$version tests/faults/run || failed="$$failed $$version"; \
	done; \
	[[ -z $$failed ]] || { echo "failed on Kubernetes$$failed"; exit 1; }

bench: ## Speed and size on the real control plane, into target/bench/latest.json
	@.ci/doctor
	bench/run

image: ## The operator's image, as target/e2e/backstay-*.tar, without a container engine
	@.ci/doctor
	tests/cluster/build image
	tests/e2e/operator build

demo: ## A real cluster, a bad rollout, and how it is brought back; needs root
	@demo/run

demo-down: ## Take the demo's cluster down
	@demo/run down

generate: ## Write crds/, the schema of diagnoses and the chart's copies anew
	@QUIET=1 .ci/doctor
	$(CARGO) run --locked -- crds --out crds
	$(CARGO) run --locked -- diagnose --schema > docs/diagnosis.schema.json
	deploy/sync-chart.sh

clean: ## Take the test clusters down, and remove what was built
	@for mode in target/cluster/run/*/mode; do \
		[[ ! -f $$mode ]] || tests/cluster/cluster down --name "$$(basename "$$(dirname "$$mode")")"; \
	done
	rm -rf target
