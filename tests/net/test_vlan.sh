#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_vlan.sh - two hosts behind one tag and behind two, each on a VLAN that is a port of its own with its own twin: found
# from cold, forwarded between, counted once; other tags and untagged frames are nobody's. The kernel may lack VLAN devices,
# so the hosts' tags are made by tc programs. test_vlan.sh af_packet|af_xdp
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
# shellcheck source=../../scripts/lab.sh
. "$ROOT/scripts/lab.sh"
# shellcheck source=../../scripts/router.sh
. "$ROOT/scripts/router.sh"
# shellcheck source=twin.sh
. "$ROOT/tests/net/twin.sh"

is_root || {
  echo "needs root: network namespaces, TAP interfaces, BPF"
  exit 77
}
[ -c /dev/net/tun ] || {
  echo "needs /dev/net/tun"
  exit 77
}
[ -e "$BUILD/tests/net/tag.bpf.o" ] || {
  echo "needs clang at build time: programs that make tags"
  exit 77
}
kind=${1:?af_packet or af_xdp}

dir=
trap twin_cleanup EXIT
trap 'exit 130' INT TERM HUP
dir=$(mktemp -d /tmp/dwcp-vlan-$$-XXXXXX) || exit 1
# shellcheck disable=SC2034 # router.sh
ROUTER_DIR=$dir

router_config_ports() {
  local args_a=$1 args_b=$2
  if [ "$kind" = af_xdp ]; then args_a=iface=port-a args_b=iface=port-b; fi
  cat <<CONF
ports = (
  { name = "trunk_a"; twin = "on"; device = "$kind"; args = "$args_a"; },
  { name = "trunk_b"; twin = "on"; device = "$kind"; args = "$args_b"; },
  { name = "a"; twin = "on"; device = "vlan"; parent = "trunk_a"; vlan = 7;
    addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "on"; device = "vlan"; parent = "trunk_b"; svlan = 100; vlan = 8;
    addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
CONF
}

lab_up "dwcp-vlan-$$" || die "cannot make the hosts"
host_tags "$LAB_CLIENT" push_7 pop || die "no tags for the client"
host_tags "$LAB_SERVER" push_100_8 pop_pop || die "no tags for the server"
if [ "$kind" = af_xdp ]; then tags_in_bytes || die "tags stay out of the frames"; fi
# Both tags of a full-sized packet have to fit on the cable: the kernel itself has room for one.
router ip link set port-b mtu 1508 && server ip link set eth0 mtu 1508 || die "no longer frames"
twin_router_start
for twin in trunk_a trunk_b a b; do
  expect "twin $twin" wait_for 5 twin_has_carrier "$twin"
done
expect "addresses" wait_for 5 twin_has_addresses a 10.0.1.1/24 fd00:1::1/64
expect "on both" wait_for 5 twin_has_addresses b 10.0.2.1/24 fd00:2::1/64

packets() { cli_dataplane --json ports | jq --arg p "$1" --arg k "$2" '.ports[] | select(.name == $p) | .[$k]'; }
parent_of() { cli_dataplane --json ports | jq -r --arg p "$1" '.ports[] | select(.name == $p) | .parent'; }
arp_answered() {
  client ping -n -q -c 1 -W 1 192.0.2.1 >/dev/null 2>&1
  client ip -j neigh show 192.0.2.1 dev eth0 | jq -e --arg m "$LAB_MAC_ROUTER_A" '.[0].lladdr == $m' >/dev/null
}
server_pings() { server ping -n -q -c 3 -i 0.05 -W 1 "$@" >/dev/null 2>&1; }

expect "one tag: ARP from cold, echo" pings 10.0.1.1
expect "one tag: ND from cold, echo" pings fd00:1::1
expect "two tags: ARP from cold, echo" server_pings 10.0.2.1
expect "two tags: ND from cold, echo" server_pings fd00:2::1
expect "from one tag to two" pings 10.0.2.2
expect "IPv6 from one tag to two" pings fd00:2::2
expect "1,500 bytes" pings -M "do" -s 1472 10.0.2.2
expect "a daemon of the router" router_serve 10.0.1.1 179
expect "a session over a tag" client_session ask 10.0.1.1 179 1
expect "a VLAN says whose it is" [ "$(parent_of b)" = trunk_b ]
expect "the parent has counted its VLAN's packets" [ "$(packets trunk_a rx_packets)" -ge "$(packets a rx_packets)" ]
expect "the VLAN has its own" [ "$(packets a rx_packets)" -gt 20 ]
expect "no frame of a VLAN was a stranger's" [ "$(dropped l2_vlan)" -eq 0 ]

before=$(packets a rx_packets)
host_tags "$LAB_CLIENT" push_9 pop
expect "another tag: nobody" not pings 10.0.1.1
expect "counted as such" [ "$(dropped l2_vlan)" -ge 3 ]
expect "and not by the VLAN" [ "$(packets a rx_packets)" -eq "$before" ]
client tc filter del dev eth0 egress
client ip neigh flush dev eth0
expect "no tag: nobody answers ARP for the VLAN's address" not pings 10.0.1.1
expect "still not" [ "$(packets a rx_packets)" -eq "$before" ]
router ip addr add 192.0.2.1/24 dev trunk_a
client ip addr add 192.0.2.2/24 dev eth0
expect "but the port itself: its own twin hears ARP" arp_answered
host_tags "$LAB_CLIENT" push_7 pop
expect "the right tag again" wait_for 5 pings 10.0.1.1
expect "accounting" accounting_end
exit "$failed"
