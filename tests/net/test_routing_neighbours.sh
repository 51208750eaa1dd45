#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_neighbours.sh - next hops whose kernel never sees a packet: forwarding goes on past many of the kernel's
# times for garbage; and a next hop that comes back with another MAC.
#
#   test_routing_neighbours.sh af_packet|af_xdp bird|frr
#
# The kernel's time until a neighbour that nobody confirms is stale is a second here, and 2 s until it may be thrown away.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

N_STRANGERS=400 # the kernel collects nothing below 128

routing_begin "$1" "$2"
routing_up 100 20
expect "everything is up" wait_for 60 everything_up

for family in 4 6; do
  lab_in "$LAB_ROUTER" sysctl -qw "net.ipv$family.neigh.inside.gc_stale_time=2" \
    "net.ipv$family.neigh.inside.base_reachable_time_ms=1000" || die "cannot set the kernel's times"
done

# Static routes by a next hop that speaks no protocol with us and that nobody but the engine has a packet for: an
# address of c's beside its own.
lab_in "$LAB_C" ip addr add 198.51.100.9/24 dev eth0
lab_in "$LAB_C" ip addr add 2001:db8:1::9/64 dev eth0 nodad
lab_in "$LAB_C" ip addr add 203.0.113.200/32 dev lo
lab_in "$LAB_C" ip addr add 2001:db8:9::1/128 dev lo
lab_in "$LAB_ROUTER" ip route add 203.0.113.200/32 via 198.51.100.9
lab_in "$LAB_ROUTER" ip -6 route add 2001:db8:9::1/128 via 2001:db8:1::9

from_a4() { lab_in "$LAB_A" ping -n -q -c 1 -W 1 203.0.113.200; }
from_a6() { lab_in "$LAB_A" ping -n -q -c 1 -W 1 2001:db8:9::1; }
neighbour_is() { lab_in "$LAB_ROUTER" ip neigh show "$1" dev inside | grep -q "lladdr $2"; }

expect "a next hop without any protocol, from cold" wait_for 5 from_a4
expect "and IPv6" wait_for 5 from_a6

# A stream from a to the address behind the silent next hop: stream_start's direction is the other one.
back_start() {
  lab_exec "$LAB_C" "$BUILD/tests/net/stream" receive 7001 </dev/null >"$dir/back" 2>&1 &
  back_receiver=$!
  pids+=("$back_receiver")
  wait_for 5 back_listens || routing_died "no receiver"
  lab_exec "$LAB_A" "$BUILD/tests/net/stream" send "$1" 7001 1000 "$2" </dev/null >"$dir/back.sent" 2>&1 &
  back_sender=$!
  pids+=("$back_sender")
}
back_listens() { lab_in "$LAB_C" ss -Hlun "sport = :7001" | grep -q .; }
# back_end: sets back_sent, back_lost
back_end() {
  kill -TERM "$back_sender"
  wait "$back_sender"
  wait_for 2 back_still
  kill -TERM "$back_receiver"
  wait "$back_receiver"
  back_sent=$(jq .sent "$dir/back.sent")
  back_lost=$((back_sent - $(tail -n 1 "$dir/back" | jq .received)))
}
back_tell() {
  local lines
  lines=$(wc -l <"$dir/back")
  kill -USR1 "$back_receiver" && wait_for 2 back_told "$lines"
}
back_told() { [ "$(wc -l <"$dir/back")" -gt "$1" ]; }
# Datagrams that c's programs have read so far, of either family.
back_read() { lab_in "$LAB_C" awk '/^Udp: [0-9]/ { n += $2 } /^Udp6InDatagrams/ { n += $2 } END { print n }' /proc/net/snmp /proc/net/snmp6; }
back_still() {
  local before
  before=$(back_read)
  read -r -t 0.1 <> <(:)
  [ "$(back_read)" = "$before" ]
}
back_read_past() { [ "$(back_read)" -gt "$1" ]; }

