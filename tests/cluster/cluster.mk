# The test cluster. CLUSTER_MODE is node (a real kubelet, what root gets) or sim (simulated nodes, what others get).
CLUSTER_NAME ?= default
CLUSTER_MODE ?= $(if $(filter 0,$(shell id -u)),node,sim)

.PHONY: cluster-bin cluster cluster-down cluster-check

cluster-bin: ## Build the programs of the test cluster
	@QUIET=1 .ci/doctor $(if $(filter node,$(CLUSTER_MODE)),root)
	tests/cluster/build $(CLUSTER_MODE)

cluster: cluster-bin ## Start a test cluster; CLUSTER_MODE=node has a real kubelet, sim needs no root
	tests/cluster/cluster up --name $(CLUSTER_NAME) --mode $(CLUSTER_MODE)

cluster-down: ## Stop it
	tests/cluster/cluster down --name $(CLUSTER_NAME)

cluster-check: cluster-bin ## Prove that a cluster leaves nothing behind, also after a kill
	tests/cluster/build sim
	tests/cluster/selftest
