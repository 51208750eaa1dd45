#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_path.sh - what hosts' everyday tools make of the path through the router, IPv4 and IPv6: ping, traceroute, mtr,
# fragments both ways, downloads compared byte by byte, iperf3; then the same path with a narrower far end, whose MTU tracepath
# and TCP have to find. The hosts are those of the demo.
#
#   test_path.sh af_packet|af_xdp plain|vlan
#
# vlan: the client behind an 802.1Q tag, the server behind an 802.1ad and an 802.1Q one, made by tc programs (the kernel may
# have no VLAN devices); the router's ports are VLANs. DWCP_TEST_FULL=1: 1 GB and 5 s of iperf3 each instead of 40 MB and 1 s.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"
# shellcheck source=twin.sh
. "$ROOT/tests/net/twin.sh"

kind=${1:?af_packet or af_xdp} tagged=${2:?plain or vlan}
NARROW_MTU=1400
HTTP_PORT=8080 IPERF_PORT=5201
UDP_LOST_PERCENT=5 # by hosts that had no CPU; what the router loses, the accounting shows
megabytes=40 seconds=1 udp_mbps=20
[ "${DWCP_TEST_FULL:-0}" = 0 ] || megabytes=1000 seconds=5 udp_mbps=100

PATH=$PATH:/usr/sbin
is_root || {
  echo "needs root: network namespaces, TAP interfaces"
  exit 77
}
for tool in traceroute tracepath mtr iperf3 curl; do
  command -v "$tool" >/dev/null || {
    echo "needs $tool: scripts/deps test"
    exit 77
  }
done
[ "$tagged" = plain ] || [ -e "$BUILD/tests/net/tag.bpf.o" ] || {
  echo "needs clang at build time: programs that make tags"
  exit 77
}

dir='' servers=()
cleanup() {
  stop_pids ${servers[@]+"${servers[@]}"}
  twin_cleanup
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d "/tmp/dwcp-path-$$-XXXXXX") || exit 1
# shellcheck disable=SC2034 # router.sh
ROUTER_DIR=$dir
# shellcheck disable=SC2034 # router.sh
ROUTER_TWIN=on

