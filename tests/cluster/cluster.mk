# The test cluster. CLUSTER_MODE is node (root, a real kubelet) or sim (no root, simulated nodes).
CLUSTER_NAME ?= default
CLUSTER_MODE ?= node

.PHONY: cluster-bin cluster cluster-down cluster-check

cluster-bin: ## Build the programs of the test cluster
	tests/cluster/build $(CLUSTER_MODE)

cluster: cluster-bin ## Start a test cluster
	tests/cluster/cluster up --name $(CLUSTER_NAME) --mode $(CLUSTER_MODE)

cluster-down: ## Stop it
	tests/cluster/cluster down --name $(CLUSTER_NAME)

cluster-check: cluster-bin ## Prove that a cluster leaves nothing behind, also after a kill
	tests/cluster/selftest
