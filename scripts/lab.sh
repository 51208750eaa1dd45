# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# lab.sh - two hosts and a router between them, each in a network namespace of its own. Sourced.
#
#   client eth0 10.0.1.2, fd00:1::2 ──── port-a │ router │ port-b ──── eth0 10.0.2.2, fd00:2::2 server
#
# The router's ends carry no addresses: frames reach the dataplane through a packet socket, and the kernel drops its own
# copy of each at ingress. Hosts and router find each other by ARP and ND, through the twins of the router's ports; with a
# router that has no twins, lab_neighbours tells the hosts its MACs.
# Every lab has its own name, so that any number of them may run at the same time. LAB_QUEUES: of each cable's ends, 1 by default.

LAB_MAC_ROUTER_A=02:00:00:00:01:01
LAB_MAC_ROUTER_B=02:00:00:00:02:01
LAB_MAC_CLIENT=02:00:00:00:01:02
LAB_MAC_SERVER=02:00:00:00:02:02

# lab_up NAME: needs root. Sets LAB_CLIENT, LAB_SERVER, LAB_ROUTER (names of namespaces), and LAB_CABLES: host and router's
# end of each, in the order of the router's ports.
lab_up() {
  LAB=$1
  LAB_CLIENT=$LAB-client
  LAB_SERVER=$LAB-server
  LAB_ROUTER=$LAB-router
  LAB_CABLES=()
  local ns
  for ns in "$LAB_CLIENT" "$LAB_SERVER" "$LAB_ROUTER"; do
    ip netns add "$ns" || return 1
    lab_in "$ns" ip link set lo up || return 1
  done
  lab_wire "$LAB_CLIENT" 1 "$LAB_MAC_CLIENT" port-a "$LAB_MAC_ROUTER_A" || return 1
  lab_wire "$LAB_SERVER" 2 "$LAB_MAC_SERVER" port-b "$LAB_MAC_ROUTER_B" || return 1
}

# lab_wire HOST N HOST_MAC PORT PORT_MAC: a host with 10.0.N.2 and fd00:N::2 on a cable to the router's PORT.
lab_wire() {
  local host=$1 n=$2 host_mac=$3 port=$4 port_mac=$5 queues=${LAB_QUEUES:-1}
  LAB_CABLES+=("$host $port")
  ip link add eth0 netns "$host" address "$host_mac" numrxqueues "$queues" numtxqueues "$queues" type veth \
    peer name "$port" netns "$LAB_ROUTER" address "$port_mac" numrxqueues "$queues" numtxqueues "$queues" || return 1
  # Frames must be complete on the cable: no partial checksums, no segments that only a kernel could cut.
  lab_in "$host" ethtool -K eth0 tx off tso off gso off gro off >/dev/null || return 1
  lab_in "$LAB_ROUTER" ethtool -K "$port" tx off tso off gso off gro off >/dev/null || return 1

  lab_in "$LAB_ROUTER" sysctl -qw "net.ipv6.conf.$port.disable_ipv6=1" net.ipv4.ip_forward=0 || return 1
  lab_in "$LAB_ROUTER" ip link set "$port" arp off up || return 1
  lab_in "$LAB_ROUTER" nft -f - <<NFT || return 1
table netdev $port {
  chain ingress { type filter hook ingress device "$port" priority 0; policy drop; }
}
NFT

  lab_in "$host" sysctl -qw net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.accept_dad=0 || return 1
  lab_in "$host" ip link set eth0 addrgenmode none || return 1
  lab_in "$host" ip link set eth0 up || return 1
  lab_in "$host" ip addr add "10.0.$n.2/24" dev eth0 || return 1
  lab_in "$host" ip addr add "fd00:$n::2/64" dev eth0 nodad || return 1
  lab_in "$host" ip route add default via "10.0.$n.1" || return 1
  lab_in "$host" ip -6 route add default via "fd00:$n::1" || return 1
}

# lab_neighbours: nobody answers ARP for the router.
lab_neighbours() {
  local host
  for host in "$LAB_CLIENT 1 $LAB_MAC_ROUTER_A" "$LAB_SERVER 2 $LAB_MAC_ROUTER_B"; do
    # shellcheck disable=SC2086 # words
    set -- $host
    lab_in "$1" ip neigh add "10.0.$2.1" lladdr "$3" dev eth0 nud permanent || return 1
    lab_in "$1" ip neigh add "fd00:$2::1" lladdr "$3" dev eth0 nud permanent || return 1
  done
}

# lab_in NAMESPACE COMMAND…: not `ip netns exec` nor `ip -n`, which would hide this namespace's /sys (bpffs, huge pages) and
# fail in a chroot.
lab_in() {
  local ns=$1
  shift
  nsenter "--net=/run/netns/$ns" -- "$@"
}

# lab_exec NAMESPACE COMMAND…: the same in place of this (sub)shell, so that `lab_exec … &` leaves the pid in $!.
lab_exec() {
  local ns=$1
  shift
  exec nsenter "--net=/run/netns/$ns" -- "$@"
}

# lab_down: processes inside must be gone. Safe to call twice, and on half a lab.
lab_down() {
  local ns
  for ns in "${LAB_CLIENT:-}" "${LAB_SERVER:-}" "${LAB_ROUTER:-}"; do
    if [ -n "$ns" ] && [ -e "/run/netns/$ns" ]; then
      ip netns del "$ns"
    fi
  done
}

# lab_listens NAMESPACE PORT: is a TCP server there?
lab_listens() { lab_in "$1" ss -Hltn "sport = :$2" | grep -q .; }
