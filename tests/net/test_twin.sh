#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_twin.sh - the router as its hosts and its own daemons see it: found by ARP and ND from cold, answers pings, has TCP
# sessions, stays reachable under a flood, goes away with its worker or its process. test_twin.sh af_packet|af_xdp
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"
# shellcheck source=twin.sh
. "$ROOT/tests/net/twin.sh"

is_root || {
  echo "needs root: network namespaces, TAP interfaces"
  exit 77
}
[ -c /dev/net/tun ] || {
  echo "needs /dev/net/tun"
  exit 77
}
kind=${1:?af_packet or af_xdp}
STALL_MS=150

dir=
trap twin_cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d /tmp/dwcp-twin-$$-XXXXXX) || exit 1
# shellcheck disable=SC2034 # router.sh
ROUTER_DIR=$dir

router_config_ports() {
  local args_a=$1 args_b=$2
  if [ "$kind" = af_xdp ]; then args_a=iface=port-a args_b=iface=port-b; fi
  cat <<CONF
ports = (
  { name = "a"; twin = "on"; device = "$kind"; args = "$args_a"; addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "on"; twin_name = "up0"; device = "$kind"; args = "$args_b";
    addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
CONF
}

lab_up "dwcp-twin-$$" || die "cannot make the hosts"
twin_router_start "stall_ms = $STALL_MS;"
expect "twins are there, with carrier" wait_for 5 twin_has_carrier a
expect "by the name they were given" wait_for 5 twin_has_carrier up0
expect "with the addresses of the configuration" wait_for 5 twin_has_addresses a 10.0.1.1/24 fd00:1::1/64
expect "on both" wait_for 5 twin_has_addresses up0 10.0.2.1/24 fd00:2::1/64

mac_of_router() { client ip -j neigh show "$1" dev eth0 | jq -e --arg m "$LAB_MAC_ROUTER_A" '.[0].lladdr == $m' >/dev/null; }
expect "ARP from cold, echo" pings 10.0.1.1
expect "the router's MAC is known by ARP" mac_of_router 10.0.1.1
expect "ND from cold, echo" pings fd00:1::1
expect "the router's MAC is known by ND" mac_of_router fd00:1::1
link_local() {
  router ip -j -6 addr show dev a scope link |
    jq -er '[.[].addr_info[]? | select(.local and (.tentative | not)) | .local] | first // empty'
}
wait_for 5 link_local >"$dir/link_local"
expect "its link-local address" pings "$(tail -n 1 "$dir/link_local")%eth0"
expect "the address of the other port" pings 10.0.2.1
expect "and IPv6" pings fd00:2::1
expect "1,500 bytes, not to be fragmented" pings -M "do" -s 1472 10.0.1.1
expect "a ping of 4,000 bytes, in fragments" pings -s 4000 fd00:1::1
expect "the kernel asks, too: a ping from the router" router ping -n -q -c 3 -i 0.05 -W 1 10.0.1.2
expect "forwarding" pings 10.0.2.2
expect "forwarding IPv6" pings fd00:2::2

expect "a daemon of the router" router_serve 10.0.1.1 179
expect "and IPv6" router_serve fd00:1::1 1179
expect "a session" client_session ask 10.0.1.1 179 1
expect "a session, IPv6" client_session ask fd00:1::1 1179 1
expect "classes: BGP" [ "$(class bgp to_host)" -gt 10 ]
expect "classes: its opening" [ "$(class bgp_open to_host)" -ge 1 ]
expect "classes: neighbour" [ "$(class neighbour to_host)" -ge 3 ]
expect "classes: ICMP" [ "$(class icmp to_host)" -ge 6 ]
expect "nothing refused or policed so far" [ "$(exceptions | jq '[.classes[] | .policed + .full] | add')" -eq 0 ]
expect "accounting" accounting_end

# A daemon's session while somebody floods the router with another kind of packet. Exactly as many as were sent must have
# become something: handed over, policed, or lost before the router saw them.
flood() {
  timeout 30 nsenter "--net=/run/netns/$LAB_CLIENT" -- \
    "$BUILD/tests/net/flood" eth0 "$LAB_MAC_ROUTER_A" 10.0.1.1 "$@"
}
flooded_session() {
  local source=$1 pid rc
  flood 9 "$source" "$FLOOD_PPS" 3 >"$dir/flood.out" &
  pid=$!
  client_session ask 10.0.1.1 179 2
  rc=$?
  wait "$pid" || return 1
  return $rc
}
FLOOD_PPS=200000
expect "a session under a flood from one address" flooded_session 10.0.1.66
say "        flood $(cat "$dir/flood.out"), policed $(class management policed)"
expect "the flood was policed" [ "$(class management policed)" -gt 1000 ]
expect "the session was not" [ "$(class bgp policed)" -eq 0 ]
expect "accounting" accounting_end
expect "a session under a flood from random addresses" flooded_session 10.64.0.0/10
say "        flood $(cat "$dir/flood.out"), policed $(class management policed)"
expect "the session was not policed" [ "$(class bgp policed)" -eq 0 ]
expect "accounting" accounting_end

# Another sender of the flood's own kind keeps its share. Two addresses may fall into one share: then another is tried.
expect "a daemon of the flooded kind" router_serve 10.0.1.1 2222
shared_session() {
  local source pid rc
  for source in 10.0.1.67 10.0.1.68 10.0.1.69; do
    flood 9 "$source" "$FLOOD_PPS" 3 >"$dir/flood.out" &
    pid=$!
    client_session ask 10.0.1.1 2222 2
    rc=$?
    wait "$pid"
    [ "$rc" -ne 0 ] || return 0
  done
  return 1
}
expect "another sender of the flooded kind" shared_session

# One thread stands still and the others run. (All of them stopped: nobody is there to take the carrier away.)
stall() { lab_in "$LAB_ROUTER" "$BUILD/tests/net/thread_stop" "$ROUTER_DATAPLANE_PID" "$(worker_name)" a 2000; }
worker_name() { cat "/proc/$ROUTER_DATAPLANE_PID/task/"*/comm | grep -m 1 worker; }
expect "a worker stands still" stall >"$dir/stall.out"
cat "$dir/stall.out"
stalled_ms=$(sed -n 's/^carrier_down_ms=//p' "$dir/stall.out")
expect "the carrier is gone after $STALL_MS ms and some" [ "${stalled_ms:-9999}" -le $((STALL_MS + 150)) ]
expect "and not before" [ "${stalled_ms:-0}" -ge $((STALL_MS / 2)) ]
expect "traffic again" wait_for 5 pings 10.0.1.1

port_is_down() { cli_dataplane --json ports | jq -e --arg p "$1" '.ports[] | select(.name == $p) | .up | not' >/dev/null; }
router ip link set port-a down
expect "a port without link" wait_for 2 port_is_down a
expect "has a twin without carrier" wait_for 2 not twin_has_carrier a
expect "the other one keeps its own" wait_for 2 twin_has_carrier up0
router ip link set port-a up
expect "with link: with carrier" wait_for 5 twin_has_carrier a

stop_pids "$ROUTER_AGENT_PID"
expect "without the agent: forwarding" pings 10.0.2.2
expect "the router answers" pings 10.0.1.1
expect "exceptions are answered by the dataplane" [ "$(cli --json exceptions 2>/dev/null | jq '.twins | length')" -eq 2 ]
expect "accounting" accounting_end

kill -KILL "$ROUTER_DATAPLANE_PID"
wait "$ROUTER_DATAPLANE_PID" 2>/dev/null
expect "the twins die with the process" not twin_exists a
expect "both of them" not twin_exists up0
exit "$failed"
