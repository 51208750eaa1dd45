# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# routing.sh - what the tests among real routers (test_routing*.sh) have in common. Sourced.
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"
# shellcheck source=../../scripts/lab_routing.sh
. "$ROOT/scripts/lab_routing.sh"
# shellcheck source=accounting.sh
. "$ROOT/tests/net/accounting.sh"

PATH=$PATH:/usr/sbin
dir=
failed=0

cleanup() {
  trap '' INT TERM HUP
  router_stop
  stop_pids ${LAB_PIDS[@]+"${LAB_PIDS[@]}"} ${pids[@]+"${pids[@]}"}
  lab_routing_down
  [ -z "$dir" ] || rm -rf "$dir"
}

# routing_begin KIND DAEMON: skips without what it needs, else makes the namespaces.
routing_begin() {
  local tool
  kind=$1 daemon=$2 pids=()
  is_root || {
    echo "needs root: network namespaces"
    exit 77
  }
  for tool in bird birdc $([ "$daemon" = bird ] || echo /usr/lib/frr/bgpd vtysh); do
    command -v "$tool" >/dev/null || {
      echo "needs $tool (scripts/deps routing)"
      exit 77
    }
  done
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  dir=$(mktemp -d "/tmp/dwcp-routing-$$-XXXXXX") && chmod 755 "$dir" || exit 1
  # shellcheck disable=SC2034 # router.sh
  ROUTER_DIR=$dir
  lab_routing_up "dwcp-$$" "$kind" "$dir" || die "cannot make the namespaces"
}

# routing_up N_ROUTES4 N_ROUTES6: sets n4, n6. Engine (unless the kernel forwards), daemons everywhere.
routing_up() {
  n4=$1 n6=$2
  if [ "$kind" != kernel ]; then
    routing_engine_start
  fi
  lab_peers "$1" "$2" || routing_died "the others' daemons did not start"
  lab_router_daemon "$daemon" || routing_died "$daemon did not start"
}

routing_died() {
  tail -n 20 "$dir"/*.log
  die "$*"
}

routing_end() {
  [ "$failed" = 0 ] || routing_logs
  say "took $(elapsed)"
  exit "$failed"
}

routing_logs() {
  local f
  cli_dataplane drops
  cli_dataplane exceptions
  for f in "$dir"/*.log; do
    say "---- ${f##*/}"
    tail -n 15 "$f"
  done
}

expect() {
  local what=$1
  shift
  if "$@" >"$dir/expect" 2>&1; then
    say "ok      $what"
  else
    say "FAILED  $what: $(cut -c -200 <<<"$*")"
    tail -n 5 "$dir/expect" | sed "s,^,        ,"
    failed=1
  fi
}
not() { ! "$@"; }

# From inside, with the address that only OSPF knows: both ways need the daemons' routes.
ping4() { lab_in "$LAB_C" ping -n -q -c 1 -W 1 -I 203.0.113.130 "$1"; }
ping6() { lab_in "$LAB_C" ping -n -q -c 1 -W 1 -I 2001:db8:2::1 "$1"; }
all_pinged() {
  local address
  for address in "$@"; do
    case $address in
    *:*) ping6 "$address" ;;
    *) ping4 "$address" ;;
    esac >/dev/null || {
      echo "no answer from $address"
      return 1
    }
  done
}
# No reply, and where the router says so (ICMP), it says unreachable.
unreachable() { not all_pinged "$1"; }

# Addresses in routes spread evenly over the two tables.
sample_addresses() {
  awk -v n4="$1" -v n6="$2" 'BEGIN {
    for (k = 0; k < 40; k++) { i = int(k * (n4 - 1) / 39); printf "%d.%d.%d.%d\n", 16 + int(i / 65536), int(i / 256) % 256, i % 256, 1 + k }
    for (k = 0; k < 20; k++) { i = int(k * (n6 - 1) / 19); printf "%x:%x:%x::%x\n", 10752 + int(i / 16777216), int(i / 256) % 65536, i % 256 * 256, 1 + k }
  }'
}

in_kernel() { lab_in "$LAB_ROUTER" ip route show exact "$1" | grep -q .; }
in_kernel6() { lab_in "$LAB_ROUTER" ip -6 route show exact "$1" | grep -q .; }
not_in_kernel() { ! in_kernel "$1" && ! in_kernel6 "$2"; }

# With each uplink a session for IPv4 and one for IPv6; inside, OSPFv2's and OSPFv3's.
bfd_all_up() { lab_bfd_up a 2 && lab_bfd_up b 2 && lab_bfd_up c 2; }

