# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# lab_routing.sh - a router among real routers, each in a network namespace of its own. Sourced, after lab.sh.
#
#   a   AS 64496   192.0.2.0/31    2001:db8:ffff::/127   ──── transit0 │        │
#   b   AS 64497   192.0.2.2/31    2001:db8:ffff::2/127  ──── transit1 │ router │   AS 64500
#   c   OSPF       198.51.100.2    2001:db8:1::2         ──── inside   │        │
#                  203.0.113.130, 2001:db8:2::1 on lo: what others reach by OSPF only
#
# The router is the node of configs/routing-node.conf, and its daemon has configs/bird.conf or configs/frr/ as it is. a, b
# and c run BIRD. a and b announce "the Internet": /24s from 16.0.0.0/4 and /48s from 2a00::/12, and answer to every
# address in there. Nothing is static but the addresses of the ends of the cables.
#
# KIND is what forwards: `kernel` (the cables carry the ports' names: proves daemons, files and waits without the
# engine), or the kind of the engine's ports, af_packet or af_xdp; then the cables are called wire0, wire1, wire2.

# shellcheck disable=SC2034 # LAB_PID, LAB_PIDS: for whoever sources this
LAB_ROUTING_PORTS=(transit0 transit1 inside)
LAB_ROUTING_ADDRS=("192.0.2.1/31 2001:db8:ffff::1/127" "192.0.2.3/31 2001:db8:ffff::3/127"
  "198.51.100.1/24 2001:db8:1::1/64")
LAB_INTERNET4=16.0.0.0/4
LAB_INTERNET6=2a00::/12

# lab_routing_up NAME KIND DIR: needs root. Sets LAB_A, LAB_B, LAB_C, LAB_ROUTER; DIR takes files of the daemons.
lab_routing_up() {
  LAB=$1 LAB_KIND=$2 LAB_DIR=$3
  LAB_A=$LAB-a LAB_B=$LAB-b LAB_C=$LAB-c LAB_ROUTER=$LAB-r
  LAB_CABLES=()
  local ns
  for ns in "$LAB_A" "$LAB_B" "$LAB_C" "$LAB_ROUTER"; do
    ip netns add "$ns" || return 1
    lab_in "$ns" ip link set lo up || return 1
  done
  lab_routing_wire 0 "$LAB_A" 192.0.2.0/31 2001:db8:ffff::/127 || return 1
  lab_routing_wire 1 "$LAB_B" 192.0.2.2/31 2001:db8:ffff::2/127 || return 1
  lab_routing_wire 2 "$LAB_C" 198.51.100.2/24 2001:db8:1::2/64 || return 1
  lab_in "$LAB_ROUTER" ip addr add 203.0.113.1/32 dev lo || return 1
  lab_in "$LAB_ROUTER" ip addr add 2001:db8::1/128 dev lo || return 1
  lab_in "$LAB_C" ip addr add 203.0.113.130/32 dev lo || return 1
  lab_in "$LAB_C" ip addr add 2001:db8:2::1/128 dev lo || return 1
  for ns in "$LAB_A" "$LAB_B"; do
    lab_in "$ns" ip route add local "$LAB_INTERNET4" dev lo table local || return 1
    lab_in "$ns" ip route add local "$LAB_INTERNET6" dev lo table local || return 1
  done
}

# lab_routing_wire N HOST ADDR4 ADDR6
lab_routing_wire() {
  local n=$1 host=$2 name=wire$1 addr
  [ "$LAB_KIND" != kernel ] || name=${LAB_ROUTING_PORTS[n]}
  LAB_CABLES+=("$host $name")
  ip link add eth0 netns "$host" address "02:00:00:00:0$n:02" type veth \
    peer name "$name" netns "$LAB_ROUTER" address "02:00:00:00:0$n:01" || return 1
  # Frames must be complete on the cable: no partial checksums, no segments that only a kernel could cut.
  lab_in "$host" ethtool -K eth0 tx off tso off gso off gro off >/dev/null || return 1
  lab_in "$LAB_ROUTER" ethtool -K "$name" tx off tso off gso off gro off >/dev/null || return 1
  lab_in "$host" sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.accept_dad=0 || return 1
  if [ "$LAB_KIND" = kernel ]; then
    lab_in "$LAB_ROUTER" sysctl -qw "net.ipv6.conf.$name.accept_dad=0" || return 1
    for addr in ${LAB_ROUTING_ADDRS[n]}; do
      lab_in "$LAB_ROUTER" ip addr add "$addr" dev "$name" || return 1
    done
    lab_in "$LAB_ROUTER" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 || return 1
    lab_in "$LAB_ROUTER" ip link set "$name" up || return 1
  else
    lab_routing_port "$name" || return 1
  fi
  lab_in "$host" ip link set eth0 up || return 1
  lab_in "$host" ip addr add "$3" dev eth0 || return 1
  lab_in "$host" ip addr add "$4" dev eth0 nodad || return 1
}

