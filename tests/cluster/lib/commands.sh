# shellcheck shell=bash
# The commands of tests/cluster/cluster.

run_command() {
  local command=$1
  shift
  case $command in
    up) command_up ;;
    down) with_lock command_down ;;
    left) command_left ;;
    status) known_cluster && command_status ;;
    kubeconfig) known_cluster && echo "$state/kubeconfig" ;;
    state) echo "$state" ;;
    exec) known_cluster && command_exec "$@" ;;
    kubectl) known_cluster && command_exec kubectl "$@" ;;
    load) known_cluster && command_load "$@" ;;
    postgres) known_cluster && with_lock command_postgres ;;
    restart-apiserver) known_cluster && with_lock command_restart_apiserver ;;
    kill) known_cluster && command_kill "$@" ;;
    nodes) known_cluster && command_nodes "$@" ;;
    logs) command_logs "$@" ;;
    # These run inside the node's namespaces, called by the commands above.
    inside-start-node) inside_settings && start_node ;;
    inside-start-apiserver) inside_settings && start_apiserver ;;
    inside-start-postgres) inside_settings && start_postgres ;;
    inside-import) inside_settings && import "$1" ;;
    *) usage ;;
  esac
}

inside_settings() { known_cluster && read_ports; }

# with_lock lets one start or stop of a cluster happen at a time. The daemons must not inherit the lock.
with_lock() {
  mkdir -p "$(dirname "$state")"
  exec 9>"$state.lock"
  flock 9
  "$@"
}

# known_cluster reads what `up` wrote down.
known_cluster() {
  [[ -f $state/mode ]] || die "there is no cluster $name (state directory $state)"
  mode=$(<"$state/mode")
  KUBERNETES=$(<"$state/kubernetes")
}

command_up() {
  local begin=$SECONDS
  mode=${mode:-node}
  [[ $mode == node || $mode == sim ]] || die "--mode is node or sim"
  [[ $mode == sim ]] || needs_root
  [[ -x $bin/kube-$KUBERNETES && -x $bin/$([[ $mode == sim ]] && echo kwok || echo containerd) ]] || die "not built yet: run tests/cluster/build $mode"
  with_lock start_cluster
  say "cluster $name ($mode, Kubernetes $KUBERNETES) is up after $((SECONDS - begin)) s"
  echo "$state/kubeconfig"
}

start_cluster() {
  clear_cluster
  mkdir -p "$state"/{log,pids}
  echo "$mode" >"$state/mode"
  echo "$KUBERNETES" >"$state/kubernetes"
  link_programs
  choose_ports
  write_credentials
  # In the background and not as a condition, where the shell would go on after a failing step.
  start_mode &
  if ! wait $!; then
    command_logs
    command_down
    die "cluster $name did not start"
  fi
}

start_mode() {
  if [[ $mode == sim ]]; then
    start_sim
  else
    create_cgroups
    create_namespaces
    inside "$cluster_src/cluster" inside-start-node --name "$name" --state "$state"
  fi
}

# stop_everything leaves no process, namespace, mount or control group of this cluster, whatever state it is in.
stop_everything() {
  local target
  [[ -d $state ]] || return 0
  end_all
  # Not only when the state says that it was a node: a killed start may not have written that down.
  ((EUID == 0)) || return 0
  remove_cgroups
  # Mounts live in the node's own namespace and went with it; this is for what somebody else mounted.
  awk -v state="$state/" 'index($5, state) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while read -r target; do umount -l "$target"; done
  rmdir /var/lib/kubelet /var/lib/cni 2>/dev/null || true
}

clear_cluster() {
  stop_everything
  rm -rf "$state"
}

# command_down keeps what a person wants to read afterwards.
command_down() {
  [[ -d $state ]] || return 0
  stop_everything
  find "$state" -mindepth 1 -maxdepth 1 ! -name log ! -name audit.log -exec rm -rf {} +
  say "cluster $name is down; logs in $state/log"
}

# command_left prints what is still there of a cluster that was stopped, by every kind of trace, and fails if anything is.
command_left() {
  local left
  left=$(
    marked_processes | sed 's/^/process /'
    # The pattern comes in by a pipe: as an argument it would find itself.
    grep -lzF -f <(printf '%s/\n' "$state") /proc/[0-9]*/cmdline 2>/dev/null | sed 's/^/process by command line /'
    awk -v state="$state/" 'index($5, state) == 1 { print "mount " $5 }' /proc/self/mountinfo
    find /sys/fs/cgroup -maxdepth 2 -type d -name "$(cgroup_name)" 2>/dev/null | sed 's/^/control group /'
    # A search that found nothing is no failure.
    true
  )
  [[ -z $left ]] && return 0
  say "left of cluster $name:"
  printf '%s\n' "$left" >&2
  return 1
}

command_status() {
  local file daemon failed=0
  for file in "$state"/pids/*; do
    daemon=${file##*/}
    if running "$daemon"; then
      printf '%-20s running %s\n' "$daemon" "$(<"$file")"
    else
      printf '%-20s STOPPED\n' "$daemon"
      failed=1
    fi
  done
  return "$failed"
}

# command_exec replaces this process, so that signals reach the command.
command_exec() {
  (($#)) || die "exec needs a command after --"
  local wrap=()
  [[ $mode == sim ]] || wrap=(nsenter --target "$(init_pid)" --net --)
  exec env "$mark=$state" KUBECONFIG="$state/kubeconfig" PATH="$state/programs:$bin:$PATH" "${wrap[@]}" "$@"
}

command_load() {
  local tar
  [[ $mode == node ]] || die "simulated nodes need no images"
  for tar in "$@"; do
    [[ -f $tar ]] || die "no such file: $tar"
    inside "$cluster_src/cluster" inside-import --name "$name" --state "$state" "$(realpath "$tar")"
  done
}

command_restart_apiserver() {
  read_ports
  stop_one apiserver "${signal:-TERM}" 15
  if [[ $mode == sim ]]; then
    start_apiserver
  else
    inside "$cluster_src/cluster" inside-start-apiserver --name "$name" --state "$state"
  fi
}

command_kill() {
  local pid
  pid=$(pid_of "${1:?kill needs the name of a daemon}")
  ours "$pid" || die "$1 is not running in cluster $name"
  kill "-${signal:-KILL}" "$pid"
}

command_logs() {
  local file only=${1:-}
  for file in "$state"/log/*.log; do
    [[ -s $file && (-z $only || $file == */$only.log) ]] || continue
    printf '==> %s <==\n' "$file" >&2
    tail -n "${LINES_OF_LOG:-20}" "$file" >&2
  done
}
