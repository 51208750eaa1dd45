#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_trace.sh - what real hosts' tools make of the router's ICMP errors: it is seen by traceroute, mtr and tracepath, the
# path MTU behind it is found, unreachable means what a kernel says of it; and what may be cut is cut.
#
# Port b takes 1,300 bytes, the cables 1,500.
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
for tool in traceroute tracepath mtr; do
  command -v "$tool" >/dev/null || {
    echo "needs $tool: scripts/deps test"
    exit 77
  }
done

dir=
cleanup() {
  router_stop
  lab_down
  [ -z "$dir" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d /tmp/dwcp-trace-$$-XXXXXX) || exit 1
# shellcheck disable=SC2034 # router.sh
ROUTER_DIR=$dir

failed=0
client() { lab_in "$LAB_CLIENT" "$@"; }
# expect WHAT PATTERN COMMAND…: its output has a line like that.
expect() {
  local what=$1 pattern=$2 out
  shift 2
  out=$("$@" 2>&1)
  if grep -Eq -- "$pattern" <<<"$out"; then
    say "ok      $what"
  else
    say "FAILED  $what: $*"
    say "$out"
    failed=1
  fi
}
icmp() { cli_dataplane --json stats | jq "$@"; }
# sent ERROR FAMILY: how many the dataplane says it has sent.
sent() { icmp --arg e "$1" --argjson f "$2" '.icmp.errors[] | select(.error == $e and .family == $f) | .sent'; }
expect_sent() {
  local n
  n=$(sent "$1" "$2")
  if [ "$n" -ge "$3" ]; then
    say "ok      $1 (IPv$2) counted: $n"
  else
    say "FAILED  $1 (IPv$2) counted: $n, expected at least $3"
    failed=1
  fi
}
route() { cli routes add "$@" >/dev/null && wait_for 5 agent_is_ahead_no_more; }
agent_is_ahead_no_more() {
  cli --json status | jq -e '.agent.intent_revision == .dataplane.intent_revision' >/dev/null 2>&1
}

lab_up "dwcp-trace-$$" && lab_neighbours || die "cannot make the hosts"
# the server answers for its own address only; its port unreachable is the end of a trace
lab_in "$LAB_SERVER" sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
router_config "$dir" "$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)"
sed -i -e '/name = "b"/ s/addresses/mtu = 1300; addresses/' \
  -e 's/file_prefix = /icmp: { interface_info = true; };\n  &/' "$dir/dwcp.conf"
router_start_dataplane "$dir"
router_start_agent "$dir"
wait_for 20 router_ready || {
  tail -n 20 "$dir"/*.log
  die "the router did not start"
}
accounting_begin

expect "traceroute, hop 1" '^ *1 +10\.0\.1\.1 ' client traceroute -4 -n -w 2 10.0.2.2
expect "traceroute, the end" '^ *2 +10\.0\.2\.2 ' client traceroute -4 -n -w 2 10.0.2.2
expect "traceroute -I" '^ *1 +10\.0\.1\.1 ' client traceroute -4 -I -n -w 2 10.0.2.2
expect "traceroute -T" '^ *1 +10\.0\.1\.1 ' client traceroute -4 -T -n -w 2 10.0.2.2
expect "traceroute -e: the port's name" '10\.0\.1\.1 <.*>' client traceroute -4 -e -n -w 2 10.0.2.2
expect "traceroute6, hop 1" '^ *1 +fd00:1::1 ' client traceroute -6 -n -w 2 fd00:2::2
expect "traceroute6, the end" '^ *2 +fd00:2::2 ' client traceroute -6 -n -w 2 fd00:2::2
expect "mtr" '1\..*10\.0\.1\.1 +0\.0%' client mtr -4 -n -r -c 3 -i 0.2 -G 1 10.0.2.2
expect "mtr, IPv6" '1\..*fd00:1::1 +0\.0%' client mtr -6 -n -r -c 3 -i 0.2 -G 1 fd00:2::2
expect "tracepath: path MTU" 'Resume: pmtu 1300' client tracepath -4 -n 10.0.2.2
client ip route flush cache
expect "tracepath, hop 1" '^ *1: +10\.0\.1\.1 ' client tracepath -4 -n 10.0.2.2
client ip route flush cache
client ip -6 route flush cache
expect "tracepath6: path MTU" 'Resume: pmtu 1300' client tracepath -6 -n fd00:2::2
client ip -6 route flush cache
expect "ping with DF: what fits is told" 'mtu ?= ?1300' client ping -n -c 1 -W 2 -M "do" -s 1400 10.0.2.2
expect "ping6: what fits is told" 'Packet too big: mtu=1300' client ping -n -c 1 -W 2 -M "do" -s 1400 fd00:2::2
client ip route flush cache
expect "without DF: cut to pieces" ' 0% packet loss' client ping -n -c 3 -i 0.05 -W 2 -M dont -s 1400 10.0.2.2

expect "no route" 'From 10\.0\.1\.1 .*Destination Net Unreachable' client ping -n -c 1 -W 2 203.0.113.1
expect "no route, IPv6" 'From fd00:1::1 .*No route' client ping -n -c 1 -W 2 2001:db8:9::1
route unreachable 203.0.113.0/28
expect "unreachable" 'From 10\.0\.1\.1 .*Destination Host Unreachable' client ping -n -c 1 -W 2 203.0.113.1
route prohibit 203.0.113.0/28
expect "prohibited" 'From 10\.0\.1\.1 .*Packet filtered' client ping -n -c 1 -W 2 203.0.113.1
route prohibit 2001:db8:9::/48
expect "prohibited, IPv6" 'From fd00:1::1 .*[Aa]dministratively prohibited' client ping -n -c 1 -W 2 2001:db8:9::1

expect_sent time_exceeded 4 5
expect_sent time_exceeded 6 3
expect_sent too_big 4 2
expect_sent too_big 6 2
expect_sent no_route 4 1
expect_sent unreachable 4 1
expect_sent prohibited 6 1
expect "fragments counted" '^[1-9]' icmp '.icmp.fragmentation.fragments'
expect "accounting" ' received .* sent ' accounting_end
exit "$failed"
