#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_configs.sh - the daemons' own programs take the files in configs/, and the three agree with each other on
# ports, addresses and AS numbers. That a broken file isn't taken is tried as well.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
: "${BUILD:=$ROOT/build}"
PATH=$PATH:/usr/sbin

for tool in bird vtysh; do
  command -v "$tool" >/dev/null || {
    echo "needs $tool (scripts/deps routing)"
    exit 77
  }
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

failed=0
expect() {
  local what=$1
  shift
  if "$@" >"$dir/out" 2>&1; then
    say "ok      $what"
  else
    say "FAILED  $what: $*"
    tail -n 5 "$dir/out"
    failed=1
  fi
}
not() { ! "$@"; }

# vtysh reads a directory. It exits with 0 at some errors and prints a line at every one.
vtysh_takes() {
  mkdir -p "$dir/frr" && cp "$1" "$dir/frr/frr.conf" && : >"$dir/frr/vtysh.conf" || return 1
  vtysh --config_dir "$dir/frr" -C >"$dir/said" 2>&1 && not grep -v '^$' "$dir/said"
}
bird_takes() { bird -p -c "$1"; }
dwcp_takes() { "$BUILD/control/cli/dwcp-cli" config check "$1"; }

expect "bird.conf" bird_takes "$ROOT/configs/bird.conf"
sed 's/import limit/import limits/' "$ROOT/configs/bird.conf" >"$dir/bird.conf"
expect "bird.conf with a wrong word is refused" not bird_takes "$dir/bird.conf"
expect "frr.conf" vtysh_takes "$ROOT/configs/frr/frr.conf"
sed 's/maximum-paths/maximum-ways/' "$ROOT/configs/frr/frr.conf" >"$dir/frr.conf"
expect "frr.conf with a wrong word is refused" not vtysh_takes "$dir/frr.conf"
expect "routing-node.conf" dwcp_takes "$ROOT/configs/routing-node.conf"

# What stands in all of them must be the same. The peers' addresses are the other ends of ours.
for word in 64500 64496 64497 203.0.113.1 transit0 transit1 inside 192.0.2.0 192.0.2.2 2001:db8:ffff:: 2001:db8:ffff::2; do
  expect "$word in bird.conf" grep -qwF "$word" "$ROOT/configs/bird.conf"
  expect "$word in frr.conf" grep -qwF "$word" "$ROOT/configs/frr/frr.conf"
done
for port in transit0 transit1 inside; do
  expect "port $port" grep -q "name = \"$port\";" "$ROOT/configs/routing-node.conf"
done
exit $failed
