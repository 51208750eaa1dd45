#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_routing_table.sh - the Internet's table: an uplink's BIRD tells it the router's BIRD, which puts it into the kernel;
# until the engine forwards by the last prefix, and until it has forgotten all of them again.
#
#   test_routing_table.sh af_packet|af_xdp [N]
#
# N: only that many of the prefixes. DWCP_TABLE: a file of prefixes, else a synthetic table of that size is made.
set -uo pipefail
# shellcheck source=routing.sh
. "$(dirname "$0")/routing.sh"

n_prefixes=${2:-10000000}

# What the daemon's filters accept, a BIRD static route each: the rest is what no uplink may announce.
full_table() {
  "$BUILD/tests/net/table_dump" | awk -v n="$n_prefixes" -v out="$1" '
    function value(a, b, c, d) { return ((a * 256 + b) * 256 + c) * 256 + d }
    BEGIN {
      split("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " \
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3", text, " ")
      for (i in text) {
        split(text[i], p, /[.\/]/)
        size[i] = 2 ^ (32 - p[5])
        bogon[i] = value(p[1], p[2], p[3], p[4]) / size[i]
      }
    }
    !/:/ {
      split($1, p, /[.\/]/)
      if (p[5] < 8 || p[5] > 24) next
      v = value(p[1], p[2], p[3], p[4])
      for (i in bogon) if (int(v / size[i]) == bogon[i]) next
      if (n4++ < n) print "route " $1 " unreachable;" >(out "/internet4")
    }
    /:/ {
      split($1, p, /[:\/]/)
      len = $1; sub(/.*\//, "", len)
      if (len < 12 || len > 48 || $1 !~ /^[23][0-9a-f][0-9a-f][0-9a-f]:/ || p[1] == "2001" && $1 ~ /^2001:(db8|[0-9a-f][0-9a-f]?[0-9a-f]?)?:/ ||
        p[1] == "2002" || p[1] == "3ffe") next
      if (n6++ < n / 6) print "route " $1 " unreachable;" >(out "/internet6")
    }'
}

# Nothing is told before somebody says so; b has nothing to tell. a answers to every address.
lab_peers() {
  full_table "$LAB_DIR" || return 1
  n4=$(wc -l <"$LAB_DIR/internet4") n6=$(wc -l <"$LAB_DIR/internet6")
  sed -n 's/^route \([^ ]*\)\/.*/\1/p' "$LAB_DIR/internet4" >"$LAB_DIR/bases4"
  sed -n 's/^route \([^ ]*\)\/.*/\1/p' "$LAB_DIR/internet6" >"$LAB_DIR/bases6"
  sed -i '1i disabled yes;' "$LAB_DIR/internet4" "$LAB_DIR/internet6"
  lab_uplink a "$LAB_A" 64496 192.0.2.0 2001:db8:ffff:: 192.0.2.1 2001:db8:ffff::1 || return 1
  : >"$LAB_DIR/internet4" && : >"$LAB_DIR/internet6"
  lab_uplink b "$LAB_B" 64497 192.0.2.2 2001:db8:ffff::2 192.0.2.3 2001:db8:ffff::3 || return 1
  # IPv4 answers only from addresses in the table `local`, so whatever isn't must be in there as well.
  lab_in "$LAB_A" ip route add 192.0.2.0/31 dev eth0 scope link table local || return 1
  lab_in "$LAB_A" ip route add 203.0.113.0/24 via 192.0.2.1 dev eth0 table local || return 1
  lab_in "$LAB_A" ip route add local default dev lo table local || return 1
  lab_in "$LAB_A" ip -6 route add local default dev lo table 100 || return 1
  lab_in "$LAB_A" ip -6 rule add pref 40000 lookup 100 || return 1
  lab_inside
}

# table_follow SECONDS N4 N6: until the engine has just these from the kernel, and all of it is in use. Prints JSON.
table_follow() {
  python3 "$ROOT/tests/mirror/table_follow.py" "$dir/run/agent.sock" "$ROUTER_AGENT_PID" "$@"
}
mirrored() { cli --json routes mirror | jq "$1"; }
# Of the main table's; the mirror holds no link-local and multicast ones.
as_the_kernel() {
  local n
  for n in 4 6; do
    [ "$(mirrored '.tables[] | select(.name == "main").ip'$n)" = "$(lab_in "$LAB_ROUTER" ip -$n route show table main |
      grep -cvE '^(fe80|ff00|multicast|[[:space:]])')" ] || return 1
  done
}
followed() { [ "$(mirrored .pending)" = 0 ] && router_ready; }

# Addresses of prefixes all over the table.
some_of() {
  awk -v n="$2" '{ line[NR] = $1 } END { for (k = 0; k < n; k++) print line[1 + int(k * (NR - 1) / (n - 1))] }' "$1" |
    sed 's/\.0$/.1/; s/::$/::1/'
}

routing_begin "$1" bird
export DWCP_MIRROR_INSIDE=1
routing_up 0 0
expect "BGP, IPv4 and IPv6, with both uplinks" wait_for 30 lab_bgp_up
expect "each told what it should know" wait_for 20 lab_routes_told
expect "and the few routes that are none of the table's" wait_for 20 in_kernel 31.255.1.0/24
expect "in IPv6, too" wait_for 20 in_kernel6 2a0f:ffff:1::/48
expect "the engine follows" wait_for 5 followed
expect "nothing of the table yet" unreachable "$(head -n 1 "$dir/bases4")"
base4=$(mirrored .ip4) base6=$(mirrored .ip6) flaps=$(lab_flaps)

lab_birdc_do a enable '"internet*"'
if table_follow 300 $((base4 + n4)) $((base6 + n6)) >"$dir/loaded"; then
  say "ok      $n4 + $n6 prefixes in use: $(cat "$dir/loaded")"
else
  say "FAILED  $n4 + $n6 prefixes in use: $(cat "$dir/loaded")" && failed=1
fi
expect "as many as the kernel has" as_the_kernel
# shellcheck disable=SC2046 # words are wanted
expect "from inside to the first of them" wait_for 10 all_pinged $(some_of "$dir/bases4" 2 | head -n 1)
# shellcheck disable=SC2046 # words
expect "to 100 addresses all over the table" all_pinged $(some_of "$dir/bases4" 60) $(some_of "$dir/bases6" 40)
expect "no session has noticed" [ "$(lab_flaps)" = "$flaps" ]
routing_accounted

lab_birdc_do a disable '"internet*"'
if table_follow 300 "$base4" "$base6" >"$dir/withdrawn"; then
  say "ok      withdrawn, all of them: $(cat "$dir/withdrawn")"
else
  say "FAILED  withdrawn, all of them: $(cat "$dir/withdrawn")" && failed=1
fi
expect "it leads nowhere" unreachable "$(head -n 1 "$dir/bases4")"
expect "no session has noticed" [ "$(lab_flaps)" = "$flaps" ]
expect "no divergence" [ "$(mirrored .divergence)" = 0 ]
# As far as it is the agent's doing: seven programs share the CPUs.
expect "nothing took the agent's loop more than 5 ms of a CPU" [ "$(cli --json status | jq .agent.loop_cpu_max_us)" -le 5000 ]
routing_accounted
routing_end
