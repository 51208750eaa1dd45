# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# demo_live.sh - the demo with real hosts. Sourced by scripts/demo; needs root. Everything lives in namespaces and one
# temporary directory named after this process, and goes with it.

# shellcheck disable=SC2154 # keep, seconds, colours: scripts/demo
# shellcheck disable=SC2034 # what check() evaluates

N_TABLES=3
DOWNLOAD_BYTES=$((50 * 1000 * 1000))
PING_INTERVAL_S=0.02
TCP_PORT=5201
BGP_ROUTES4=1000
BGP_ROUTES6=100
HTTP_PORT=8080

# The ports have twins in the router's kernel, so that hosts and router find each other and a routing daemon can speak.
ROUTER_TWIN=on

pids=()
dir=
cleanup() {
  trap '' INT TERM HUP
  stop_pids ${pids[@]+"${pids[@]}"} ${LAB_PIDS[@]+"${LAB_PIDS[@]}"}
  router_stop
  lab_down
  [ -z "$dir" ] || rm -rf "$dir"
}

# ---- traffic -------------------------------------------------------------------------------------------------

# ping_start NAME ADDRESS
ping_start() {
  lab_exec "$LAB_CLIENT" ping -n -i "$PING_INTERVAL_S" "$2" </dev/null >"$dir/ping.$1" 2>&1 &
  pids+=($!)
  ping_names+=("$1")
  ping_pids+=($!)
}

# ping_result NAME: "sent lost duplicates ttl rtt" after its end. The one that was under way when ping ended isn't counted.
ping_result() {
  awk '
    / bytes from / {
      match($0, /icmp_seq=[0-9]+/); seq = substr($0, RSTART + 9, RLENGTH - 9)
      if (seq in seen || /DUP!/) dups++; else { seen[seq] = 1; got++ }
      match($0, /ttl=[0-9]+/); ttl = substr($0, RSTART + 4, RLENGTH - 4)
    }
    / packets transmitted/ { sent = $1 }
    /^rtt/ { rtt = $4 }
    END {
      if (sent > 0 && !(sent in seen)) sent--
      print sent + 0, sent - got, dups + 0, ttl + 0, rtt ? rtt : "-"
    }' "$dir/ping.$1"
}

# Echo requests without a reply so far, but for those that no reply was to be expected of: lost, or under way.
pings_unanswered() {
  lab_in "$LAB_CLIENT" cat /proc/net/snmp /proc/net/snmp6 | awk -v expected="$pings_in_vain" '
    /^Icmp: [A-Z]/ { for (i = 1; i <= NF; i++) name[i] = $i }
    /^Icmp: [0-9]/ { for (i = 1; i <= NF; i++) v[name[i]] = $i }
    /^Icmp6/ { v[$1] = $2 }
    END { print -expected + v["OutEchos"] - v["InEchoReps"] + v["Icmp6OutEchos"] - v["Icmp6InEchoReplies"] }'
}

tcp_last_gbps() {
  awk '/bits\/sec/ && !/sender|receiver/ { v = $7 } END { printf "%.2f", v / 1000 }' "$dir/iperf" 2>/dev/null
}

# downloads FAMILY ADDRESS: fetch the file again and again until $dir/stop exists; a line each into $dir/curl.FAMILY. Runs
# in a subshell, and takes its curl along when it is told to end.
downloads() {
  local curl_pid='' sum rate
  trap '[ -z "$curl_pid" ] || kill "$curl_pid"; exit' TERM
  while [ ! -e "$dir/stop" ]; do
    lab_exec "$LAB_CLIENT" curl -sS --noproxy '*' --max-time 60 --limit-rate 40M -o "$dir/got.$1" \
      -w '%{speed_download}' "http://$2:$HTTP_PORT/file" </dev/null >"$dir/rate.$1" 2>>"$dir/curl.$1.err" &
    curl_pid=$!
    if wait "$curl_pid"; then
      sum=$(sha256sum <"$dir/got.$1")
      rate=$(<"$dir/rate.$1")
      [ "${sum%% *}" = "$file_sum" ] && say "ok $rate" || say "different"
    else
      say "failed"
      read -r -t 0.5 <> <(:) || true
    fi
    curl_pid=''
  done >"$dir/curl.$1"
}

# ---- what happens, a line each -------------------------------------------------------------------------------