# Neighbours that nobody needs. When they are gone, the kernel has thrown away what it could.
strangers() {
  local i
  for ((i = 0; i < N_STRANGERS; i++)); do
    echo "neigh replace 198.18.$((i / 250)).$((i % 250 + 1)) lladdr 02:00:00:00:0a:01 dev inside nud stale"
    echo "neigh replace fe80::a:$((i + 1)) lladdr 02:00:00:00:0a:01 dev inside nud stale"
  done | lab_in "$LAB_ROUTER" ip -batch -
}
no_strangers() { ! lab_in "$LAB_ROUTER" ip "-$1" neigh show dev inside | grep -q 02:00:00:00:0a:01; }
strangers_gone() { no_strangers 4 && no_strangers 6; }

n_forwarded=5000
[ "${DWCP_TEST_FULL:-0}" = 0 ] || n_forwarded=60000
back_start 203.0.113.200 300
lab_exec "$LAB_A" ping -n -q -i 0.02 2001:db8:9::1 </dev/null >"$dir/ping6" 2>&1 &
pinger=$!
pids+=("$pinger")
expect "$N_STRANGERS neighbours that nobody needs, a family" strangers
expect "the kernel throws them away" wait_for 90 strangers_gone
expect "forwarding goes on for $((n_forwarded / 1000)) s" wait_for 120 back_read_past "$n_forwarded"
say "        after $(elapsed)"
kill -INT "$pinger"
wait "$pinger"
back_end
expect "the next hops' are there: $back_sent datagrams, none lost" [ "$back_lost" = 0 ]
expect "and IPv6: $(grep -o '.* received' "$dir/ping6")" awk '/transmitted/ { exit !($1 > 100 && $1 - $4 <= 1) }' "$dir/ping6"
expect "the kernel still knows it" neighbour_is 198.51.100.9 02:00:00:00:02:02
expect "and by IPv6" neighbour_is 2001:db8:1::9 02:00:00:00:02:02

# ---- a next hop moves ------------------------------------------------------------------------------------------

# c's cable gets another MAC again and again. With arp_notify and ndisc_notify it says so, else nobody does. What counts is
# the time without a datagram, of 1,000 a second: until the engine sends to the new one.
moved=0
# moves N ADDRESS NOTIFY: sets gaps (ms)
moves() {
  local k rc=0
  gaps=()
  lab_in "$LAB_C" sysctl -qw "net.ipv4.conf.eth0.arp_notify=$3" "net.ipv6.conf.eth0.ndisc_notify=$3" || return 1
  back_start "$2" 300
  wait_for 5 back_read_past "$(($(back_read) + 100))" || rc=1
  for ((k = 0; k < $1 && rc == 0; k++)); do
    move_once "$2" || rc=1
  done
  back_end
  return $rc
}
# move_once ADDRESS: adds to gaps
move_once() {
  local next=198.51.100.9 mac
  [[ $1 != *:* ]] || next=2001:db8:1::9
  moved=$((moved + 1))
  mac=02:00:00:00:0b:$(printf %02x $moved)
  back_tell || return 1
  lab_in "$LAB_C" ip link set eth0 address "$mac" || return 1
  wait_for 60 neighbour_is $next "$mac" && wait_for 5 back_read_past $(($(back_read) + 100)) && back_tell || return 1
  gaps+=("$(tail -n 1 "$dir/back" | jq '.gap_us / 1000')")
}
median_max() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { printf "%.1f / %.1f ms (median / max of %d)", v[int((NR + 1) / 2)], v[NR], NR }'; }

n_told=3 n_silent=0 # a silent one takes the kernel about 10 s to believe
[ "${DWCP_TEST_FULL:-0}" = 0 ] || n_told=12 n_silent=10
for to in 203.0.113.200 2001:db8:9::1; do
  expect "it moves $n_told times and says so, by $to" moves $n_told $to 1
  say "        until the new MAC was used: $(median_max "${gaps[@]}"), $back_lost of $back_sent lost"
  [ $n_silent -gt 0 ] || continue
  expect "it moves $n_silent times without a word, by $to" moves $n_silent $to 0
  say "        until the new MAC was used: $(median_max "${gaps[@]}"), $back_lost of $back_sent lost"
done
expect "the router says so" grep -q neighbour.moved "$dir/agent.log"
routing_accounted
routing_end