# A cable's end that belongs to the engine. What a packet socket has seen the kernel drops; XDP is before that.
lab_routing_port() {
  lab_in "$LAB_ROUTER" sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1" net.ipv4.ip_forward=0 || return 1
  lab_in "$LAB_ROUTER" ip link set "$1" arp off up || return 1
  [ "$LAB_KIND" = af_packet ] || return 0
  lab_in "$LAB_ROUTER" nft -f - <<NFT
table netdev $1 {
  chain ingress { type filter hook ingress device "$1" priority 0; policy drop; }
}
NFT
}

# lab_routing_down: processes inside must be gone. Safe to call twice, and on half a lab.
lab_routing_down() {
  local ns
  for ns in "${LAB_A:-}" "${LAB_B:-}" "${LAB_C:-}" "${LAB_ROUTER:-}"; do
    if [ -n "$ns" ] && [ -e "/run/netns/$ns" ]; then
      ip netns del "$ns"
    fi
  done
}

# ---- daemons ---------------------------------------------------------------------------------------------------

LAB_PIDS=() # of daemons; whoever sources this stops them before lab_routing_down

declare -A LAB_PID=() # by name; of FRR: of the daemon that started last

# lab_bird NAME NAMESPACE CONFIG: its socket is LAB_DIR/NAME.ctl.
lab_bird() {
  lab_exec "$2" bird -f -c "$3" -s "$LAB_DIR/$1.ctl" -P "$LAB_DIR/$1.pid" </dev/null >>"$LAB_DIR/$1.log" 2>&1 &
  LAB_PIDS+=($!)
  LAB_PID[$1]=$!
  wait_for 10 lab_birdc "$1" show status >/dev/null
}
lab_birdc() {
  local name=$1
  shift
  timeout 20 birdc -r -s "$LAB_DIR/$name.ctl" "$@" 2>/dev/null
}
# Commands that change something.
lab_birdc_do() {
  local name=$1
  shift
  timeout 20 birdc -s "$LAB_DIR/$name.ctl" "$@" >/dev/null 2>&1
}

# lab_frr NAME NAMESPACE CONFIG_DIR: FRR's daemons with /etc/frr and /run/frr of their own.
lab_frr() {
  local name=$1 ns=$2 etc=$LAB_DIR/$1.etc run=$LAB_DIR/$1.run daemon options
  # The one line that can't be as it is where the kernel is what forwards.
  local forwarding='^$'
  [ "$LAB_KIND" != kernel ] || forwarding='^no ip.* forwarding'
  mkdir -p "$etc" "$run" && grep -v "$forwarding" "$3/frr.conf" >"$etc/frr.conf" && : >"$etc/vtysh.conf" || return 1
  chown -R frr:frr "$etc" "$run" || return 1
  for daemon in zebra staticd $(sed -n 's/^\(.*d\)=yes$/\1/p' "$3/daemons"); do
    read -ra options < <(sed -n "s/^${daemon}_options=\"\(.*\)\"/\1/p" "$3/daemons")
    lab_frr_daemon "$name" "$ns" "$daemon" "${options[@]}"
    wait_for 10 [ -S "$run/$daemon.vty" ] || return 1
  done
  # Prints what it did not understand, and says so in its exit code.
  timeout 30 vtysh --vty_socket "$run" --config_dir "$etc" -b >>"$LAB_DIR/$name.log" 2>&1
}
lab_frr_daemon() {
  local name=$1 ns=$2 daemon=$3
  shift 3
  (
    # shellcheck disable=SC2016 # expanded inside
    lab_exec "$ns" unshare --mount sh -c 'mount --bind "$1" /etc/frr && mount --bind "$2" /run/frr && shift 2 && exec "$@"' \
      sh "$LAB_DIR/$name.etc" "$LAB_DIR/$name.run" "/usr/lib/frr/$daemon" "$@" --log stdout --log-level warnings
  ) </dev/null >>"$LAB_DIR/$name.log" 2>&1 &
  LAB_PIDS+=($!)
  LAB_PID[$name]=$!
}
lab_vtysh() { timeout 20 vtysh --vty_socket "$LAB_DIR/$1.run" --config_dir "$LAB_DIR/$1.etc" -c "$2" 2>/dev/null; }

