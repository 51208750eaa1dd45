#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_hosts.sh - what two real hosts see of the router, and what it says about it: sizes, TTL, every kind of route, an
# address of its own, a cable pulled and plugged in. Each drop is counted exactly and under its name.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"
# shellcheck source=accounting.sh
. "$ROOT/tests/net/accounting.sh"

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
dir=$(mktemp -d /tmp/dwcp-hosts-$$-XXXXXX) || exit 1
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
dropped() { cli_dataplane --json drops | jq --arg r "$1" '[.drops[] | select(.reason == $r) | .packets] | add // 0'; }
# expect_drops REASON N COMMAND…: the command fails, and exactly N packets are dropped for REASON.
expect_drops() {
  local reason=$1 n=$2 before after
  shift 2
  before=$(dropped "$reason")
  if "$@" >/dev/null 2>&1; then
    say "FAILED  $reason: got through: $*"
    failed=1
    return
  fi
  after=$(dropped "$reason")
  expect "$reason dropped $n" [ $((after - before)) -eq "$n" ]
}
client() { lab_in "$LAB_CLIENT" "$@"; }
pings() { client ping -n -q -c 3 -i 0.02 -W 1 "$@" >/dev/null 2>&1; }
from_server() { lab_in "$LAB_SERVER" ping -n -q -c 3 -i 0.02 -W 1 10.0.1.2 >/dev/null 2>&1; }
generation() { cli_dataplane --json tables show | jq .generation; }
adopted_past() { [ "$(generation)" -gt "$1" ]; }
route() {
  local before
  before=$(generation)
  cli routes "$@" >/dev/null || return 1
  wait_for 5 adopted_past "$before"
}
not() { ! "$@"; }

lab_up "dwcp-hosts-$$" && lab_neighbours && lab_server_gateways || die "cannot make the hosts"
router_config "$dir" "$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)"
router_start_dataplane "$dir"
router_start_agent "$dir"
wait_for 20 router_ready || {
  tail -n 20 "$dir"/*.log
  die "the router did not start"
}
accounting_begin

expect "IPv4" pings 10.0.2.2
expect "IPv6" pings fd00:2::2
expect "IPv4, 1,500 bytes, not to be fragmented" pings -M "do" -s 1472 10.0.2.2
expect "IPv6, 1,500 bytes" pings -M "do" -s 1452 fd00:2::2
expect "back from the server" from_server
expect "IPv4 in fragments" pings -s 4000 10.0.2.2
expect "IPv6 in fragments" pings -s 4000 fd00:2::2

expect_drops ip4_ttl 3 pings -t 1 10.0.2.2
expect_drops ip6_hop_limit 3 pings -t 1 fd00:2::2
expect_drops no_route 3 pings 203.0.113.1
expect_drops to_host 3 pings 10.0.2.1
expect_drops to_host 3 pings fd00:2::1

expect "route added" route add 203.0.113.0/24 via 10.0.2.20
expect "by the new route" pings 203.0.113.1
expect "the gateway's MAC was used" grep -q '^02:00:00:00:01:04 ' <(lab_gateway_frames)
expect "more specific blackhole" route add blackhole 203.0.113.0/28
expect_drops blackhole 3 pings 203.0.113.1
expect "beside it" pings 203.0.113.77
expect "prohibit" route add prohibit 203.0.113.64/28
expect_drops prohibit 3 pings 203.0.113.77
expect "blackhole deleted" route del 203.0.113.0/28
expect "open again" pings 203.0.113.1
expect "IPv6 route" route add 2001:db8:5::/48 nexthop via fd00:2::10 nexthop via fd00:2::11
expect "by two next hops" pings 2001:db8:5::1

# The router's own end goes down and comes back; what is sent meanwhile is lost, and nothing else.
lab_in "$LAB_ROUTER" ip link set port-b down
expect "no way through a port that is down" not pings 10.0.2.2
lab_in "$LAB_ROUTER" ip link set port-b up
expect "traffic flows again" wait_for 5 pings 10.0.2.2

kill -KILL "$ROUTER_AGENT_PID"
wait "$ROUTER_AGENT_PID" 2>/dev/null
expect "the agent is dead, traffic flows" pings 10.0.2.2
expect "and the dataplane accounts for every packet" accounting_end
say
cli_dataplane drops
exit "$failed"
