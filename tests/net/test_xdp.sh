#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_xdp.sh - AF_XDP ports with our XDP program between real hosts: what it counts and what it drops, queues, loss, whose
# program may be taken away and whose not, instances beside each other, and coming back after SIGKILL.
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
FOREIGN=$BUILD/tests/ebpf/foreign.bpf.o
KILLS=2
[ "${DWCP_TEST_FULL:-0}" = 1 ] && KILLS=20
CPU=$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)

dir='' second_pid=''
cleanup() {
  local name
  stop_pids "$second_pid"
  router_stop
  for name in "dwcp-xdp-$$" "dwcp-xdp2-$$"; do
    lab_names "$name"
    lab_down
  done
  [ -z "$dir" ] || rm -rf "$dir"
}
# lab_names LAB: the lab that the functions of lab.sh speak of from now on.
lab_names() {
  # shellcheck disable=SC2034 # lab.sh
  LAB=$1 LAB_CLIENT=$1-client LAB_SERVER=$1-server LAB_ROUTER=$1-router
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d /tmp/dwcp-xdp-$$-XXXXXX) || exit 1
ROUTER_DIR=$dir/one

failed=0
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
pings() { lab_in "$LAB_CLIENT" ping -n -q -c 20 -i 0.01 -W 1 "$@" 2>/dev/null | grep -q ' 0% packet loss'; }
one_ping() { lab_in "$LAB_CLIENT" ping -n -q -c 1 -W 1 10.0.2.2 >/dev/null 2>&1; }
logged() { grep -q -- "$1" "$ROUTER_DIR/dataplane.log"; }
# port JQ: of the port that the client is behind.
port() { cli_dataplane --json ports | jq -r ".ports[0] | $1"; }
port_is() { [ "$(port "$1")" = "$2" ]; }
# Every frame that the program saw went somewhere, and every one that it redirected is here or counted as lost.
settled() { port_is '.xdp | .seen == .redirected + .no_socket + .dropped' true && port_is '.xdp.redirected == .hw.rx_packets + .xdp.lost' true; }
dropped() { cli_dataplane --json drops | jq --arg r "$1" '[.drops[] | select(.reason == $r) | .packets] | add // 0'; }
program_id() { lab_in "$LAB_ROUTER" ip -j -d link show dev "$1" | jq -r '.[0].xdp.prog.id // "none"'; }

