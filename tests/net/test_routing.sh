#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing.sh - the router among real routers: the daemon and the files that configs/ has, BGP and OSPF and BFD, two
# uplinks and an inside network.
#
#   test_routing.sh kernel|af_packet|af_xdp bird|frr
#
# kernel: the same without the engine, by the kernel's own forwarding; what fails there is not the engine's fault.
# DWCP_TEST_FULL=1: 100,000 routes of each uplink instead of 10,000.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

routing_begin "$1" "$2"
if [ "${DWCP_TEST_FULL:-0}" = 0 ]; then routing_up 10000 2000; else routing_up 100000 20000; fi

expect "BGP, IPv4 and IPv6, with both uplinks" wait_for 30 lab_bgp_up
expect "BFD with each: one a session and the neighbours' addresses" wait_for 10 bfd_all_up
expect "OSPF, IPv4 and IPv6" wait_for 30 lab_ospf_up
expect "each told what it should know" wait_for 20 lab_routes_told
# Ours, those of OSPF and the two that only one uplink has are beyond these.
expect "$n4 + $n6 routes in the kernel's table" wait_for 60 lab_kernel_has "$n4" "$n6"
say "        after $(elapsed)"
expect "nothing that the filters refuse" not_leaked
routing_engine_follows

expect "from inside to an Internet address, IPv4" wait_for 5 ping4 16.0.0.1
expect "from inside to an Internet address, IPv6" wait_for 5 ping6 2a00::1
expect "to each uplink's own, IPv4 and IPv6" all_pinged 31.255.0.1 31.255.1.1 2a0f:ffff::1 2a0f:ffff:1::1
# shellcheck disable=SC2046 # words
expect "to 60 addresses all over the tables" all_pinged $(sample_addresses "$n4" "$n6")
expect "to what only OSPF knows, from uplink a" lab_in "$LAB_A" ping -n -q -c 3 -i 0.02 -W 1 203.0.113.130
expect "and IPv6, from uplink b" lab_in "$LAB_B" ping -n -q -c 3 -i 0.02 -W 1 2001:db8:2::1
expect "the router's own address, from afar" lab_in "$LAB_A" ping -n -q -c 3 -i 0.02 -W 1 203.0.113.1

# A route that goes. The kernel's message is the moment from which the engine may know of it.
withdraw() {
  lab_exec "$LAB_ROUTER" ip -ts monitor route </dev/null >"$dir/monitor" 2>&1 &
  local monitor=$! at
  pids+=("$monitor")
  stream_start 31.255.0.1 2000 60
  wait_for 5 stream_flows || return 1
  lab_birdc_do a disable one4
  wait_for 5 grep -q '31.255.0.0/24' "$dir/monitor" || return 1
  wait_for 5 stream_pauses || return 1
  stream_end now
  kill "$monitor"
  wait "$monitor" 2>/dev/null
  at=$(date -d "$(sed -n '/Deleted 31.255.0.0\/24/ { s/^\[\([^]]*\)\].*/\1/p; q }' "$dir/monitor")" +%s%6N) || return 1
  withdrawn_us=$((stream_last_us - at))
}
received() { kill -USR1 "${stream_pids[0]}" && wait_for 1 received_told && tail -n 1 "$dir/stream.a" | jq .received; }
received_told() { [ "$(wc -l <"$dir/stream.a")" -gt "${told:-0}" ] && told=$(wc -l <"$dir/stream.a"); }
stream_flows() { [ "$(received)" -gt 100 ]; }
# Two looks with nothing between them, in which 200 datagrams were sent.
stream_pauses() {
  local before
  before=$(received)
  read -r -t 0.1 <> <(:)
  [ "$(received)" = "$before" ]
}
times=1 withdrawn=()
[ "${DWCP_TEST_FULL:-0}" = 0 ] || times=20
for ((k = 0; k < times; k++)); do
  if [ "$kind" = kernel ]; then
    lab_birdc_do a disable one4
  else
    withdrawn_us=999999
    expect "a route is withdrawn, its traffic ends" withdraw
    expect "within 100 ms of the kernel's message" [ "$withdrawn_us" -le 100000 ]
    withdrawn+=("$withdrawn_us")
  fi
  expect "it's gone from the kernel" wait_for 5 not in_kernel 31.255.0.0/24
  expect "and leads nowhere" wait_for 5 unreachable 31.255.0.1
  lab_birdc_do a enable one4
  expect "announced again, used again" wait_for 5 all_pinged 31.255.0.1
done
[ "$kind" = kernel ] || say "        last datagram by it after the kernel's message (us; < 0: before): ${withdrawn[*]}"
lab_birdc_do a disable one6
expect "IPv6: withdrawn, gone" wait_for 5 not in_kernel6 2a0f:ffff::/48
expect "leads nowhere" wait_for 5 unreachable 2a0f:ffff::1
expect "others still do" all_pinged 31.255.1.1 2a0f:ffff:1::1
lab_birdc_do a enable one6
expect "announced again, used again" wait_for 5 all_pinged 2a0f:ffff::1

# An uplink's daemon stands still, its cables and sessions don't know: BFD notices, all goes through the other.
kill -STOP "${LAB_PID[b]}"
died=$(now_ms)
expect "uplink b's daemon stopped: its routes are gone" wait_for 5 not_in_kernel 31.255.1.0/24 2a0f:ffff:1::/48
say "        after $(($(now_ms) - died)) ms (BFD: 900)"
# shellcheck disable=SC2046 # words
expect "and traffic has one way" wait_for 5 all_pinged $(sample_addresses "$n4" "$n6")
kill -CONT "${LAB_PID[b]}"
expect "it goes on: up again, used again" wait_for 20 all_pinged 31.255.1.1 2a0f:ffff:1::1
routing_accounted
routing_end