# The port b's MTU; 1500 unless it is to be the narrow end.
far_mtu=1500
router_config_ports() {
  local args_a=$1 args_b=$2
  if [ "$kind" = af_xdp ]; then args_a=iface=port-a args_b=iface=port-b; fi
  local a="device = \"$kind\"; args = \"$args_a\";" b="device = \"$kind\"; args = \"$args_b\";"
  echo "ports = ("
  if [ "$tagged" = vlan ]; then
    echo "  { name = \"trunk_a\"; twin = \"on\"; $a mtu = 1500; },"
    echo "  { name = \"trunk_b\"; twin = \"on\"; $b mtu = 1500; },"
    a='device = "vlan"; parent = "trunk_a"; vlan = 7;' b='device = "vlan"; parent = "trunk_b"; svlan = 100; vlan = 8;'
  fi
  cat <<CONF
  { name = "a"; twin = "on"; $a addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "on"; $b mtu = $far_mtu; addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
CONF
}

hosts_start() {
  lab_up "dwcp-path-$$" || return 1
  # Either answers every probe of a trace.
  server sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 || return 1
  if [ "$tagged" = vlan ]; then
    host_tags "$LAB_CLIENT" push_7 pop && host_tags "$LAB_SERVER" push_100_8 pop_pop || return 1
    # What reads whole frames from a cable needs the tags in them. Both of a full-sized packet have to fit on it.
    if [ "$kind" = af_xdp ]; then tags_in_bytes || return 1; fi
    router ip link set port-b mtu 1508 && server ip link set eth0 mtu 1508 || return 1
    server ip route replace default via 10.0.2.1 mtu 1500 && server ip -6 route replace default via fd00:2::1 mtu 1500 || return 1
  fi
  mkdir "$dir/www"
  openssl enc -aes-128-ctr -pass "pass:$$" -nosalt -pbkdf2 -in /dev/zero 2>/dev/null | head -c "${megabytes}000000" >"$dir/www/file"
  file_sum=$(sha256sum <"$dir/www/file")
  (lab_exec "$LAB_SERVER" python3 -m http.server --bind :: -d "$dir/www" $HTTP_PORT) </dev/null >"$dir/http.log" 2>&1 &
  servers+=($!)
  (lab_exec "$LAB_SERVER" iperf3 -s -p $IPERF_PORT) </dev/null >"$dir/iperf.server" 2>&1 &
  servers+=($!)
  wait_for 10 lab_listens "$LAB_SERVER" $HTTP_PORT && wait_for 10 lab_listens "$LAB_SERVER" $IPERF_PORT
}

# ---- what a tool says --------------------------------------------------------------------------------------------

# all_answered HOST PING_ARGS…: none lost
all_answered() { lab_in "$1" ping -n -q -c 20 -i 0.02 -W 1 "${@:2}" 2>&1 | tail -n 3 | tee "$dir/ping" | grep -q ' 0% packet loss'; }
traced() { [ "$(client traceroute "$1" -n -q 1 -w 2 "$2" 2>/dev/null | awk '$1 ~ /^[0-9]+$/ { printf "%s ", $2 }')" = "$3 $2 " ]; }
# Both hops, none of the probes lost.
mtr_sees() {
  [ "$(client mtr "$1" -n -r -c 5 -i 0.1 -G 1 "$2" | awk '$1 ~ /^[0-9]+\./ && $3 == "0.0%" { printf "%s ", $2 }')" = "$3 $2 " ]
}
# downloaded URL_HOST: sets rate_mbps
downloaded() {
  client curl -sS --noproxy '*' --max-time 120 -w '%{stderr}%{speed_download}' "http://$1:$HTTP_PORT/file" 2>"$dir/rate" </dev/null |
    sha256sum >"$dir/sum" || return 1
  rate_mbps=$(awk '{ printf "%.0f", $1 * 8 / 1e6 }' "$dir/rate")
  [ "$(cat "$dir/sum")" = "$file_sum" ]
}
# iperf ADDRESS ARGS…: its JSON goes to $dir/iperf
iperf() { client timeout $((seconds + 30)) iperf3 -c "$1" -p $IPERF_PORT -t "$seconds" -J "${@:2}" </dev/null >"$dir/iperf" 2>&1; }
# Something came, and the router did what it had to do.
tcp_flows() { iperf "$@" && jq -e '.end.sum_received.bits_per_second > 1e6' "$dir/iperf" >/dev/null; }
tcp_said() { jq -r '.end | "\(.sum_received.bits_per_second / 1e6 | round) Mbit/s, \(.sum_sent.retransmits) retransmitted"' "$dir/iperf"; }
udp_arrives() {
  iperf "$1" -u -b ${udp_mbps}M -l 1400 "${@:2}" &&
    jq -e --argjson most $UDP_LOST_PERCENT '.end.sum | .packets > 100 and .lost_percent < $most' "$dir/iperf" >/dev/null
}
udp_said() { jq -r '.end.sum | "\(.bits_per_second / 1e6 | round) Mbit/s, \(.lost_packets) of \(.packets) lost"' "$dir/iperf"; }

# ---- the path as it is -------------------------------------------------------------------------------------------

hosts_start || die "cannot make the hosts: $(tail -n 3 "$dir"/*.log "$dir/iperf.server")"
start() {
  router_config "$dir" "$(first_cpu)"
  router_start_dataplane "$dir"
  router_start_agent "$dir"
  wait_for 20 router_ready || {
    tail -n 20 "$dir"/*.log
    die "the router did not start"
  }
  accounting_begin
  expect "the hosts find the router and each other" wait_for 5 pings 10.0.2.2
  expect "and by IPv6" wait_for 5 pings fd00:2::2
}
start

for family in 4 6; do
  if [ $family = 4 ]; then hop=10.0.1.1 to=10.0.2.2 back=10.0.1.2 url=$to; else hop=fd00:1::1 to=fd00:2::2 back=fd00:1::2 url="[$to]"; fi
  expect "IPv$family: ping, 1,500 bytes" all_answered "$LAB_CLIENT" -M "do" -s $((family == 4 ? 1472 : 1452)) $to
  expect "IPv$family: traceroute" traced -$family $to $hop
  expect "IPv$family: mtr" mtr_sees -$family $to $hop
  for size in 4000 20000; do
    expect "IPv$family: $size bytes in fragments, there" all_answered "$LAB_CLIENT" -M dont -s $size $to
    expect "IPv$family: and from the other side" all_answered "$LAB_SERVER" -M dont -s $size $back
  done
  rate_mbps=0
  expect "IPv$family: $megabytes MB by HTTP, the same bytes" downloaded "$url"
  say "        $rate_mbps Mbit/s"
  expect "IPv$family: TCP to the server" tcp_flows $to
  say "        $(tcp_said)"
  expect "IPv$family: TCP from the server" tcp_flows $to -R
  say "        $(tcp_said)"
  expect "IPv$family: UDP at $udp_mbps Mbit/s to the server, less than $UDP_LOST_PERCENT % lost" udp_arrives $to
  say "        $(udp_said)"
  expect "IPv$family: and from it" udp_arrives $to -R
  say "        $(udp_said)"
done
expect "the router dropped only what had to be" [ "$(cli_dataplane --json drops | jq '[.drops[]
  | select(.reason | IN("ip4_ttl", "ip6_hop_limit", "unresolved", "l2_multicast", "l2_vlan") | not) | .packets] | add // 0')" = 0 ]
expect "accounting" accounting_end
expect "in which no number could be another one" accounting_sensitive

# Somebody else sends a frame by the router's cable: one that its counters know nothing of.
lab_in "$LAB_ROUTER" python3 - <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("port-a", 0))
s.send(bytes.fromhex("020000000102" "020000000101" "88b5") + bytes(46))
PY
expect "one frame that the router did not send is noticed" not accounting_agrees

# ---- the far end takes less --------------------------------------------------------------------------------------

router_stop
far_mtu=$NARROW_MTU
start
path_mtu() { client tracepath "-$1" -n "$2" | tee "$dir/tracepath" | grep -q "Resume: pmtu $NARROW_MTU "; }
forget() {
  client ip route flush cache
  client ip -6 route flush cache
}
# What the client's kernel has learned, from nobody but the router.
learned() { client ip -j route get "$1" | jq -e --argjson mtu $NARROW_MTU '[.[].metrics[]?.mtu] == [$mtu]' >/dev/null; }
for family in 4 6; do
  if [ $family = 4 ]; then to=10.0.2.2; else to=fd00:2::2; fi
  forget
  expect "IPv$family: tracepath finds $NARROW_MTU bytes" path_mtu $family $to
  forget
  expect "IPv$family: what fits, fits" all_answered "$LAB_CLIENT" -M "do" -s $((NARROW_MTU - (family == 4 ? 28 : 48))) $to
  expect "IPv$family: nothing had to be learned for that" not learned $to
  expect "IPv$family: TCP finds it, too" tcp_flows $to
  say "        $(tcp_said)"
  expect "IPv$family: and has learned it" learned $to
done
forget
expect "IPv4: what may be cut is cut" all_answered "$LAB_CLIENT" -M dont -s 1450 10.0.2.2
expect "accounting" accounting_end
say "took $(elapsed)"
exit "$failed"
