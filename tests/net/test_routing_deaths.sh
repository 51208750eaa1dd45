#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_deaths.sh - what other routers see when parts of this one die: the agent (nothing), a worker that stands
# still, the engine stopped, the engine killed and started again. BFD and BGP follow the engine, never the agent.
#
#   test_routing_deaths.sh af_packet|af_xdp bird|frr
#
# DWCP_TEST_FULL=1: the engine is killed 20 times instead of twice.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

DETECT_MS=900 # BFD in configs/: 3 × 300 ms
# Beyond that: a BFD packet's jitter is in it already; what is left is this machine and the 20 ms between two looks.
SLACK_MS=600
# shellcheck disable=SC2034 # lab_routing.sh
LAB_STALL_MS=1000

routing_begin "$1" "$2"
kills=2
[ "${DWCP_TEST_FULL:-0}" = 0 ] || kills=20
routing_up 1000 200

bfd_down() { ! lab_bfd_up "$1" 2; }
neither_route() { ! lab_in "$LAB_A" ip route show 203.0.113.0/24 | grep -q via; }

expect "everything is up" wait_for 60 everything_up

# ---- the agent -------------------------------------------------------------------------------------------------

before=$(lab_flaps)
stream_start 16.0.0.1 2000 60 8
kill -KILL "$ROUTER_AGENT_PID"
wait "$ROUTER_AGENT_PID" 2>/dev/null
expect "agent killed: the router is as it was" all_pinged 16.0.0.1 2a00::1 31.255.0.1
read -r -t 2 <> <(:) # as long as two detection times: what BFD would notice it has noticed
expect "no session has noticed" [ "$(lab_flaps)" = "$before" ]
routing_agent_start
started=$(now_ms)
expect "agent back" wait_for 20 router_ready
say "        after $(($(now_ms) - started)) ms"
expect "with all routes" wait_for 20 engine_has "$n4" "$n6"
stream_end now
expect "$stream_sent datagrams meanwhile, none lost" [ "$stream_lost" = 0 ]
expect "still none has noticed" [ "$(lab_flaps)" = "$before" ]

# ---- the engine --------------------------------------------------------------------------------------------------

# follow WHAT SINCE_MS: the others notice within BFD's time, and BGP at once with it.
follow() {
  expect "$1: BFD notices" wait_for 5 bfd_down a
  took=$(($(now_ms) - $2))
  expect "in its time: $took of $DETECT_MS ms" [ "$took" -le $((DETECT_MS + SLACK_MS)) ]
  expect "BGP follows, the world has no route to us" wait_for 2 neither_route
  say "        after $(($(now_ms) - $2)) ms"
}

# One thread stands still for 3 s and the others run, so that the kernel's side of the twins would go on answering.
# (The program waits for the carrier of an interface, and lo has it always.)
no_carrier() { lab_in "$LAB_ROUTER" ip link show dev transit0 | grep -q NO-CARRIER; }
worker_name() { cat "/proc/$ROUTER_DATAPLANE_PID/task/"*/comm | grep -m 1 worker; }
lab_exec "$LAB_ROUTER" "$BUILD/tests/net/thread_stop" "$ROUTER_DATAPLANE_PID" "$(worker_name)" lo 3000 </dev/null >"$dir/stop" 2>&1 &
pids+=($!)
stopped=$(now_ms)
follow "a worker stands still" "$stopped"
expect "the twins have no carrier" wait_for 2 no_carrier
wait "${pids[-1]}"
expect "it goes on: everything is up" wait_for 60 everything_up
expect "sessions had ended" [ "$(lab_flaps)" -gt "$before" ] # what the words above are worth

kill -STOP "$ROUTER_DATAPLANE_PID"
follow "engine stopped (SIGSTOP)" "$(now_ms)"
kill -CONT "$ROUTER_DATAPLANE_PID"
resumed=$(now_ms)
expect "it goes on: everything is up" wait_for 60 everything_up
say "        after $(($(now_ms) - resumed)) ms"

back_ms=()
for ((k = 0; k < kills; k++)); do
  kill -KILL "$ROUTER_DATAPLANE_PID"
  killed=$(now_ms)
  wait "$ROUTER_DATAPLANE_PID" 2>/dev/null
  follow "engine killed (SIGKILL)" "$killed"
  expect "the kernel has no routes of theirs any more" wait_for 5 not_in_kernel 16.0.0.0/24 2a00::/48
  routing_dataplane_start
  started=$(now_ms)
  expect "started again, everything is up" wait_for 60 everything_up
  back_ms+=($(($(now_ms) - started)))
done
say "        all sessions and routes back after (ms): ${back_ms[*]}"
routing_accounted
routing_end
