#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_flood.sh - an uplink floods the router: its own addresses, packets whose TTL ends here, addresses inside that
# nobody has. BGP and BFD stay up, on the flooded cable too, and what passes through loses no more than without a flood.
#
#   test_routing_flood.sh af_packet|af_xdp bird|frr
#
# The sender has a quota of a CPU, so that it is the router that is tried and not the machine.
# DWCP_TEST_FULL=1: TTL and unresolved ones, too, each kind by IPv4 and by IPv6, 5 s a flood instead of 2.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

FLOOD_PPS=1000000
QUOTA_PERCENT=40
STREAM_PPS=2000

routing_begin "$1" "$2"
seconds=2
[ "${DWCP_TEST_FULL:-0}" = 0 ] || seconds=5
trap 'cleanup; quota_end' EXIT

# A group of processes with a share of a CPU, by either version of cgroups.
quota=
quota_begin() {
  if [ -e /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
    quota=/sys/fs/cgroup/cpu/dwcp-$$
    mkdir "$quota" && echo 100000 >"$quota/cpu.cfs_period_us" && echo $((QUOTA_PERCENT * 1000)) >"$quota/cpu.cfs_quota_us"
  elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
    quota=/sys/fs/cgroup/dwcp-$$
    mkdir "$quota" && echo "$((QUOTA_PERCENT * 1000)) 100000" >"$quota/cpu.max"
  else
    return 1
  fi
}
quota_end() { [ -z "$quota" ] || rmdir "$quota" 2>/dev/null; }
quota_begin || {
  echo "needs cgroups with a quota of CPU time"
  exit 77
}

routing_up 1000 200
expect "everything is up" wait_for 60 everything_up

# through ADDRESS [FLOOD_ARGS…]: a stream through the router, with or without a flood from b. Sets stream_lost, flood_pps.
through() {
  local flooder=
  stream_start "$1" $STREAM_PPS $((seconds + 1))
  shift
  if [ $# -gt 0 ]; then
    (
      echo "$BASHPID" >"$quota/cgroup.procs"
      lab_exec "$LAB_B" "$BUILD/tests/net/flood" eth0 02:00:00:00:01:01 "$@"
    ) </dev/null >"$dir/flood" 2>&1 &
    flooder=$!
    pids+=("$flooder")
    wait "$flooder" || return 1
    flood_pps=$(($(sed -n 's/^sent=//p' "$dir/flood") / seconds))
  fi
  stream_end
}

# What the sessions say of themselves, with the moment since when: BIRD's own words, everywhere.
# Times without their milliseconds: BIRD works them out anew at each question, and they come out one more or less.
sessions() {
  local name
  for name in a b c $([ "$daemon" = frr ] || echo router); do
    lab_birdc "$name" show protocols | grep -E 'BGP|OSPF|BFD'
    lab_birdc "$name" show bfd sessions
    lab_birdc "$name" show protocols all | grep -E 'BGP state|Neighbor address'
  done | sed -E 's/(:[0-9]{2})\.[0-9]{3}/\1/g'
}
sessions_stayed() {
  [ "$(lab_flaps)" = "$flaps" ] && sessions | diff "$dir/sessions" -
}

declare -A quiet_lost=()
declare -A through_address=([4]=31.255.0.1 [6]=2a0f:ffff::1)
for family in 4 6; do
  expect "a stream through the router, alone, IPv$family" through "${through_address[$family]}"
  quiet_lost[$family]=$stream_lost
  say "        $stream_sent sent, $stream_lost lost, at most $stream_gap_ms ms without one"
done
flaps=$(lab_flaps)
sessions >"$dir/sessions"
expect "sessions are seen" [ "$(grep -cE 'Established|Up' "$dir/sessions")" -ge 10 ]

# counts: packets so far, by what became of them: "received lost policed TTL unresolved"; lost: by full rings of AF_XDP.
counts() {
  {
    cli_dataplane --json ports
    cli_dataplane --json drops
    cli_dataplane --json exceptions
  } | jq -s -r 'add as $all | def of($r): [$all.drops[] | select(.reason == $r) | .packets] | add // 0;
    [([$all.ports[].rx_packets] | add), ([$all.ports[].xdp.lost // 0] | add), ([$all.classes[] | .policed + .full] | add),
     of("ip4_ttl") + of("ip6_hop_limit"), of("unresolved")] | @tsv'
}

# flooded FAMILY NAME COLUMN FLOOD_ARGS…: COLUMN of counts must have grown by most of what came in.
flooded() {
  local family=$1 name=$2 column=$3 before after rate=() i
  shift 3
  read -ra before <<<"$(counts)"
  expect "$name, IPv$family" through "${through_address[$family]}" "$@"
  read -ra after <<<"$(counts)"
  for i in 0 1 2 3 4; do rate[i]=$(((after[i] - before[i]) / seconds)); done
  say "        packets/s: $flood_pps sent, ${rate[0]} received and ${rate[1]} lost at the ring, ${rate[2]} policed, ${rate[3]} dropped for TTL," \
    "${rate[4]} unresolved"
  say "        the stream: $stream_sent sent, $stream_lost lost, at most $stream_gap_ms ms without one"
  expect "no more of it lost than without" [ "$stream_lost" -le "${quiet_lost[$family]}" ]
  expect "all sessions stayed as they were" sessions_stayed
  expect "the flood was counted for what it was" [ $((rate[column] * 10)) -gt $((rate[0] * 5)) ]
  expect "accounting" wait_for 3 accounted
}
policed=2 ttl=3 unresolved=4

flood_own() {
  local to=203.0.113.1 from=16.0.0.0/16
  [ "$1" = 4 ] || to=2001:db8::1 from=2a00::/32
  flooded "$1" "to the router's own address, random sources" $policed $to 9 $from $FLOOD_PPS $seconds
}
flood_bgp() {
  local to=192.0.2.3 from=16.0.0.0/16
  [ "$1" = 4 ] || to=2001:db8:ffff::3 from=2a00::/32
  flooded "$1" "connections to its BGP port, random sources" $policed $to 179 $from $FLOOD_PPS $seconds 64 syn
}
flood_ttl() {
  local to=16.0.0.1 from=16.0.1.1
  [ "$1" = 4 ] || to=2a00::1 from=2a00:0:100::1
  flooded "$1" "TTL 1" $ttl $to 9 $from $FLOOD_PPS $seconds 1
}
flood_unresolved() {
  local to=198.51.100.77 from=16.0.1.1
  [ "$1" = 4 ] || to=2001:db8:1::77 from=2a00:0:100::1
  flooded "$1" "to an address inside that nobody has" $unresolved $to 9 $from $FLOOD_PPS $seconds
}

flood_own 4
flood_bgp 6
if [ "${DWCP_TEST_FULL:-0}" != 0 ]; then
  flood_own 6
  flood_bgp 4
  flood_ttl 4
  flood_ttl 6
  flood_unresolved 4
  flood_unresolved 6
fi
expect "everything is still up" wait_for 5 everything_up
# What the kernel found wrong with them would not have cost it anything.
wrong_checksums() { lab_in "$LAB_ROUTER" awk '/^(Tcp|Udp): [0-9]/ { n += ($1 == "Tcp:" ? $NF : $(NF - 2)) } /^Udp6InCsumErrors/ { n += $2 } END { print n }' /proc/net/snmp /proc/net/snmp6; }
expect "the flood's checksums were right" [ "$(wrong_checksums)" = 0 ]
routing_accounted
routing_end
