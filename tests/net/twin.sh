# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# twin.sh - what the tests of twins share: a lab whose hosts know no neighbour, a router with twins, questions. Sourced
# behind common.sh, lab.sh and router.sh.

# shellcheck disable=SC2034 # the tests exit with it
failed=0
# shellcheck source=accounting.sh
. "$ROOT/tests/net/accounting.sh"

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
first_cpu() { awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status; }
client() { lab_in "$LAB_CLIENT" "$@"; }
server() { lab_in "$LAB_SERVER" "$@"; }
router() { lab_in "$LAB_ROUTER" "$@"; }
pings() { client ping -n -q -c 3 -i 0.05 -W 1 "$@" >/dev/null 2>&1; }

twin_exists() { router ip link show dev "$1" >/dev/null 2>&1; }
twin_has_carrier() { router ip -j link show dev "$1" 2>/dev/null | jq -e '.[0].flags | index("LOWER_UP")' >/dev/null; }
# twin_has_addresses TWIN ADDRESS…: put there by the agent, and usable
twin_has_addresses() {
  local twin=$1 address
  shift
  for address in "$@"; do
    router ip -o addr show dev "$twin" -tentative 2>/dev/null | grep -qwF "$address" || return 1
  done
}

exceptions() { cli_dataplane --json exceptions; }
class() { exceptions | jq --arg c "$1" --arg k "$2" '.classes[] | select(.class == $c) | .[$k]'; }
dropped() { cli_dataplane --json drops | jq --arg r "$1" '[.drops[] | select(.reason == $r) | .packets] | add // 0'; }

# twin_router_start [HOST_SETTINGS]: both programs, with lines of dataplane.host.
twin_router_start() {
  router_config "$dir" "$(first_cpu)"
  sed -i "s/^  idle = .*/&\n  host: { ${1:-} };/" "$dir/dwcp.conf"
  router_start_dataplane "$dir"
  router_start_agent "$dir"
  wait_for 20 router_ready || {
    tail -n 20 "$dir"/*.log
    die "the router did not start"
  }
  accounting_begin
}

client_session() { client timeout 30 "$ROOT/tests/net/session.py" "$@"; }

# router_serve ADDRESS PORT: a daemon of the router itself. Its pid goes to SERVERS.
SERVERS=()
router_serve() {
  (lab_exec "$LAB_ROUTER" "$ROOT/tests/net/session.py" serve "$1" "$2") </dev/null >>"$dir/serve.log" 2>&1 &
  SERVERS+=($!)
  wait_for 5 lab_listens "$LAB_ROUTER" "$2"
}

twin_cleanup() {
  stop_pids ${SERVERS[@]+"${SERVERS[@]}"}
  router_stop
  lab_down
  [ -z "$dir" ] || rm -rf "$dir"
}

# host_tags HOST OUT IN: the tc programs (tag.bpf.c) of a host's cable: tags on what leaves, none on what comes.
host_tags() {
  local object=$BUILD/tests/net/tag.bpf.o
  lab_in "$1" tc qdisc replace dev eth0 clsact &&
    lab_in "$1" tc filter replace dev eth0 egress prio 1 handle 1 bpf da obj "$object" sec "$2" &&
    lab_in "$1" tc filter replace dev eth0 ingress prio 1 handle 1 bpf da obj "$object" sec "$3"
}
# Tags in the frames' bytes, where a program at XDP can see them; else the cable carries the outer one beside the frame.
tags_in_bytes() {
  local ns
  for ns in "$LAB_CLIENT" "$LAB_SERVER"; do
    lab_in "$ns" ethtool -K eth0 txvlan off tx-vlan-stag-hw-insert off >/dev/null || return 1
  done
}
