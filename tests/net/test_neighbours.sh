#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_neighbours.sh - a router that knows no MAC address beforehand, between hosts that know none either. ARP and ND go
# through the twins and the kernel; what is asked for, kept, lost and found again is judged by what hosts see.
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
[ -c /dev/net/tun ] || {
  echo "needs /dev/net/tun"
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
dir=$(mktemp -d /tmp/dwcp-neighbours-$$-XXXXXX) || exit 1
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
not() { ! "$@"; }
client() { lab_in "$LAB_CLIENT" "$@"; }
server() { lab_in "$LAB_SERVER" "$@"; }
router() { lab_in "$LAB_ROUTER" "$@"; }
ping_once() { client ping -n -q -c 1 -W 1 "$@" >/dev/null 2>&1; }
# pings_until SECONDS ADDRESS: from cold, the first packets may be lost.
pings_until() { wait_for "$1" ping_once "$2"; }
# neighbour ADDRESS JQ: what the agent says of it.
neighbour() { cli --json neighbours | jq -r --arg a "$1" ".neighbours[] | select(.address == \$a) | $2"; }
is_state() { [ "$(neighbour "$1" .state)" = "$2" ]; }
in_kernel() { router ip -j neigh show dev "$1" | jq -e --arg a "$2" 'any(.[]; .dst == $a and .lladdr)' >/dev/null; }
managed() { router ip neigh show dev "$1" | grep -q "^$2 .*managed"; }
has_address() { router ip -o addr show dev "$1" 2>/dev/null | grep -q " $2 "; }
accounted() { [ "$(cli_dataplane --json status | jq .accounting.difference)" = 0 ]; }
# Packets that came to the router itself from port PORT.
to_router() { router cat "/sys/class/net/$1/statistics/rx_packets"; }

lab_up "dwcp-neighbours-$$" || die "cannot make the hosts"
# Nobody knows anybody's MAC address; the gateway's is another one than the router's.
for ns in "$LAB_CLIENT" "$LAB_SERVER"; do
  lab_in "$ns" ip neigh flush dev eth0 nud permanent
done
server ip addr add 10.9.0.1/32 dev lo
server ip addr add fd00:9::1/128 dev lo
write_config() {
  cat >"$dir/dwcp.conf" <<CONF
node: { name = "lab"; state_dir = "$dir/state"; run_dir = "$dir/run"; };
dataplane: {
  workers = [$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)];
  idle = "adaptive";
  file_prefix = "$LAB";
  memory: { huge_pages = "off"; size_mb = 256; };
};
ports = (
  { name = "a"; twin = "on"; device = "af_packet"; args = "iface=port-a,$ROUTER_AF_PACKET";
    addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "on"; device = "af_packet"; args = "iface=port-b,$ROUTER_AF_PACKET";
    addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
routes = (
  { prefix = "10.9.0.0/16"; gateway = "10.0.2.2"; },
  { prefix = "fd00:9::/32"; gateway = "fd00:2::2"; },
  { prefix = "10.8.0.0/16"; gateway = "10.0.2.77"; }
);
CONF
}
write_config
router_start_dataplane "$dir"
router_start_agent "$dir"
wait_for 20 router_ready || {
  tail -n 20 "$dir"/*.log
  die "the router did not start"
}

# --- from cold
expect "addresses of the configuration are on the twin" wait_for 5 has_address a 10.0.1.1/24
expect "and IPv6 ones" wait_for 5 has_address a fd00:1::1/64
expect "the gateway is asked for without a packet" wait_for 5 is_state 10.0.2.2 resolved
expect "its entry is managed by the kernel" wait_for 5 managed b 10.0.2.2
expect "IPv4 from cold, by the gateway" pings_until 5 10.9.0.1
expect "IPv6 from cold, by the gateway" pings_until 5 fd00:9::1
expect "IPv4 from cold, on link" pings_until 5 10.0.2.2
expect "IPv6 from cold, on link" pings_until 5 fd00:2::2
expect "a gateway that isn't there has failed" wait_for 8 is_state 10.0.2.77 failed
expect "no host, no answer" not ping_once 10.0.2.99
expect "and it is known as failed" wait_for 8 is_state 10.0.2.99 failed
[ $failed = 0 ] || { cli neighbours; tail -n 30 "$dir/agent.log" "$dir/dataplane.log"; router ip -d addr; router ip neigh; client ip neigh; cli_dataplane drops; cli_dataplane exceptions; }

accounted || say "note: not accounted yet"
expect "accounting" wait_for 3 accounted
exit $failed
