#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_kinds.sh - real hosts through the port kinds that the other tests don't use: AF_XDP sockets.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"

is_root || {
  echo "needs root: network namespaces"
  exit 77
}

dir=
cleanup() {
  router_stop
  lab_down
  [ -z "$dir" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d /tmp/dwcp-kinds-$$-XXXXXX) || exit 1
# shellcheck disable=SC2034 # router.sh
ROUTER_DIR=$dir

failed=0
expect() {
  local what=$1
  shift
  if "$@"; then
    say "ok      $what"
  else
    say "FAILED  $what: $*"
    failed=1
  fi
}
pings() { lab_in "$LAB_CLIENT" ping -n -q -c 50 -i 0.01 -W 1 "$@" | grep -q ' 0% packet loss'; }
accounted() { [ "$(cli_dataplane --json status | jq .accounting.difference)" = 0 ]; }
received() { cli_dataplane --json ports | jq '[.ports[].rx_packets] | add'; }

lab_up "dwcp-kinds-$$" && lab_neighbours && lab_server_gateways || die "cannot make the hosts"
router_config_ports() {
  cat <<CONF
ports = (
  { name = "a"; twin = "off"; device = "af_xdp"; args = "iface=port-a"; addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "off"; device = "af_xdp"; args = "iface=port-b"; addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
CONF
}
router_config "$dir" "$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)"
router_start_dataplane "$dir"
router_start_agent "$dir"
wait_for 20 router_ready || {
  tail -n 20 "$dir"/*.log
  die "the router did not start"
}
expect "af_xdp, IPv4, 50 pings" pings 10.0.2.2
expect "af_xdp, IPv6, 50 pings" pings fd00:2::2
expect "af_xdp, IPv4, 1,500 bytes" pings -M "do" -s 1472 10.0.2.2
expect "the router saw them" [ "$(received)" -ge 300 ]
expect "accounting" accounted
exit $failed