row_head() {
  printf '%s%6s  %-38s %10s %12s %10s %11s %10s%s\n' "$bold" time event generation 'adopted ms' routes unanswered \
    'TCP Gbit/s' "$plain"
}

# row TEXT [GENERATION ADOPTED_MS ROUTES]
row() {
  printf '%6s  %-38s %10s %12s %10s %11s %10s\n' "$(elapsed)" "$1" "${2:-}" "${3:-}" "${4:-}" "$(pings_unanswered)" \
    "$(tcp_last_gbps)"
}

routes_total() { cli --json routes count | jq '.ip4 + .ip6'; }

# The newest generation as "number result microseconds"; from the dataplane, which outlives the agent.
generation_newest() {
  cli_dataplane --json tables history --limit 1 2>/dev/null |
    jq -r '.history[0] | "\(.generation) \(.result) \(.event_to_adopted_us)"' 2>/dev/null
}
generation_number() {
  local n
  n=$(generation_newest)
  printf '%s' "${n%% *}"
}
generation_is_past() {
  local n
  n=$(generation_number)
  [[ $n =~ ^[0-9]+$ ]] && [ "$n" -gt "${1:-0}" ]
}

# adopted_since GENERATION TEXT: wait for the next one; counts, and prints its row.
adopted_since() {
  local number result us
  if ! wait_for 20 generation_is_past "$1"; then
    row "$2: NOT adopted"
    swaps_failed=$((swaps_failed + 1))
    return 1
  fi
  read -r number result us <<<"$(generation_newest)"
  [ "$result" = adopted ] || swaps_failed=$((swaps_failed + 1))
  row "$2" "$number" "$(awk -v us="$us" 'BEGIN { printf "%.1f", us / 1000 }')" "$(group "$(routes_total)")"
  last_adopted_us=$us
}

# table_swap K: the whole route file replaced by that of table K, and the configuration read again.
table_swap() {
  local before
  before=$(generation_number)
  cp "$dir/table.$1" "$dir/full.routes.new" && mv "$dir/full.routes.new" "$dir/full.routes" || return 1
  cli config reload >"$dir/reload" 2>&1 || {
    cat "$dir/reload"
    swaps_failed=$((swaps_failed + 1))
    return 1
  }
  adopted_since "$before" "$2" || return 1
  swaps=$((swaps + 1))
  swap_us+=("$last_adopted_us")
  table_now=$1
  gateways_used[$(((probe4_index + table_now) % ROUTER_N_GATEWAYS))]=1
}

# ---- acts ----------------------------------------------------------------------------------------------------

tables_make() {
  local k
  "$BUILD/tests/swap/swap_tables" probes "$dir/probes" ${prefixes:+"$prefixes"} || die "cannot make the table"
  for ((k = 0; k < N_TABLES; k++)); do
    "$BUILD/tests/swap/swap_tables" routes "$k" "$dir/table.$k" ${prefixes:+"$prefixes"} || die "cannot make the table"
  done
  # Two addresses of the Internet, one a family, and the index that says which gateway table K uses for each.
  read -r probe4 probe4_index probe6 probe6_index <<<"$(python3 - "$dir/probes" <<'PY'
import ipaddress, struct, sys
first = {}
for hi, lo, index, family in struct.iter_unpack("=QQII", open(sys.argv[1], "rb").read()):
    first.setdefault(family, (ipaddress.ip_address(lo) if family == 4 else ipaddress.IPv6Address(hi << 64 | lo), index))
print(*first[4], *first[6])
PY
  )"
  [ -n "$probe6_index" ] || die "no probes in the table"
}

hosts_start() {
  lab_up "dwcp-demo-$$" || die "cannot make the hosts (network namespaces, veth, nft)"
  lab_server_gateways || die "cannot prepare the server host"
  mkdir "$dir/www"
  head -c "$DOWNLOAD_BYTES" /dev/urandom >"$dir/www/file"
  file_sum=$(sha256sum <"$dir/www/file")
  file_sum=${file_sum%% *}
  lab_exec "$LAB_SERVER" python3 -m http.server --bind :: -d "$dir/www" "$HTTP_PORT" </dev/null >"$dir/http.log" 2>&1 &
  pids+=($!)
  lab_exec "$LAB_SERVER" iperf3 -s -p "$TCP_PORT" </dev/null >"$dir/iperf.server" 2>&1 &
  pids+=($!)
  wait_for 10 lab_listens "$LAB_SERVER" "$HTTP_PORT" && wait_for 10 lab_listens "$LAB_SERVER" "$TCP_PORT" ||
    die "the servers did not start: $(tail -n 3 "$dir/http.log" "$dir/iperf.server")"
}

