# shellcheck shell=bash
# The cluster's own control groups, for version 1 and version 2 of the kernel
# interface. Pods of two clusters would otherwise share /kubepods, and each
# kubelet ends pods there that it does not know.

# The name holds a digest of the state directory: two checkouts may both have a cluster of the same name.
cgroup_name() { printf 'backstay-%s-%s' "$name" "$(printf %s "$state" | sha256sum | cut -c1-8)"; }

cgroup_v2() { [[ -f /sys/fs/cgroup/cgroup.controllers ]]; }

# cgroup_roots prints every hierarchy. With version 1 there may be an empty one of version 2 as well, which runc uses.
cgroup_roots() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts | sort -u; }

# daemon_cgroup is the group that the cluster's own daemons live in: a leaf on
# version 2, where a group with children may not hold processes; on version 1
# only the counting hierarchy, so that limits around us go on to hold.
daemon_cgroup() {
  [[ $mode == node ]] || return 0
  if cgroup_v2; then
    echo "/sys/fs/cgroup/$(cgroup_name)/daemons"
  elif [[ -d /sys/fs/cgroup/pids ]]; then
    echo "/sys/fs/cgroup/pids/$(cgroup_name)/daemons"
  fi
}

enable_controllers() {
  local controller
  for controller in $(<"$1/cgroup.controllers"); do
    echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
  done
}

create_cgroups() {
  local root group file daemons
  for root in $(cgroup_roots); do
    group=$root/$(cgroup_name)
    mkdir -p "$group"
    if cgroup_v2; then
      enable_controllers "$root"
      enable_controllers "$group"
      continue
    fi
    # A new cpuset has no processor and no memory node, and takes no process until it has.
    for file in cpuset.cpus cpuset.mems; do
      [[ ! -f $group/$file ]] || cat "$root/$file" >"$group/$file"
    done
  done
  daemons=$(daemon_cgroup)
  [[ -z $daemons ]] || mkdir -p "$daemons"
}

remove_tree() {
  local group=$1 pid
  [[ -d $group ]] || return 0
  while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done \
    < <(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
  [[ ! -d $group ]]
}

remove_cgroups() {
  local root
  for root in $(cgroup_roots); do
    wait_for 10 "control group $root/$(cgroup_name)" remove_tree "$root/$(cgroup_name)" || die "$root/$(cgroup_name) cannot be removed"
  done
}
