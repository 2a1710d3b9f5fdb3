# shellcheck shell=bash
# Starting, finding and ending the processes of one cluster. Every process
# carries the cluster's state directory in its environment; that mark, and not
# a name or a bare process id, says that a process is ours to end.

mark=BACKSTAY_CLUSTER_STATE

# ours PID tells whether the process carries this cluster's mark.
ours() { [[ -n $1 ]] && grep -qzxF "$mark=$state" "/proc/$1/environ" 2>/dev/null; }

# launch NAME COMMAND... starts a daemon, writes its output to log/NAME.log and
# its id, as the host sees it, to pids/NAME.
launch() {
  local daemon=$1 program
  shift
  # shellcheck disable=SC2016 # expanded by the inner shell
  program='
    read -r pid _ <"$1/self/stat"
    [ -z "$2" ] || echo 0 >"$2/cgroup.procs"
    echo "$pid" >"$3"
    shift 3
    exec "$@"'
  env "$mark=$state" setsid bash -c "$program" launch "${host_proc:-/proc}" "$(daemon_cgroup)" "$state/pids/$daemon" "$@" \
    >>"$state/log/$daemon.log" 2>&1 </dev/null 9>&- &
}

pid_of() { cat "$state/pids/$1" 2>/dev/null || true; }

running() { ours "$(pid_of "$1")"; }

# gone PID tells whether the process has ended. One that is on its way out has no environment any more, and its first
# thread may be dead before the others: its ports are free only when the last of them is gone.
gone() {
  local status threads
  status=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  status=${status##*) }
  threads=("/proc/$1/task"/*)
  [[ $status == [ZX]* ]] && ((${#threads[@]} <= 1))
}

# stop_one NAME SIGNAL SECONDS ends one daemon, with SIGKILL when the signal does not end it in time.
stop_one() {
  local pid
  pid=$(pid_of "$1")
  ours "$pid" || return 0
  kill "-$2" "$pid" 2>/dev/null || true
  wait_for "$3" "$1 to stop" gone "$pid" && return 0
  kill -KILL "$pid" 2>/dev/null || true
  wait_for 10 "$1 to die" gone "$pid"
}

# ancestors prints this process and everything above it, which a stop must spare.
ancestors() {
  local pid=$$ status
  while ((pid > 1)); do
    echo "$pid"
    status=$(<"/proc/$pid/stat") || return 0
    # The name in parentheses may hold spaces; the parent is the second field after it.
    read -r _ pid _ <<<"${status##*)}"
  done
}

# marked_processes prints the ids of all processes with this cluster's mark.
marked_processes() {
  local file pid spare
  spare=" $(ancestors | tr '\n' ' ') "
  while read -r file; do
    pid=${file#/proc/}
    pid=${pid%/environ}
    [[ $spare == *" $pid "* ]] || echo "$pid"
  done < <(grep -lzxF "$mark=$state" /proc/[0-9]*/environ 2>/dev/null)
}

no_processes() { [[ -z $(marked_processes) ]]; }

# end_all kills everything that carries the mark. The state is thrown away, so nothing needs time to say goodbye.
end_all() {
  local pid init
  init=$(cat "$state/init.pid" 2>/dev/null || true)
  # The kernel ends a process namespace with its first process: kubelet, containerd, shims and containers at once.
  ! ours "$init" || kill -KILL "$init" 2>/dev/null || true
  for _ in 1 2 3; do
    for pid in $(marked_processes); do kill -KILL "$pid" 2>/dev/null || true; done
    wait_for 5 "processes of $name to end" no_processes && return 0
  done
  die "processes of cluster $name do not end: $(marked_processes | tr '\n' ' ')"
}