# config [port arguments] [worker CPUs] [more of each port]: a router of two AF_XDP ports and its route files.
config() {
  local args=${1:-} more=${3:-}
  router_config_ports() {
    cat <<CONF
ports = (
  { name = "a"; device = "af_xdp"; args = "iface=port-a$args"; twin = "off"; addresses = ["10.0.1.1/24", "fd00:1::1/64"]; $more },
  { name = "b"; device = "af_xdp"; args = "iface=port-b$args"; twin = "off"; addresses = ["10.0.2.1/24", "fd00:2::1/64"]; $more }
);
CONF
  }
  router_config "$ROUTER_DIR" "${2:-$CPU}"
}
started() {
  wait_for 20 router_ready && return
  tail -n 20 "$ROUTER_DIR"/*.log
  die "the router did not start"
}
start() {
  : >"$ROUTER_DIR/dataplane.log"
  router_start_dataplane "$ROUTER_DIR"
  router_start_agent "$ROUTER_DIR"
  started
  accounting_begin
}
# refused TEXT: the dataplane does not start, and its log says why and what to do.
refused() {
  : >"$ROUTER_DIR/dataplane.log"
  router_start_dataplane "$ROUTER_DIR"
  wait_for 20 pid_gone "$ROUTER_DATAPLANE_PID" || return 1
  wait "$ROUTER_DATAPLANE_PID"
  [ $? -eq 1 ] || return 1
  ROUTER_DATAPLANE_PID=''
  grep "$1" "$ROUTER_DIR/dataplane.log" | grep -q hint=
}
kill_router() {
  kill -KILL "$ROUTER_DATAPLANE_PID"
  wait "$ROUTER_DATAPLANE_PID" 2>/dev/null
  ROUTER_DATAPLANE_PID=''
}

# frames N FLOWS [malformed]: UDP from the client to the server, from so many source ports, straight into the cable.
frames() {
  lab_in "$LAB_CLIENT" python3 - "$@" <<'PY'
import socket, struct, sys
n, flows, bad = int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
eth = bytes.fromhex("020000000101" "020000000102" "0800")
ip = struct.pack("!BBHHHBBH4s4s", 0x55 if bad else 0x45, 0, 46, 0, 0, 64, 17, 0, socket.inet_aton("10.0.1.2"), socket.inet_aton("10.0.2.2"))
c = sum(struct.unpack("!10H", ip))
c = ~((c & 0xffff) + (c >> 16)) & 0xffff
ip = ip[:10] + struct.pack("!H", c) + ip[12:]
for i in range(n):
    s.send(eth + ip + struct.pack("!HHHH", 20000 + i % flows, 9, 26, 0) + bytes(18))
PY
}

# ---- forwarding, counting, dropping -------------------------------------------------------------------------------------

lab_up "dwcp-xdp-$$" && lab_neighbours && lab_server_gateways || die "cannot make the hosts"
mkdir -p "$ROUTER_DIR"
config
start
if ! logged 'xdp.attach.*counters=found'; then
  cat "$ROUTER_DIR/dataplane.log"
  die "our program is not in use"
fi
expect "IPv4" pings 10.0.2.2
expect "IPv6" pings fd00:2::2
expect "1,500 bytes" pings -M "do" -s 1472 10.0.2.2
expect "native, on both ports" port_is .xdp.native true
expect "frames counted by kind" port_is '.xdp.redirected_by_kind | .ip4 >= 40 and .ip6 >= 20' true
expect "redirected = received + lost" wait_for 5 settled

before=$(port .xdp.dropped_by_reason.ip4_version)
frames 25 1 malformed
expect "malformed frames die in XDP, by their reason" \
  wait_for 5 port_is ".xdp.dropped_by_reason.ip4_version == $before + 25" true
expect "and the dataplane never saw them" [ "$(dropped ip4_version)" = 0 ]

# ---- the link ------------------------------------------------------------------------------------------------------------

lab_in "$LAB_CLIENT" ip link set eth0 down
expect "carrier lost: the port is down" wait_for 2 port_is .up false
lab_in "$LAB_CLIENT" ip link set eth0 up
expect "carrier back: the port is up" wait_for 2 port_is .up true
lab_in "$LAB_CLIENT" ip route replace default via 10.0.1.1
lab_in "$LAB_CLIENT" ip neigh replace 10.0.1.1 lladdr "$LAB_MAC_ROUTER_A" dev eth0 nud permanent
expect "traffic flows again" wait_for 5 one_ping

# ---- loss: the process stands still, the rings overflow --------------------------------------------------------------------

before=$(port .xdp.seen)
kill -STOP "$ROUTER_DATAPLANE_PID"
frames 6000 8
kill -CONT "$ROUTER_DATAPLANE_PID"
expect "every frame was seen" wait_for 5 port_is ".xdp.seen >= $before + 6000" true
expect "redirected = received + lost" wait_for 5 settled
expect "what the rings don't hold was lost, and only that" port_is '.xdp.lost >= 1000 and .xdp.lost <= 5000' true
expect "shown as missed" port_is '.hw.rx_missed == .xdp.lost' true
expect "accounting" accounting_end
say "        lost $(port .xdp.lost) of 6000 sent while it stood"

# ---- whose program ---------------------------------------------------------------------------------------------------------

# A second dataplane of this namespace wants the same interfaces.
first_pid=$ROUTER_DATAPLANE_PID first_dir=$ROUTER_DIR id=$(program_id port-a)
ROUTER_DIR=$dir/same
mkdir -p "$ROUTER_DIR"
config
expect "a second instance on the same interface is refused" refused error=interface_in_use
expect "the first one's program stays" [ "$(program_id port-a)" = "$id" ]
ROUTER_DATAPLANE_PID=$first_pid ROUTER_DIR=$first_dir
expect "and it goes on" pings 10.0.2.2

# Somebody puts a program in the place of ours while we run: it outlives us.
lab_in "$LAB_ROUTER" ip -force link set dev port-a xdp obj "$FOREIGN" sec xdp
foreign_id=$(program_id port-a)
expect "another program in the place of ours" [ "$foreign_id" != "$id" ]
router_stop
expect "stopping leaves it there" [ "$(program_id port-a)" = "$foreign_id" ]
expect "and takes ours away" [ "$(program_id port-b)" = none ]
expect "somebody else's program of the same name: refused" refused error=foreign_xdp_program
expect "and untouched" [ "$(program_id port-a)" = "$foreign_id" ]
lab_in "$LAB_ROUTER" ip link set dev port-a xdp off

# ---- limits ----------------------------------------------------------------------------------------------------------------

config "" "$CPU" "mtu = 3600;"
expect "larger than a page: refused" refused "error=mtu mtu=3600 device_max="
largest=$(sed -n 's/.*device_max=\([0-9]*\).*/\1/p' "$ROUTER_DIR/dataplane.log")
config "" "$CPU, $CPU"
expect "two workers, one queue: refused" refused error=too_few_queues
config ",xdp_prog=/nonexistent.o"
expect "no such object: refused" refused port.open
expect "nothing is left on the interfaces" [ "$(program_id port-a)$(program_id port-b)" = nonenone ]

config "" "$CPU" "mtu = $largest;"
for ns in "$LAB_CLIENT" "$LAB_SERVER"; do lab_in "$ns" ip link set eth0 mtu "$largest"; done
start
expect "$largest bytes" pings -M "do" -s $((largest - 28)) 10.0.2.2
router_stop

# ---- SIGKILL -----------------------------------------------------------------------------------------------------------------

config
start
for ((i = 1; i <= KILLS; i++)); do
  kill_router
  expect "killed ($i of $KILLS): the program is still there" [ "$(program_id port-a)" != none ]
  : >"$ROUTER_DIR/dataplane.log"
  router_start_dataplane "$ROUTER_DIR"
  started
  expect "back ($i of $KILLS), the dead one's program removed" logged 'xdp.stale port=a .*state=removed'
  expect "traffic" wait_for 5 one_ping
  expect "accounting" wait_for 5 settled
done

# ---- not root ------------------------------------------------------------------------------------------------------------------

# as_nobody: what the documentation says that it takes, and nothing else. It can't see whose program a dead one left.
as_nobody() {
  local caps=+net_raw,+net_admin,+bpf,+ipc_lock
  chmod 755 "$dir" && chown -R 65534:65534 "$ROUTER_DIR" || return 1
  : >"$ROUTER_DIR/dataplane.log"
  router_exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "--inh-caps=-all,$caps" "--ambient-caps=-all,$caps" \
    "--bounding-set=-all,$caps" "$BUILD/dataplane/dwcp-dataplane" --config "$ROUTER_DIR/dwcp.conf" \
    </dev/null >>"$ROUTER_DIR/dataplane.log" 2>&1 &
  ROUTER_DATAPLANE_PID=$!
}
nobody_refused() {
  as_nobody
  wait_for 20 pid_gone "$ROUTER_DATAPLANE_PID" && wait "$ROUTER_DATAPLANE_PID"
  [ $? -eq 1 ] && ROUTER_DATAPLANE_PID='' && grep "$1" "$ROUTER_DIR/dataplane.log" | grep -q hint=
}
kill_router
stop_pids "$ROUTER_AGENT_PID"
id=$(program_id port-a)
if setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$BUILD/dataplane/dwcp-dataplane"; then
  expect "not root, a dead one's program: refused" nobody_refused error=xdp_program_unreadable
  expect "and untouched" [ "$(program_id port-a)" = "$id" ]
  lab_in "$LAB_ROUTER" ip link set dev port-a xdp off
  lab_in "$LAB_ROUTER" ip link set dev port-b xdp off
  as_nobody
  expect "not root, with four capabilities: started" wait_for 20 logged control.ready
  expect "our program, its counters" logged 'xdp.attach port=a .*mode=native counters=found'
  stop_pids "$ROUTER_DATAPLANE_PID"
  expect "and taken away again" [ "$(program_id port-a)$(program_id port-b)" = nonenone ]
else
  say "skipped not root: nobody may not run what is in $BUILD"
fi
chown -R 0:0 "$ROUTER_DIR"
start

# ---- two instances, interfaces of the same names in two namespaces -----------------------------------------------------------

second_dir=$dir/two
mkdir -p "$second_dir"
lab_up "dwcp-xdp2-$$" && lab_neighbours && lab_server_gateways || die "cannot make the second lab"
first_agent=$ROUTER_AGENT_PID first_pid=$ROUTER_DATAPLANE_PID
ROUTER_DIR=$second_dir
config
start
second_pid=$ROUTER_DATAPLANE_PID
stop_pids "$ROUTER_AGENT_PID"
expect "the second instance forwards" pings 10.0.2.2
kill -KILL "$second_pid"
wait "$second_pid" 2>/dev/null
second_pid=
lab_names "dwcp-xdp-$$"
ROUTER_DIR=$first_dir ROUTER_AGENT_PID=$first_agent ROUTER_DATAPLANE_PID=$first_pid
expect "it dies, the first one forwards" pings 10.0.2.2
expect "and counts its own frames only" wait_for 5 settled
router_stop
lab_down
lab_names "dwcp-xdp2-$$"
lab_down

# ---- queues --------------------------------------------------------------------------------------------------------------------

LAB_QUEUES=2
lab_up "dwcp-xdp-$$" && lab_neighbours && lab_server_gateways || die "cannot make the hosts with two queues"
config "" "$CPU, $CPU"
start
both_work() { [ "$(cli_dataplane --json stats | jq '[.workers[].packets] | min > 500')" = true ]; }
frames 4000 64
expect "two queues, two workers: both get packets" wait_for 5 \
  both_work
expect "no queue without a socket" port_is .xdp.no_socket 0
expect "redirected = received + lost" wait_for 5 settled
expect "accounting" accounting_end
router_stop

# One socket, two queues. The lab's own firewall at the kernel's ingress would count what came through: it must be nothing.
lab_in "$LAB_ROUTER" nft flush chain netdev port-a ingress
lab_in "$LAB_ROUTER" nft add rule netdev port-a ingress counter drop
kernel_saw() { lab_in "$LAB_ROUTER" nft -j list chain netdev port-a ingress | jq '[.nftables[].rule.expr[]?.counter.packets // empty] | add'; }
frames 100 64
expect "without a dataplane the kernel gets frames" [ "$(kernel_saw)" -ge 100 ]
config ",queue_count=1"
start
expect "said so at the start" logged queues_without_socket
before=$(kernel_saw)
frames 4000 64
expect "a queue without a socket: dropped, counted" wait_for 5 port_is '.xdp.no_socket > 500' true
expect "status warns of it" grep -q 'queues without a socket' <(cli_dataplane status)
expect "the kernel saw none of them" [ "$(kernel_saw)" = "$before" ]
expect "every frame is accounted for" wait_for 5 settled
expect "accounting" accounting_end
router_stop
exit $failed
