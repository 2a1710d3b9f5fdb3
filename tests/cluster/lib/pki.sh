# shellcheck shell=bash
# Certificates and kubeconfigs of one cluster.

# certificate NAME SUBJECT USAGE [ALTERNATIVE-NAMES] makes an X.509 v3 certificate; rustls refuses version 1.
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n%s\n' "$3" "${4:+subjectAltName=$4}" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" -days 365 -out "$1.crt" -extfile "$1.ext"
}

write_certificates() {
  mkdir -p "$state/pki"
  cd "$state/pki" || return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -subj /CN=backstay-test-ca -days 365
  certificate admin /O=system:masters/CN=admin clientAuth
  certificate controller-manager /CN=system:kube-controller-manager clientAuth
  certificate scheduler /CN=system:kube-scheduler clientAuth
  certificate proxy /CN=system:kube-proxy clientAuth
  certificate kubelet /O=system:nodes/CN=system:node:node1 clientAuth
  certificate api /CN=kube-apiserver serverAuth "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$pod_net.1,IP:$service_net.1"
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out service-account.key
  openssl pkey -in service-account.key -pubout -out service-account.pub
}

# kubeconfig USER FILE writes a kubeconfig with everything in it, so that the file can be used from anywhere.
kubeconfig() {
  local pki=$state/pki
  cat >"$2" <<EOF
apiVersion: v1
kind: Config
current-context: backstay-test-$name
clusters:
- name: backstay-test-$name
  cluster:
    server: https://127.0.0.1:$api_port
    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
contexts:
- name: backstay-test-$name
  context: {cluster: backstay-test-$name, user: $1}
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$pki/$1.crt")
    client-key-data: $(base64 -w0 "$pki/$1.key")
EOF
}

write_credentials() {
  local user
  (write_certificates) >"$state/log/openssl.log" 2>&1 || die "certificates: $(tail -3 "$state/log/openssl.log")"
  for user in controller-manager scheduler proxy kubelet; do kubeconfig "$user" "$state/$user.kubeconfig"; done
  kubeconfig admin "$state/kubeconfig"
  chmod 600 "$state"/*kubeconfig
}
