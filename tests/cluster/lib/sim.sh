# shellcheck shell=bash
# Simulated nodes: kwok plays the kubelet with the Stage files in stages/.

start_kwok() {
  local files=() stage
  for stage in "$cluster_src"/stages/*.yaml; do files+=(--config "$stage"); done
  launch kwok "$bin/kwok" --kubeconfig="$state/kubeconfig" "${files[@]}" --config "$cluster_src/config/kwok.yaml" \
    --manage-all-nodes --cidr=10.0.0.0/12 --node-ip=127.0.0.1 --node-lease-duration-seconds=40
}

# simulated_node NUMBER prints one node with room for hundreds of small pods.
simulated_node() {
  cat <<EOF
---
apiVersion: v1
kind: Node
metadata:
  name: sim-$1
  labels: {kubernetes.io/hostname: sim-$1, kubernetes.io/os: linux, kubernetes.io/arch: amd64, topology.kubernetes.io/zone: zone-$(($1 % 3))}
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "1000", ephemeral-storage: 1Ti}
  capacity: {cpu: "64", memory: 256Gi, pods: "1000", ephemeral-storage: 1Ti}
EOF
}

start_sim() {
  local number
  start_etcd
  start_apiserver
  start_controllers
  start_kwok
  for number in $(seq "$nodes"); do simulated_node "$number"; done | kubectl apply --server-side -f - >/dev/null
  kubectl wait --for=condition=Ready node --all --timeout=30s >/dev/null
  kubectl wait --for=create serviceaccount/default --timeout=60s >/dev/null
}

# command_nodes VERB NODE... A vanished node stops its heartbeat, and after the controller manager's grace (50 s) its state
# is unknown; one that is not ready says so at once.
command_nodes() {
  local verb=${1:-} node
  shift || true
  [[ $mode == sim ]] || die "only simulated nodes can be told to fail"
  (($#)) || die "nodes vanish|not-ready|ready needs the names of nodes"
  for node in "$@"; do
    case $verb in
      vanish)
        hold_lease "$node" '"nobody"' 31536000
        kubectl annotate node "$node" sim.backstay.dev/node- >/dev/null
        ;;
      ready)
        return_lease "$node"
        kubectl annotate node "$node" sim.backstay.dev/node- >/dev/null
        ;;
      not-ready) kubectl annotate --overwrite node "$node" sim.backstay.dev/node=not-ready ;;
      *) die "nodes vanish|not-ready|ready" ;;
    esac
  done
}

# The change renews the lease once: since 1.37 the controller manager judges no node whose lease has changed without that
# (https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/controller/nodelifecycle/node_lifecycle_controller.go).
hold_lease() {
  kubectl patch lease "$1" -n kube-node-lease --type merge \
    -p "{\"spec\":{\"holderIdentity\":$2,\"leaseDurationSeconds\":$3,\"renewTime\":\"$(date -u +%FT%T.%6NZ)\"}}"
}

# kwok passes over what happens to the pods of a node while it does not hold its lease, so it is shown them once more.
return_lease() {
  [[ $(kubectl get lease "$1" -n kube-node-lease -o 'jsonpath={.spec.holderIdentity}') == nobody ]] || return 0
  hold_lease "$1" null 40
  kubectl wait "lease/$1" -n kube-node-lease --for='jsonpath={.spec.holderIdentity}' --timeout=60s >/dev/null
  # All of them are shown, whatever becomes of some; one that has gone away meanwhile needs it no more.
  local failed
  if ! failed=$(kubectl annotate pods --all-namespaces --field-selector "spec.nodeName=$1" --overwrite \
    "sim.backstay.dev/returned=$EPOCHREALTIME" 2>&1 >/dev/null); then
    failed=$(grep -vF '(NotFound)' <<<"$failed") || return 0
    die "showing pods of $1 once more: $failed"
  fi
}
