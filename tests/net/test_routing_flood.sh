#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_flood.sh - an uplink floods the router: its own addresses, packets whose TTL ends here, addresses inside that
# nobody has. BGP and BFD stay up, on the flooded cable too, and what passes through loses no more than without a flood.
#
#   test_routing_flood.sh af_packet|af_xdp bird|frr
#
# The sender has a quota of a CPU, so that it is the router that is tried and not the machine.
# DWCP_TEST_FULL=1: 20 s a flood instead of 4.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

FLOOD_PPS=1000000
QUOTA_PERCENT=40
STREAM_PPS=2000

routing_begin "$1" "$2"
seconds=4
[ "${DWCP_TEST_FULL:-0}" = 0 ] || seconds=20
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

# through WHAT [FLOOD_ARGS…]: a stream through the router, with or without a flood from b. Sets lost, flood_pps.
through() {
  local flooder=
  stream_start 31.255.0.1 $STREAM_PPS $((seconds + 1))
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
  lost=$stream_lost
}

quiet_lost=-1 lost=-1
expect "a stream through the router, alone" through
quiet_lost=$lost
say "        $stream_sent sent, $quiet_lost lost"
flaps=$(lab_flaps)

# flooded NAME FLOOD_ARGS…
flooded() {
  local name=$1
  shift
  expect "$name" through "$@"
  say "        flood of $flood_pps packets/s; the stream: $stream_sent sent, $lost lost, at most $stream_gap_ms ms without one"
  expect "no more lost than without" [ "$lost" -le "$quiet_lost" ]
  expect "all sessions stayed up" [ "$(lab_flaps)" = "$flaps" ]
  expect "accounting" wait_for 3 accounted
}
policed() { cli_dataplane --json exceptions | jq '[.classes[] | .policed + .full] | add'; }
dropped() { cli_dataplane --json drops | jq --arg r "$1" '[.drops[] | select(.reason == $r) | .packets] | add // 0'; }

flood_pps=0
flooded "to the router's own address, random sources" 203.0.113.1 9 random $FLOOD_PPS $seconds
expect "policed" [ "$(policed)" -gt 1000 ]
flooded "connections to its BGP port" 192.0.2.3 179 random $FLOOD_PPS $seconds 64 syn
flooded "TTL 1" 16.0.0.1 9 16.1.1.1 $FLOOD_PPS $seconds 1
expect "dropped, counted" [ "$(dropped ip4_ttl)" -gt 1000 ]
flooded "to an address inside that nobody has" 198.51.100.77 9 16.1.1.1 $FLOOD_PPS $seconds
expect "dropped, counted" [ "$(dropped unresolved)" -gt 1000 ]
expect "everything is still up" wait_for 5 everything_up
routing_end
