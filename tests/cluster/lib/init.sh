#!/usr/bin/env bash
# The first process inside a node cluster's own process, mount and network
# namespaces. When it ends, the kernel ends everything in them. It makes private
# what a node keeps in fixed places, and then reaps.
# Usage: init.sh STATE
set -euo pipefail
state=$1

# Still the host's /proc here: this is our id as the host sees it.
read -r pid _ </proc/self/stat

# Shared within this namespace, as kubelets expect of their root; nothing goes back to the host.
mount --make-rprivate /
mount --make-rshared /
mount -t tmpfs tmpfs /run
mkdir -p /run/host-proc /run/lock
mount --bind /proc /run/host-proc
# Else the next mount would appear here too.
mount --make-private /run/host-proc
mount -t proc proc /proc
# Places that kubelet and the CNI library insist on, whatever their settings say.
mount -t tmpfs tmpfs /var/lib/kubelet
mount -t tmpfs tmpfs /var/lib/cni
mkdir -p "$state/log/pods"
mount --bind "$state/log/pods" /var/log

PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward

echo "$pid" >"$state/init.pid.new"
mv "$state/init.pid.new" "$state/init.pid"
trap '' TERM INT HUP
while :; do
  sleep 3600 &
  wait $! || true
done
