# shellcheck shell=bash
# etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

pod_net=10.244.0
service_net=10.96.0

kubectl() { KUBECONFIG=$state/kubeconfig "$state/programs/kubectl" "$@"; }

# link_programs gives the one binary the names that choose its programs.
link_programs() {
  local program
  mkdir -p "$state/programs"
  for program in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -sf "$bin/kube-$KUBERNETES" "$state/programs/$program"
  done
}

# listening PORT tells whether somebody listens on a TCP port here. Read from the kernel, so that no tool is needed.
listening() {
  local port
  printf -v port '%04X' "$1"
  awk -v port=":$port" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

block_taken() {
  local base=$1 other port
  for other in "$(dirname "$state")"/*/ports; do
    [[ $other != "$state/ports" && -f $other ]] && read -r port _ <"$other" && ((port == base)) && return 0
  done
  for port in $(seq "$base" $((base + 4))); do ! listening "$port" || return 0; done
  return 1
}

# choose_ports takes five free ports for a simulated cluster, which lives in the host's network. They lie below the
# ports that the kernel hands out by itself; the lock keeps two starts at the same time apart.
choose_ports() {
  local base
  if [[ $mode == node ]]; then
    echo "6443 2379 2380 10257 10259" >"$state/ports"
  else
    exec 8>"$(dirname "$state")/.ports.lock"
    flock 8
    for base in $(seq 21000 10 29990); do
      block_taken "$base" || break
    done
    seq "$base" $((base + 4)) | paste -sd' ' >"$state/ports"
    exec 8>&-
  fi
  read_ports
}

read_ports() { read -r api_port etcd_port etcd_peer_port controller_port scheduler_port <"$state/ports"; }

start_etcd() {
  # Without fsync: the data needs to survive a killed process, not a killed machine.
  launch etcd "$state/programs/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level error --quota-backend-bytes 8589934592 \
    --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
    --listen-peer-urls "http://127.0.0.1:$etcd_peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$etcd_peer_port" \
    --initial-cluster "default=http://127.0.0.1:$etcd_peer_port"
}

start_apiserver() {
  local pki=$state/pki address=127.0.0.1
  [[ $mode == sim ]] || address=$pod_net.1
  launch apiserver "$state/programs/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --secure-port="$api_port" \
    --bind-address="$([[ $mode == sim ]] && echo 127.0.0.1 || echo 0.0.0.0)" --advertise-address="$address" \
    --endpoint-reconciler-type="$([[ $mode == sim ]] && echo none || echo lease)" \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User \
    --service-cluster-ip-range="$service_net.0/16" --allow-privileged --authorization-mode=Node,RBAC \
    --enable-admission-plugins=NodeRestriction \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/service-account.pub" \
    --service-account-signing-key-file="$pki/service-account.key" \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-preferred-address-types=InternalIP \
    --max-requests-inflight=3000 --max-mutating-requests-inflight=1500 \
    --audit-policy-file="$cluster_src/config/audit-policy.yaml" --audit-log-path="$state/audit.log" \
    --audit-log-format=json --audit-log-mode=blocking --audit-log-maxsize=100000
  wait_for 60 "the apiserver" kubectl get --raw /readyz || die "the apiserver did not start: $(tail -5 "$state/log/apiserver.log")"
}

# start_controllers raises every limit that would only slow the tests down. How long a silent node is trusted stays as
# it is, since tests rely on it.
start_controllers() {
  launch controller-manager "$state/programs/kube-controller-manager" --kubeconfig="$state/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$state/controller-manager.kubeconfig" --authorization-kubeconfig="$state/controller-manager.kubeconfig" \
    --bind-address=127.0.0.1 --secure-port="$controller_port" --tls-cert-file="$state/pki/api.crt" --tls-private-key-file="$state/pki/api.key" --leader-elect=false \
    --use-service-account-credentials --service-account-private-key-file="$state/pki/service-account.key" --root-ca-file="$state/pki/ca.crt" \
    --kube-api-qps=2000 --kube-api-burst=4000 --concurrent-deployment-syncs=20 --concurrent-replicaset-syncs=20 \
    --concurrent-namespace-syncs=20 --concurrent-gc-syncs=20 --concurrent-service-endpoint-syncs=20
  launch scheduler "$state/programs/kube-scheduler" --kubeconfig="$state/scheduler.kubeconfig" \
    --authentication-kubeconfig="$state/scheduler.kubeconfig" --authorization-kubeconfig="$state/scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --secure-port="$scheduler_port" --tls-cert-file="$state/pki/api.crt" --tls-private-key-file="$state/pki/api.key" --leader-elect=false \
    --kube-api-qps=2000 --kube-api-burst=4000
}