router_begin() {
  router_config "$dir" "$worker_cpu"
  router_start_dataplane "$dir"
  router_start_agent "$dir"
  wait_for 20 router_ready || {
    tail -n 20 "$dir/dataplane.log" "$dir/agent.log"
    die "the router did not start"
  }
  wait_for 5 accounting_steady || true
  outside_before=("${outside[@]}")
}

traffic_start() {
  ping_start internet4 "$probe4"
  ping_start internet6 "$probe6"
  # A window of 512 KiB fills the cable and leaves the rings room for everybody else.
  lab_exec "$LAB_CLIENT" iperf3 -c "$probe4" -p "$TCP_PORT" -t "$seconds" -w 512K -f m -i 1 --forceflush \
    </dev/null >"$dir/iperf" 2>&1 &
  iperf_pid=$!
  pids+=("$iperf_pid")
  downloads 4 "$probe4" &
  curl_pids=($!)
  downloads 6 "[$probe6]" &
  curl_pids+=($!)
  pids+=("${curl_pids[@]}")
}

# One route added and deleted by hand; nothing else covers 10.9.0.0/24.
act_one_route() {
  local before
  ping3 && one_route_failed=1
  before=$(generation_number)
  cli routes add 10.9.0.0/24 via 10.0.2.20 dev b >/dev/null || one_route_failed=1
  adopted_since "$before" "one route added" || one_route_failed=1
  one_route_us=$last_adopted_us
  ping3 || one_route_failed=1
  before=$(generation_number)
  cli routes del 10.9.0.0/24 >/dev/null || one_route_failed=1
  adopted_since "$before" "and deleted" || one_route_failed=1
  ping3 && one_route_failed=1
  row "3 + 3 pings without the route: dropped"
}
ping3() { lab_in "$LAB_CLIENT" ping -n -q -c 3 -i 0.05 -W 1 10.9.0.1 >/dev/null 2>&1 || { pings_in_vain=$((pings_in_vain + 3)) && return 1; }; }

# Nobody knows anybody's MAC: the first packet to each is an ARP or a neighbour solicitation.
act_cold() {
  local start address
  start=$(now_ms)
  for address in 10.0.1.1 fd00:1::1 10.0.2.2 fd00:2::2; do
    wait_for 10 ping_cold "$address" || cold_failed=1
  done
  cold_ms=$(($(now_ms) - start))
  row "ARP and ND from cold: all answer"
}
ping_cold() { lab_in "$LAB_CLIENT" ping -n -q -c 1 -W 0.2 "$1" >/dev/null 2>&1 || { pings_in_vain=$((pings_in_vain + 1)) && return 1; }; }
# One echo; counts those without a reply.
ping1() { lab_in "$LAB_CLIENT" ping -n -q -c 1 -W 1 "$1" >/dev/null 2>&1 || { ping1_lost=$((ping1_lost + 1)) pings_in_vain=$((pings_in_vain + 1)) && return 1; }; }

# Two hops: the router, which says that the TTL is over, and the host.
act_traceroute() {
  traced4=$(traceroute_hops -4 10.0.2.2)
  traced6=$(traceroute_hops -6 fd00:2::2)
  row "traceroute: $traced4"
}
traceroute_hops() {
  lab_in "$LAB_CLIENT" traceroute "$1" -n -q 1 -N 1 -w 2 "$2" 2>/dev/null |
    awk '$1 ~ /^[0-9]+$/ { printf "%s%s", n++ ? " > " : "", $2 }'
}

