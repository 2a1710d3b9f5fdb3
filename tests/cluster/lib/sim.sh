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
  allocatable: {cpu: "64", memory: 256Gi, pods: "2000", ephemeral-storage: 1Ti}
  capacity: {cpu: "64", memory: 256Gi, pods: "2000", ephemeral-storage: 1Ti}
EOF
}

start_sim() {
  local number
  start_etcd
  start_apiserver
  start_controllers
  start_kwok
  for number in $(seq "$nodes"); do simulated_node "$number"; done | kubectl apply --server-side -f - >/dev/null
  kubectl wait --for=condition=Ready node --all --timeout=60s >/dev/null
  kubectl wait --for=create serviceaccount/default --timeout=60s >/dev/null
}
