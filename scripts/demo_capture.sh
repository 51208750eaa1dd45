# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# demo_capture.sh - the demo for those who aren't root: the same engine reads a capture file, forwards by a full table
# that `dwcp-cli tables build` made offline, and writes a capture file, which is then judged frame by frame. No agent, no
# huge pages, no privileges. Sourced by scripts/demo and by tests/net.

# shellcheck disable=SC2154 # keep, colours: scripts/demo
# shellcheck disable=SC2034 # what check() evaluates

# What DPDK's pcap driver calls its first port.
CAPTURE_PORT_MAC=02:70:63:61:70:00

dir=
cleanup() {
  trap '' INT TERM HUP
  router_stop
  [ -z "$dir" ] || rm -rf "$dir"
}

capture_config() {
  router_config "$dir" "$worker_cpu" routes
  {
    sed '/^ports = (/,/^);/d' "$dir/dwcp.conf"
    router_config_ports "rx_pcap=$dir/in.pcap,tx_pcap=$dir/a.pcap" "tx_pcap=$dir/out.pcap" pcap
  } >"$dir/capture.conf"
  mv "$dir/capture.conf" "$dir/dwcp.conf"
}

capture_received() {
  local n
  n=$(cli_dataplane --json ports 2>/dev/null | jq '.ports[0].rx_packets' 2>/dev/null)
  [ "${n:-0}" = "$1" ]
}

capture_settled() {
  accounting_json=$(cli_dataplane --json status | jq -c .accounting)
  [ "$(jq '.difference == 0 and .queued == 0' <<<"$accounting_json")" = true ]
}

# drops_of REASON…: packets dropped for these.
drops_of() {
  jq '[.drops[] | select(.reason | IN($ARGS.positional[])) | .packets] | add // 0' --args "$@" <<<"$drops_json"
}

# capture_forward: from $dir/in.pcap to $dir/out.pcap; keeps what the router says about it.
capture_forward() {
  local start
  router_start_dataplane "$dir"
  wait_for 20 test -S "$dir/run/dataplane.sock" || {
    tail -n 20 "$dir/dataplane.log"
    die "the dataplane did not start"
  }
  start=$(now_ms)
  if ! wait_for 60 capture_received "$1"; then
    tail -n 20 "$dir/dataplane.log"
    die "the dataplane did not read the capture: $(cli_dataplane ports)"
  fi
  wait_for 5 capture_settled
  capture_ms=$(($(now_ms) - start))
  drops_json=$(cli_dataplane --json drops)
  generation=$(cli_dataplane --json status | jq .dataplane.generation)
  src_mac=$(cli_dataplane --json ports | jq -r '.ports[1].mac')
}

capture_report() {
  local judged expected key rest
  judged=$("$BUILD/tests/net/capture" check "$dir/probes" 0 "$CAPTURE_PORT_MAC" "$src_mac" "$dir/in.pcap" "$dir/out.pcap")
  declare -A j=()
  while IFS='=' read -r key rest; do
    j[$key]=$rest
  done < <(jq -r 'to_entries[] | "\(.key)=\(.value)"' <<<"${judged:-{\}}")
  say
  say "${bold}what came of it${plain}"
  check "capture" "${j[frames]:-0} > 0 && ${j[wrong]:-1} == 0 && ${j[extra]:-1} == 0" \
    "${j[forwarded]:-0} frames to forward (${j[ip6]:-0} IPv6): ${j[wrong]:-all} differ from what a router must send, ${j[extra]:-?} too many"
  report_drop "TTL ran out" "${j[drop_ttl]:-0}" ip4_ttl ip6_hop_limit
  report_drop "wrong checksum" "${j[drop_checksum]:-0}" ip4_checksum
  report_drop "another host's MAC" "${j[drop_not_ours]:-0}" l2_not_ours
  report_drop "multicast frame" "${j[drop_multicast]:-0}" l2_multicast
  expected=$((${j[drop_ttl]:-0} + ${j[drop_checksum]:-0} + ${j[drop_not_ours]:-0} + ${j[drop_multicast]:-0}))
  check "other drops" "$(jq .total <<<"$drops_json") == expected" "$(($(jq .total <<<"$drops_json") - expected))"
  check "accounting" "$(jq .difference <<<"$accounting_json") == 0" \
    "$(jq -r '"\(.rx) received = \(.tx) sent + \(.dropped) dropped; difference \(.difference)"' <<<"$accounting_json")"
}

# report_drop WHAT EXPECTED REASON…
report_drop() {
  local what=$1 expected=$2 got
  shift 2
  got=$(drops_of "$@")
  check "dropped: $what" "expected > 0 && got == expected" "$got of $expected ($*)"
}

demo_run() {
  local n
  worker_cpu=$(awk '/^Cpus_allowed_list/ { n = split($2, a, /[,-]/); print a[n] }' /proc/self/status)
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  dir=$(mktemp -d "${TMPDIR:-/tmp}/dwcp-demo-$$-XXXXXX") || exit 1
  ROUTER_DIR=$dir
  LAB=dwcp-demo-$$

  is_root || say "Not root: no network namespaces here. The same engine, from a capture file to a capture file."
  cat <<PICTURE

  in.pcap ───── a │ dwcp-dataplane │ b ───── out.pcap        full table from a file, no agent, user $(id -un)

PICTURE
  step "making a table ($(table_kind full)) and a capture"
  "$BUILD/tests/swap/swap_tables" probes "$dir/probes" ${prefixes:+"$prefixes"} &&
    "$BUILD/tests/swap/swap_tables" routes 0 "$dir/full.routes" ${prefixes:+"$prefixes"} &&
    "$BUILD/tests/net/capture" write "$dir/probes" "$CAPTURE_PORT_MAC" "$dir/in.pcap" || die "cannot make them"
  capture_config
  mkdir -p "$dir/state" "$dir/run"
  step "dwcp-cli tables build"
  cli tables build --config "$dir/dwcp.conf" --output "$dir/state/generation" | sed 's/^/    /' || die "no table"
  n=$(($(stat -c %s "$dir/probes") / 24))
  step "forwarding $(group "$n") frames (worker on CPU $worker_cpu of $(nproc))"
  capture_forward "$n"
  step "the router's own words"
  cli_dataplane drops | sed 's/^/    /'
  router_stop
  capture_report
  if [ "$keep" = 1 ]; then
    say
    say "kept: $dir (in.pcap, out.pcap, dwcp.conf, full.routes, state/generation); try"
    say "  tcpdump -enr $dir/out.pcap | head"
    say "  $BUILD/control/cli/dwcp-cli tables check $dir/state/generation --config $dir/dwcp.conf"
    dir=
  fi
  verdict
}