bgp_configs() {
  local family
  cat >"$dir/server.bird" <<CONF
router id 10.0.2.2;
log stderr all;
protocol device { }
protocol static routes4 {
  ipv4;
include "$dir/bgp4";
}
protocol static routes6 {
  ipv6;
include "$dir/bgp6";
}
CONF
  cat >"$dir/router.bird" <<CONF
router id 10.0.2.1;
log stderr all;
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
CONF
  for family in 4 6; do
    bgp_session $family 64496 64500 "$([ $family = 4 ] && echo 10.0.2.1 || echo fd00:2::1)" "none" "where source = RTS_STATIC" >>"$dir/server.bird"
    bgp_session $family 64500 64496 "$([ $family = 4 ] && echo 10.0.2.2 || echo fd00:2::2)" "all" "none" >>"$dir/router.bird"
  done
  awk -v n=$BGP_ROUTES4 'BEGIN { for (i = 0; i < n; i++) printf "route 10.%d.%d.0/24 unreachable;\n", 64 + int(i / 256), i % 256 }' >"$dir/bgp4"
  awk -v n=$BGP_ROUTES6 'BEGIN { for (i = 0; i < n; i++) printf "route fd00:64:%x::/48 unreachable;\n", i }' >"$dir/bgp6"
}
# bgp_session FAMILY AS NEIGHBOUR_AS NEIGHBOUR IMPORT EXPORT
bgp_session() {
  cat <<CONF
protocol bgp bgp$1 {
  local as $2;
  neighbor $4 as $3;
  connect delay time 1;
  connect retry time 2;
  ipv$1 { import $5; export $6; };
}
CONF
}
# Every fiftieth route and the last of them.
bgp_in_use() {
  local i
  for ((i = 0; i < BGP_ROUTES4; i += 50)); do
    ping1 "10.$((64 + i / 256)).$((i % 256)).1" || return 1
  done
  ping1 "10.$((64 + (BGP_ROUTES4 - 1) / 256)).$(((BGP_ROUTES4 - 1) % 256)).1" && ping1 fd00:64::1 &&
    ping1 "fd00:64:$(printf %x $((BGP_ROUTES6 - 1)))::1"
}
bgp_unused() { ! ping1 10.64.0.1 && ! ping1 fd00:64::1; }

# A router behind the server host, as far as BGP goes: BIRD there, BIRD on this router.
act_bgp() {
  local start
  ping1_lost=0
  bgp_unused || bgp_failed=1
  bgp_configs
  start=$(now_ms)
  lab_bird server "$LAB_SERVER" "$dir/server.bird" && lab_bird router "$LAB_ROUTER" "$dir/router.bird" || bgp_failed=1
  wait_for 20 bgp_in_use || bgp_failed=1
  bgp_ms=$(($(now_ms) - start))
  row "BGP: $(group $((BGP_ROUTES4 + BGP_ROUTES6))) routes by BIRD, in use" "$(generation_number)" "" "$(group "$(routes_total)")"
  start=$(now_ms)
  lab_birdc_do server disable routes4
  lab_birdc_do server disable routes6
  wait_for 10 bgp_unused || bgp_failed=1
  bgp_gone_ms=$(($(now_ms) - start))
  row "withdrawn by the peer, gone"
}

act_agent_dies() {
  local before
  before=$(generation_number)
  kill -KILL "$ROUTER_AGENT_PID"
  wait "$ROUTER_AGENT_PID" 2>/dev/null
  row "agent killed (SIGKILL)"
  read -r -t 1 <> <(:) || true
  router_start_agent "$dir"
  local start
  start=$(now_ms)
  wait_for 20 router_ready || agent_failed=1
  agent_back_ms=$(($(now_ms) - start))
  row "agent back, reconciled in $agent_back_ms ms"
}

# The figures that must agree: what the hosts' kernels sent and got, and what the router counted. Sets accounting (the
# router's own difference), frames (received), outside (a number a cable and direction, sent - received).
accounting_read() {
  local ports host rx tx
  accounting=$(cli_dataplane --json status | jq .accounting.difference)
  ports=$(cli_dataplane --json ports)
  frames=$(jq '[.ports[].rx_packets] | add' <<<"$ports")
  outside=()
  for host in "$LAB_CLIENT 0" "$LAB_SERVER 1"; do
    read -r rx tx <<<"$(lab_in "${host% *}" ip -s -j link show dev eth0 |
      jq -r '.[0].stats64 | "\(.rx.packets) \(.tx.packets)"')"
    mapfile -t -O ${#outside[@]} outside < <(jq --argjson i "${host#* }" --argjson rx "$rx" --argjson tx "$tx" \
      '.ports[$i] | $tx - .rx_packets, .tx_packets - $rx' <<<"$ports")
  done
}
# A frame on its way while the figures are read stands in one of two readings only.
accounting_steady() {
  local before
  accounting_read
  before=${outside[*]}
  accounting_read
  [ "$before" = "${outside[*]}" ]
}
accounting_settled() {
  accounting_read
  # What the hosts sent before the router was there (multicast listener reports) is no loss of the router's.
  [ "$accounting" = 0 ] && [ "${outside[*]}" = "${outside_before[*]}" ]
}