# Private, default (ours is there, and is no uplink's), too long, a private AS number in the path, too long IPv6, documentation.
not_leaked() {
  local prefix
  for prefix in 10.9.0.0/16 31.254.0.0/25 31.253.0.0/24; do
    not in_kernel "$prefix" || return 1
  done
  not in_kernel6 fd00::/32 && not in_kernel6 2001:db8:7::/48 &&
    lab_in "$LAB_ROUTER" ip route show default | grep -q '^unreachable'
}

# ---- the engine ------------------------------------------------------------------------------------------------

routing_engine_start() {
  lab_routing_config "$dir" "$(cpu_first)"
  routing_dataplane_start
  routing_agent_start
  wait_for 30 router_ready || routing_died "the engine did not start"
  wait_for 30 lab_twins_ready || routing_died "the twins have no addresses: $(lab_in "$LAB_ROUTER" ip -br addr)"
  accounting_begin
}
cpu_first() { awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status; }
routing_dataplane_start() { router_start_dataplane "$dir"; }
routing_agent_start() { router_start_agent "$dir"; }

# As many routes as the kernel has, all of them in the generation that is forwarded by.
routing_engine_follows() {
  [ "$kind" != kernel ] || return 0
  expect "the engine follows: $n4 + $n6 routes" wait_for 30 engine_has "$n4" "$n6"
}
# engine_has N4 N6: at least, and adopted
engine_has() {
  cli --json routes count | jq -e --argjson n4 "$1" --argjson n6 "$2" '.ip4 >= $n4 and .ip6 >= $n6' >/dev/null && router_ready
}

# Sessions, routes in the kernel and in the engine, traffic both ways.
everything_up() {
  lab_bgp_up && bfd_all_up && lab_ospf_up && lab_routes_told && lab_kernel_has "$n4" "$n6" && engine_has "$n4" "$n6" &&
    all_pinged 16.0.0.1 2a00::1 >/dev/null
}

accounted() { [ "$(cli_dataplane --json status | jq .accounting.difference)" = 0 ]; }
# The last check: daemons always have a packet under way, so they end first.
routing_accounted() {
  [ "$kind" != kernel ] || return 0
  stop_pids "${LAB_PIDS[@]}"
  LAB_PIDS=()
  expect "accounting" accounting_end
  say "        $(tail -n 1 "$dir/expect")"
}

# ---- a stream of numbered datagrams from inside to an address that a and b have --------------------------------------

STREAM_PORT=7000
# stream_start ADDRESS RATE_PPS SECONDS [N_FLOWS]
stream_start() {
  local ns
  stream_pids=()
  for ns in "$LAB_A" "$LAB_B"; do
    lab_exec "$ns" "$BUILD/tests/net/stream" receive $STREAM_PORT </dev/null >"$dir/stream.${ns##*-}" 2>&1 &
    stream_pids+=($!)
    pids+=($!)
    wait_for 5 stream_listens "$ns" || routing_died "no receiver: $(cat "$dir/stream.${ns##*-}")"
  done
  lab_exec "$LAB_C" "$BUILD/tests/net/stream" send "$1" $STREAM_PORT "$2" "$3" "${4:-1}" </dev/null >"$dir/stream.sent" 2>&1 &
  stream_sender=$!
  pids+=($!)
}
stream_listens() { lab_in "$1" ss -Hlun "sport = :$STREAM_PORT" | grep -q .; }

# stream_end [now]: waits for the sender's last (or ends it); sets stream_sent, stream_lost, stream_duplicates, and
# stream_gap_ms, the longest time in which neither a nor b got any (both get flows: the shorter of the two).
# shellcheck disable=SC2034 # for the tests
stream_end() {
  [ "${1:-}" != now ] || kill -TERM "$stream_sender"
  wait "$stream_sender"
  wait_for 1 stream_settled
  kill -TERM "${stream_pids[@]}"
  wait "${stream_pids[@]}"
  stream_sent=$(jq .sent "$dir/stream.sent")
  stream_lost=$((stream_sent - $(jq -s 'map(.received) | add' <(tail -qn 1 "$dir/stream.a" "$dir/stream.b"))))
  stream_duplicates=$(jq -s 'map(.duplicates) | add' <(tail -qn 1 "$dir/stream.a" "$dir/stream.b"))
  stream_gap_ms=$(jq -s 'map(select(.received > 0) | .gap_us) | min / 1000 | floor' <(tail -qn 1 "$dir/stream.a" "$dir/stream.b"))
  # The moment of the last that came, microseconds of the wall clock.
  stream_last_us=$(jq -s 'map(.last_unix_us) | max' <(tail -qn 1 "$dir/stream.a" "$dir/stream.b"))
}
# Nothing in the receivers' sockets any more.
stream_settled() {
  local ns
  for ns in "$LAB_A" "$LAB_B"; do
    lab_in "$ns" ss -Huln "sport = :$STREAM_PORT" | awk '$2 > 0 { exit 1 }' || return 1
  done
}