# lab_router_daemon bird|frr: the router's own, with the files that the project ships.
lab_router_daemon() {
  case $1 in
  bird) lab_bird router "$LAB_ROUTER" "$ROOT/configs/bird.conf" ;;
  frr) lab_frr router "$LAB_ROUTER" "$ROOT/configs/frr" ;;
  esac
}

# ---- the others ------------------------------------------------------------------------------------------------

# lab_internet N_ROUTES4 N_ROUTES6 DIR: what a and b announce, as BIRD reads it.
lab_internet() {
  awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++)
    printf "route %d.%d.%d.0/24 unreachable;\n", 16 + int(i / 65536), int(i / 256) % 256, i % 256 }' >"$3/internet4"
  awk -v n="$2" 'BEGIN { for (i = 0; i < n; i++)
    printf "route %x:%x:%x::/48 unreachable;\n", 10752 + int(i / 16777216), int(i / 256) % 65536, i % 256 * 256 }' >"$3/internet6"
}

# lab_uplink NAME NAMESPACE ASN ADDR4 ADDR6 ROUTER4 ROUTER6: a BIRD that is the Internet. Its protocols: internet4,
# internet6; one4, one6 (one route each that only this one has); leak4 (what no filter may let in); r4, r6 (BGP), bfd1.
lab_uplink() {
  local name=$1 ns=$2 asn=$3 n=$(($3 - 64496))
  cat >"$LAB_DIR/$name.conf" <<CONF
router id $4;
log stderr all;
timeformat protocol iso long ms;
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
protocol static internet4 {
  ipv4;
include "$LAB_DIR/internet4";
}
protocol static internet6 {
  ipv6;
include "$LAB_DIR/internet6";
}
protocol static one4 { ipv4; route 31.255.$n.0/24 unreachable; }
protocol static one6 { ipv6; route 2a0f:ffff:$n::/48 unreachable; }
protocol static leak4 {
  ipv4;
  route 10.9.0.0/16 unreachable;
  route 0.0.0.0/0 unreachable;
  route 31.254.0.0/25 unreachable;
  route 31.253.0.0/24 unreachable { bgp_path.prepend(64666); };
}
protocol static leak6 { ipv6; route fd00::/32 unreachable; route 2001:db8:7::/48 unreachable; }
protocol bfd bfd1 { debug { events }; interface "eth0" { interval 300 ms; multiplier 3; }; }
template bgp engine {
  debug { states };
  local as $asn;
  bfd on;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
}
protocol bgp r4 from engine { neighbor $6 as 64500; ipv4 { import all; export where source = RTS_STATIC; }; }
protocol bgp r6 from engine { neighbor $7 as 64500; ipv6 { import all; export where source = RTS_STATIC; }; }
CONF
  lab_bird "$name" "$ns" "$LAB_DIR/$name.conf"
}

lab_inside() {
  cat >"$LAB_DIR/c.conf" <<CONF
router id 198.51.100.2;
log stderr all;
timeformat protocol iso long ms;
protocol device { }
protocol kernel { ipv4 { import none; export where source ~ [ RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ]; }; }
protocol kernel { ipv6 { import none; export where source ~ [ RTS_OSPF, RTS_OSPF_IA, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ]; }; }
protocol bfd bfd1 { debug { events }; interface "eth0" { interval 300 ms; multiplier 3; }; }
protocol ospf v2 ospf4 {
  ipv4 { import all; export none; };
  area 0 { interface "eth0" { hello 2; dead 8; bfd on; }; interface "lo" { stub; }; };
}
protocol ospf v3 ospf6 {
  ipv6 { import all; export none; };
  area 0 { interface "eth0" { hello 2; dead 8; bfd on; }; stubnet 2001:db8:2::1/128; };
}
CONF
  lab_bird c "$LAB_C" "$LAB_DIR/c.conf"
}

# lab_peers N_ROUTES4 N_ROUTES6
lab_peers() {
  lab_internet "$1" "$2" "$LAB_DIR" || return 1
  lab_uplink a "$LAB_A" 64496 192.0.2.0 2001:db8:ffff:: 192.0.2.1 2001:db8:ffff::1 || return 1
  lab_uplink b "$LAB_B" 64497 192.0.2.2 2001:db8:ffff::2 192.0.2.3 2001:db8:ffff::3 || return 1
  lab_inside
}