# ---- the verdict ---------------------------------------------------------------------------------------------

report_pings() {
  local name sent lost dups ttl rtt
  for name in "${ping_names[@]}"; do
    read -r sent lost dups ttl rtt <<<"$(ping_result "$name")"
    check "ping $name" "sent > 0 && lost == 0 && dups == 0 && ttl == 63" \
      "$(group "$sent") sent, $lost lost, TTL $ttl, rtt min/avg/max/mdev $rtt ms"
  done
}

report_downloads() {
  local family n bad rate
  for family in 4 6; do
    n=$(grep -c '^ok' "$dir/curl.$family")
    bad=$(grep -vc '^ok' "$dir/curl.$family")
    tail -n 1 "$dir/curl.$family.err"
    rate=$(awk '$1 == "ok" { s += $2; n++ } END { printf "%.0f", n ? s / n / 1e6 : 0 }' "$dir/curl.$family")
    check "HTTP over IPv$family" "n > 0 && bad == 0" \
      "$n downloads of $((DOWNLOAD_BYTES / 1000000)) MB with the right SHA-256, $bad without; $rate MB/s each (limited)"
  done
}

report() {
  local tcp dropped reason unexpected used seen i lost_outside=0 traced=0
  [ "$traced4" != "10.0.1.1 > 10.0.2.2" ] || traced=$((traced + 1))
  [ "$traced6" != "fd00:1::1 > fd00:2::2" ] || traced=$((traced + 1))
  say
  say "${bold}what came of it${plain}"
  check "table swaps" "swaps >= 2 && swaps_failed == 0" \
    "$swaps full tables, $swaps_failed not adopted; last event to adopted $(stats_ms "${swap_us[@]}")"
  check "ARP and ND" "cold_failed == 0" "router and server found from cold, IPv4 and IPv6, in $cold_ms ms"
  check "traceroute" "traced == 2" "$traced4; $traced6"
  check "BGP" "bgp_failed == 0" "$(group $((BGP_ROUTES4 + BGP_ROUTES6))) routes in use $bgp_ms ms after BIRD's start, withdrawn and gone in $bgp_gone_ms ms"
  check "one route" "one_route_failed == 0" \
    "added and deleted, in use $(awk -v us="$one_route_us" 'BEGIN { printf "%.1f", us / 1000 }') ms after the command"
  check "agent killed" "agent_failed == 0" "traffic went on; back and reconciled $agent_back_ms ms after its restart"
  report_pings
  tcp=$(awk '/receiver/ { printf "%.0f", $7 }' "$dir/iperf") # whole Mbit/s
  check "TCP" "${tcp:-0} > 0" "$(awk -v m="${tcp:-0}" 'BEGIN { printf "%.2f", m / 1000 }') Gbit/s over $seconds s, \
$(awk '/sender/ { print $9 }' "$dir/iperf") retransmitted"
  report_downloads
  # Every table sends this flow to another gateway; the server host saw which MACs its frames were for.
  used=${#gateways_used[@]}
  seen=$(lab_gateway_frames | awk -v list="$(printf '%02x ' "${!gateways_used[@]}")" '
    BEGIN { n = split(list, w, " "); for (i = 1; i <= n; i++) want["02:00:00:00:01:" w[i]] = 1 }
    ($1 in want) && $2 > 0 { c++ } END { print c + 0 }')
  check "traffic moved" "seen == used && used > 1" \
    "each of the $used gateways that the tables name for $probe4 got its frames"
  # The pings without a route, one packet of each traceroute whose TTL ended here, and what had to wait for ARP or ND.
  dropped=$(cli_dataplane --json drops)
  for reason in no_route ip4_ttl ip6_hop_limit unresolved; do
    printf -v "drops_$reason" %s "$(jq --arg r $reason '[.drops[] | select(.reason == $r) | .packets] | add // 0' <<<"$dropped")"
  done
  unexpected=$(cli_dataplane --json drops | jq '[.drops[]
    | select(.reason | IN("no_route", "no_table", "l2_multicast", "ip4_ttl", "ip6_hop_limit", "unresolved") | not)
    | .packets] | add // 0')
  for ((i = 0; i < ${#outside[@]}; i++)); do
    lost_outside=$((lost_outside + (outside[i] > outside_before[i] ? 1 : -1) * (outside[i] - outside_before[i])))
  done
  check "drops" "drops_no_route == 6 + ping1_lost && drops_ip4_ttl == 1 && drops_ip6_hop_limit == 1 &&
      drops_unresolved <= 20 && unexpected == 0" \
    "$drops_no_route no_route (pings without a route), 2 traceroutes' TTL, $drops_unresolved before ARP or ND, $unexpected unexpected"
  check "accounting" "accounting == 0" "$(group "$frames") frames received = sent + dropped by reason; difference $accounting"
  check "accounting, outside" "lost_outside == 0" \
    "frames as the hosts' kernels counted them and as the router did; difference $lost_outside"
}

# stats_ms MICROSECONDS…: "min / median / max ms"
stats_ms() {
  printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 / 1000 }
    END { printf "%.0f / %.0f / %.0f ms (min/median/max)", v[1], v[int((NR + 1) / 2)], v[NR] }'
}

keep_running() {
  local c="$BUILD/control/cli/dwcp-cli --run-dir $dir/run"
  cat <<TRY

${bold}still running; in another terminal${plain}
  $c status
  $c drops --watch
  $c routes lookup $probe4
  $c tables history
  $c --help
  nsenter --net=/run/netns/$LAB_CLIENT ping $probe4        the client's side
  nsenter --net=/run/netns/$LAB_SERVER tcpdump -eni eth0   the server's side
  vi $dir/dwcp.conf, then $c config reload
Ctrl-C ends it and takes everything away.
TRY
  trap 'stopped=1' INT TERM HUP
  stopped=0
  while [ "$stopped" = 0 ] && kill -0 "$ROUTER_DATAPLANE_PID" 2>/dev/null; do
    read -r -t 0.5 <> <(:) || true
  done
}

demo_run() {
  local k=0 act=0
  ping_names=() ping_pids=() swap_us=() swaps=0 swaps_failed=0 one_route_failed=0 agent_failed=0 last_adopted_us=0
  agent_back_ms=0 one_route_us=0 cold_failed=0 cold_ms=0 traced4='' traced6='' bgp_failed=0 bgp_ms=0 bgp_gone_ms=0 ping1_lost=0 pings_in_vain=0
  declare -gA gateways_used=()
  worker_cpu=$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  dir=$(mktemp -d "/tmp/dwcp-demo-$$-XXXXXX") || exit 1
  ROUTER_DIR=$dir LAB_DIR=$dir

  cat <<PICTURE

   client                            router                           server
  10.0.1.2   ───── veth ─────  a │ dwcp-dataplane │ b  ───── veth ─────  10.0.2.2, 64 gateways
  fd00:1::2                      │   dwcp-agent   │                      fd00:2::2 and "the Internet"

PICTURE
  step "making $N_TABLES tables ($(table_kind full))"
  tables_make
  step "hosts, cables, servers, router (worker on CPU $worker_cpu of $(nproc))"
  hosts_start
  router_begin
  row_head
  act_cold
  act_traceroute
  ping_start server4 10.0.2.2
  ping_start server6 fd00:2::2
  router_config "$dir" "$worker_cpu" routes
  table_swap 0 "full table loaded"
  traffic_start
  until [ "$act" -ge 5 ] && pid_gone "$iperf_pid"; do
    k=$(((k + 1) % N_TABLES))
    table_swap "$k" "full table swapped for another"
    act=$((act + 1))
    case $act in
    2) act_one_route ;;
    3) act_bgp ;;
    4) act_agent_dies ;;
    esac
    read -r -t 0.5 <> <(:) || true
  done
  : >"$dir/stop"
  wait "$iperf_pid" "${curl_pids[@]}" 2>/dev/null
  kill -INT "${ping_pids[@]}" 2>/dev/null
  wait "${ping_pids[@]}" 2>/dev/null
  row "traffic ended"
  wait_for 3 accounting_settled
  report
  [ "$keep" = 0 ] || keep_running
  verdict
}
