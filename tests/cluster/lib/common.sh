# shellcheck shell=bash
# Paths and small helpers that every script of the test cluster shares.

# The Kubernetes minor version, the one variable that chooses the build.
KUBERNETES=${KUBERNETES:-1.36}

cluster_src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$cluster_src/../.." && pwd)
cluster_target=${BACKSTAY_CLUSTER_TARGET:-$repository/target/cluster}
bin=$cluster_target/bin
images=$cluster_target/images
export KUBERNETES cluster_src cluster_target bin images

say() { printf 'cluster: %s\n' "$*" >&2; }

die() {
  printf 'cluster: error: %s\n' "$*" >&2
  exit 1
}

# wait_for SECONDS WHAT COMMAND... retries the command until it succeeds.
wait_for() {
  local limit=$1 what=$2 deadline
  shift 2
  deadline=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || {
      say "gave up after ${limit}s waiting for $what"
      return 1
    }
    sleep 0.1
  done
}

# require_commands COMMAND=PACKAGE... installs the packages of missing commands
# when root and on a Debian-like system, and names them all at once otherwise.
require_commands() {
  local pair packages=()
  for pair in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  ((${#packages[@]} == 0)) || require_packages "${packages[@]}"
}

require_packages() {
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null 2>&1 && return 0
    # An image without package lists needs one update; lists that are there are not refreshed for nothing.
    apt-get update -q >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null && return 0
  fi
  die "missing system packages: $* (as root: apt-get install $*)"
}

# postgres_programs prints where the newest server lies that Debian's packages have put on this machine.
postgres_programs() {
  { find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' -printf '%h\n' 2>/dev/null || true; } | sort -V | tail -n 1
}

# require_postgres installs the server where there is none. The package would also make a database cluster and start it
# on this machine, so it is told not to, for as long as that takes.
require_postgres() {
  local settings=/etc/postgresql-common/createcluster.conf rc=0
  require_commands setpriv=util-linux openssl=openssl
  [[ -z $(postgres_programs) ]] || return 0
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    require_packages postgresql-common
    # In a shell of its own, whose end puts the settings back however it comes.
    (
      cp -p "$settings" "$cluster_target/createcluster.conf"
      trap 'cp -p "$cluster_target/createcluster.conf" "$settings"' EXIT
      trap 'exit 130' INT TERM
      echo 'create_main_cluster = false' >>"$settings"
      require_packages postgresql
    ) || rc=$?
    ((rc == 0)) || exit "$rc"
  else
    require_packages postgresql
  fi
  [[ -n $(postgres_programs) ]] || die "the package postgresql has put no server into /usr/lib/postgresql"
}