# ---- the engine ------------------------------------------------------------------------------------------------

# lab_routing_config DIR WORKER_CPU…: DIR/dwcp.conf of the router, with what a node that follows a daemon has: ports and
# addresses. No neighbours, no routes.
lab_routing_config() {
  local dir=$1 n args=
  shift
  {
    cat <<CONF
node: { name = "edge1"; state_dir = "$dir/state"; run_dir = "$dir/run"; };
dataplane: {
  workers = [$(IFS=,; echo "$*")];
  idle = "adaptive";
  file_prefix = "$LAB";
  memory: { huge_pages = "off"; size_mb = 256; };
  host: { stall_ms = ${LAB_STALL_MS:-3000}; }; # workers, daemons and hosts of the lab share the CPUs
};
ports = (
CONF
    [ "$LAB_KIND" != af_packet ] || args=,$ROUTER_AF_PACKET
    for n in 0 1 2; do
      printf '  { name = "%s"; device = "%s"; args = "iface=wire%d%s"; twin = "on"; addresses = ["%s", "%s"]; }%s\n' \
        "${LAB_ROUTING_PORTS[n]}" "$LAB_KIND" "$n" "$args" ${LAB_ROUTING_ADDRS[n]} "$([ "$n" = 2 ] || echo ,)"
    done
    printf ');\n%s\n' "${LAB_CONFIG_MORE:-}"
  } >"$dir/dwcp.conf"
}

# lab_twins_ready: each there, with its addresses, none of them tentative.
lab_twins_ready() {
  local n addr
  for n in 0 1 2; do
    for addr in ${LAB_ROUTING_ADDRS[n]}; do
      lab_in "$LAB_ROUTER" ip -o addr show dev "${LAB_ROUTING_PORTS[n]}" -tentative | grep -qwF "$addr" || return 1
    done
    lab_in "$LAB_ROUTER" ip -o addr show dev "${LAB_ROUTING_PORTS[n]}" scope link -tentative | grep -q fe80 || return 1
  done 2>/dev/null
}

# ---- questions, all of them asked of the others: whatever daemon the router has ------------------------------------

lab_bgp_up() {
  local peer
  for peer in ${1:-a b}; do
    [ "$(lab_birdc "$peer" show protocols | grep -cE '^r[46] .* Established')" = 2 ] || return 1
  done
}
# lab_bgp_down PEER
lab_bgp_down() { ! lab_birdc "$1" show protocols | grep -qE '^r[46] .* Established'; }
# lab_bfd_up PEER N: N sessions up
lab_bfd_up() { [ "$(lab_birdc "$1" show bfd sessions | grep -c ' Up ')" = "$2" ]; }
# lab_flaps: how often a session of theirs went down, or a BGP session changed at all, so far.
lab_flaps() { cat "$LAB_DIR/a.log" "$LAB_DIR/b.log" "$LAB_DIR/c.log" | grep -cE 'changed state from Up|r[46]: State changed to'; }
lab_ospf_up() {
  lab_birdc c show ospf neighbors ospf4 | grep -q 'Full/' && lab_birdc c show ospf neighbors ospf6 | grep -q 'Full/'
}
# Has c what the router tells the inside, and the world a way to c?
lab_routes_told() {
  lab_in "$LAB_C" ip route show default | grep -q 'via 198.51.100.1 ' &&
    lab_in "$LAB_C" ip -6 route show default | grep -q 'via fe80' &&
    lab_in "$LAB_A" ip route show 203.0.113.0/24 | grep -q via &&
    lab_in "$LAB_A" ip -6 route show 2001:db8::/32 | grep -q via &&
    lab_in "$LAB_B" ip route show 203.0.113.0/24 | grep -q via
}
# lab_routes_in_kernel FAMILY: routes of daemons in the router's main table
lab_routes_in_kernel() {
  lab_in "$LAB_ROUTER" ip "-$1" route show table main | grep -cE '^[^ 	].* proto (bird|bgp|ospf)'
}
# lab_kernel_has N4 N6: at least
lab_kernel_has() { [ "$(lab_routes_in_kernel 4)" -ge "$1" ] && [ "$(lab_routes_in_kernel 6)" -ge "$2" ]; }
