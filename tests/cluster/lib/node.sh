# shellcheck shell=bash
# The real node: namespaces, containerd, CNI, kubelet, kube-proxy and the
# loopback registry.

needs_root() { ((EUID == 0)) || die "--mode node needs root; --mode sim does not"; }

# create_namespaces starts the first process of the node's own namespaces. They have no name on the host, so nothing is
# left of them when that process is killed.
create_namespaces() {
  # Mount points for init.sh; they stay empty on the host.
  mkdir -p /var/lib/kubelet /var/lib/cni
  env "$mark=$state" setsid unshare --fork --pid --mount --net --ipc --propagation private \
    bash "$cluster_src/lib/init.sh" "$state" >"$state/log/init.log" 2>&1 </dev/null 9>&- &
  wait_for 10 "the node's namespaces" test -s "$state/init.pid" || die "no namespaces: $(cat "$state/log/init.log")"
}

init_pid() {
  local pid
  pid=$(cat "$state/init.pid" 2>/dev/null || true)
  ours "$pid" || die "cluster $name is not running"
  echo "$pid"
}

# inside COMMAND... runs a command in all the namespaces of the node.
inside() { env host_proc=/run/host-proc nsenter --target "$(init_pid)" --pid --mount --net --ipc -- "$@" 9>&-; }

start_network() {
  ip link add cni0 type bridge
  ip addr add "$pod_net.1/24" dev cni0
  ip link set cni0 up
  # There is no default route; Service addresses need one before kube-proxy rewrites them.
  ip route replace "$service_net.0/16" dev cni0
  mkdir -p "$state/cni"
  cat >"$state/cni/10-pods.conflist" <<EOF
{"cniVersion":"1.0.0","name":"pods","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"hairpinMode":true,"ipam":{"type":"host-local","dataDir":"$state/ipam",
  "ranges":[[{"subnet":"$pod_net.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
EOF
}

# registry_host HOST:PORT SCHEME tells containerd how to reach one registry.
registry_host() {
  mkdir -p "$state/registry.d/$1"
  printf 'server = "%s://%s"\n[host."%s://%s"]\n  capabilities = ["pull", "resolve"]\n' "$2" "$1" "$2" "$1" >"$state/registry.d/$1/hosts.toml"
}

start_registry() {
  launch registry "$bin/registry" --listen 127.0.0.1:5000 \
    --tls-listen 127.0.0.1:5443 --tls-cert "$state/pki/api.crt" --tls-key "$state/pki/api.key"
  registry_host localhost:5000 http
  registry_host localhost:5443 https
  # A test may start one here, and end it.
  registry_host localhost:5001 http
  # Nothing listens here: the registry that is down.
  registry_host localhost:5999 http
}

start_containerd() {
  # restrict_oom_score_adj: where the limits around us forbid a lower score, runc fails every sandbox without it.
  cat >"$state/containerd.toml" <<EOF
version = 3
root = "$state/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost:5000/pause:1"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "$state/registry.d"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["$bin"]
    conf_dir = "$state/cni"
EOF
  PATH="$bin:$PATH:/usr/sbin:/sbin" launch containerd "$bin/containerd" -c "$state/containerd.toml"
  wait_for 20 containerd test -S /run/containerd/containerd.sock || die "containerd: $(tail -5 "$state/log/containerd.log")"
}

# import TAR gives an image to the node's containerd, and to the loopback registry for pods that always pull.
import() {
  "$bin/ctr" --address /run/containerd/containerd.sock --namespace k8s.io images import --local "$1" >>"$state/log/images.log" 2>&1 ||
    die "importing $1: $(tail -3 "$state/log/images.log")"
  "$bin/image" --push "$1" || die "pushing $1"
}

start_kubelet() {
  # The host's disk and memory thresholds are off, so that a full disk does not evict the tests.
  cat >"$state/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /$(cgroup_name)
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $state/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/api.crt
tlsPrivateKeyFile: $state/pki/api.key
maxPods: 250
registryPullQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
eventRecordQPS: 1000
serializeImagePulls: false
evictionHard: {}
localStorageCapacityIsolation: true
imageGCHighThresholdPercent: 100
resolvConf: ""
clusterDNS: [$service_net.10]
EOF
  PATH="$PATH:/usr/sbin:/sbin" launch kubelet "$state/programs/kubelet" --kubeconfig="$state/kubelet.kubeconfig" --config="$state/kubelet.yaml" \
    --hostname-override=node1 --node-ip="$pod_net.1" --root-dir="$state/kubelet" --cert-dir="$state/kubelet/pki"
}

start_proxy() {
  cat >"$state/proxy.yaml" <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $state/proxy.kubeconfig}
hostnameOverride: node1
bindAddress: 127.0.0.1
conntrack: {maxPerCore: 0}
EOF
  PATH="$PATH:/usr/sbin:/sbin" launch proxy "$state/programs/kube-proxy" --config="$state/proxy.yaml"
}

# no_dns gives pods a name server that refuses at once: there is none, and waiting for an answer would slow the tests.
no_dns() {
  kubectl apply --server-side -f - >/dev/null <<EOF
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: $service_net.10
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
EOF
}

# start_node runs inside the namespaces.
start_node() {
  local tar
  start_network
  start_etcd
  start_registry
  start_containerd
  start_apiserver
  start_controllers
  start_kubelet
  start_proxy
  wait_for 10 "the registry" listening 5000 || die "the registry did not start"
  for tar in "$images"/*.tar; do import "$tar"; done
  no_dns
  kubectl wait --for=create node/node1 --timeout=60s >/dev/null
  kubectl wait --for=condition=Ready node/node1 --timeout=90s >/dev/null
  # Pods are refused until the account of their namespace exists.
  kubectl wait --for=create serviceaccount/default --timeout=60s >/dev/null
}
