#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_clean.sh - a stranger's first minutes: a bare Debian 12 (debootstrap --variant=minbase), a fresh clone of what is
# committed, ./scripts/demo as root and as nobody. Says how long each took.
#
# Everything runs in a mount and a process namespace of its own: its mounts and processes vanish with it, and the root file
# system that is deleted afterwards holds none.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
MIRROR=${DWCP_MIRROR:-http://deb.debian.org/debian}

skip() {
  say "$*"
  exit 77
}
is_root || skip "needs root: chroot"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
git -C "$ROOT" rev-parse HEAD >/dev/null 2>&1 || skip "not a git repository: nothing to clone"
curl -fsS --max-time 20 -o /dev/null "$MIRROR/dists/bookworm/Release" || skip "$MIRROR does not answer"

work=$(mktemp -d /tmp/dwcp-clean-$$-XXXXXX) || exit 1
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
root=$work/root

step "debootstrap --variant=minbase bookworm"
debootstrap --variant=minbase bookworm "$root" "$MIRROR" >"$work/debootstrap.log" 2>&1 </dev/null || {
  tail -n 20 "$work/debootstrap.log"
  die "debootstrap failed"
}
cp /etc/resolv.conf "$root/etc/resolv.conf"
step "git clone"
git clone -q --no-hardlinks "file://$ROOT" "$root/src" || die "git clone failed"
step "commit $(git -C "$root/src" rev-parse --short HEAD)"

# in_root COMMAND…
in_root() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child --propagation private -- bash -c '
    root=$1
    shift
    mount -t proc proc "$root/proc" && mount -t sysfs -o ro sysfs "$root/sys" &&
      mount -t tmpfs tmpfs "$root/run" && mount -t tmpfs tmpfs "$root/tmp" &&
      mkdir -p "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm" || exit 1
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true \
      ${http_proxy:+http_proxy="$http_proxy"} "$@"' in_root "$root" "$@" </dev/null
}

step "./scripts/demo on the bare machine"
start=$SECONDS
in_root /src/scripts/demo || die "the demo failed on a bare machine"
first=$((SECONDS - start))

step "as nobody"
start=$SECONDS
in_root setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent /src/scripts/demo ||
  die "the demo failed for nobody"
say
say "clone to the end of the demo on a bare machine: $first s, installing and building included"
say "again, as nobody, from capture to capture: $((SECONDS - start)) s"
