# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# router.sh - the router of a lab (lab.sh): its configuration, its two programs, and questions to it. Sourced.
#
# Next hops of full tables: 64 gateways behind port-b, 10.0.2.16 … and fd00:2::10 …, gateway j with MAC
# 02:00:00:00:01:j, as tests/swap/swap_tables writes them. The server host takes all of these MACs (lab_server_gateways).

: "${BUILD:=$ROOT/build}"
ROUTER_N_GATEWAYS=64
ROUTER_FIRST_HOST=16

# The packet socket's ring, in frames: 8,192 of 2 KiB each way hold what two hosts send while a virtual CPU is away
# for some ms. With the driver's own 512, TCP at full speed loses one ping in ten (measured on two CPUs).
ROUTER_AF_PACKET=blocksz=65536,framesz=2048,framecnt=8192

# Whether the ports have twins: then the router finds its hosts by itself and isn't told of them. Tests that count every
# frame have none.
: "${ROUTER_TWIN:=off}"

# The worker shares its CPU with everything else in the lab: it stands still now and then, and isn't dead.
ROUTER_STALL_MS=3000

# router_config DIR WORKER_CPU [routes]: writes DIR/dwcp.conf; with `routes` it names the route file DIR/full.routes.
router_config() {
  local dir=$1 cpu=$2
  {
    cat <<CONF
node: { name = "lab"; state_dir = "$dir/state"; run_dir = "$dir/run"; };
dataplane: {
  workers = [$cpu];
  idle = "adaptive";
  file_prefix = "${LAB:-lab}";
  memory: { huge_pages = "off"; size_mb = 256; };
$([ "$ROUTER_TWIN" = off ] || echo "  host: { stall_ms = $ROUTER_STALL_MS; };")
};
CONF
    router_config_ports "iface=port-a,$ROUTER_AF_PACKET" "iface=port-b,$ROUTER_AF_PACKET" af_packet
    router_config_neighbours
    if [ "${3:-}" = routes ]; then
      printf 'route_files = ( { name = "full"; path = "%s/full.routes"; } );\n' "$dir"
    fi
  } >"$dir/dwcp.conf"
}

# The gateways are MACs and nothing behind them: nobody answers for them.
router_config_neighbours() {
  local j rows=()
  for ((j = 0; j < ROUTER_N_GATEWAYS; j++)); do
    rows+=("b 10.0.2.$((ROUTER_FIRST_HOST + j)) 02:00:00:00:01:$(printf %02x $j)")
    rows+=("b fd00:2::$(printf %x $((ROUTER_FIRST_HOST + j))) 02:00:00:00:01:$(printf %02x $j)")
  done
  if [ "$ROUTER_TWIN" = off ]; then
    rows+=("a 10.0.1.2 $LAB_MAC_CLIENT" "a fd00:1::2 $LAB_MAC_CLIENT" "b 10.0.2.2 $LAB_MAC_SERVER" "b fd00:2::2 $LAB_MAC_SERVER")
  fi
  printf '%s\n' "${rows[@]}" | awk '
    BEGIN { printf "neighbours = (" }
    { printf "%s\n  { port = \"%s\"; address = \"%s\"; mac = \"%s\"; }", (NR > 1 ? "," : ""), $1, $2, $3 }
    END { printf "\n);\n" }'
}

router_config_ports() {
  cat <<CONF
ports = (
  { name = "a"; twin = "$ROUTER_TWIN"; device = "$3"; args = "$1"; addresses = ["10.0.1.1/24", "fd00:1::1/64"]; },
  { name = "b"; twin = "$ROUTER_TWIN"; device = "$3"; args = "$2"; addresses = ["10.0.2.1/24", "fd00:2::1/64"]; }
);
CONF
}

# lab_server_gateways: the server host takes frames for every gateway's MAC and counts them by MAC, and answers to
# every address there is, so that a client's packets to the Internet end here.
lab_server_gateways() {
  lab_in "$LAB_SERVER" nft -f - <<'NFT' || return 1
table netdev gateways {
  set seen { type ether_addr; flags dynamic; size 128; counter; }
  chain ingress {
    type filter hook ingress device "eth0" priority 0;
    ether daddr & ff:ff:ff:ff:ff:00 == 02:00:00:00:01:00 update @seen { ether daddr } meta pkttype set host
  }
}
NFT
  lab_in "$LAB_SERVER" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 || return 1
  # IPv4 answers only from addresses in the table `local`, so the way back to the client must be there as well.
  lab_in "$LAB_SERVER" ip route add 10.0.2.0/24 dev eth0 scope link table local || return 1
  lab_in "$LAB_SERVER" ip route add 10.0.1.0/24 via 10.0.2.1 dev eth0 table local || return 1
  lab_in "$LAB_SERVER" ip route add local default dev lo table local || return 1
  lab_in "$LAB_SERVER" ip -6 route add local default dev lo table 100 || return 1
  lab_in "$LAB_SERVER" ip -6 rule add iif eth0 lookup 100 || return 1
}

# lab_gateway_frames: "MAC frames" a line, what came to each gateway so far.
lab_gateway_frames() {
  lab_in "$LAB_SERVER" nft -j list set netdev gateways seen |
    jq -r '.nftables[] | select(.set) | .set.elem[]? | .elem | "\(.val) \(.counter.packets)"'
}

# router_exec COMMAND…: where the router's cables are, if it has any. DPDK keeps its own run-time files below
# RUNTIME_DIRECTORY, and never takes them away.
router_exec() {
  export RUNTIME_DIRECTORY="$ROUTER_DIR/run"
  if [ -n "${LAB_ROUTER:-}" ]; then
    lab_exec "$LAB_ROUTER" "$@"
  fi
  exec "$@"
}

router_start_dataplane() {
  local dir=$1
  mkdir -p "$dir/run" "$dir/state"
  router_exec "$BUILD/dataplane/dwcp-dataplane" --config "$dir/dwcp.conf" </dev/null >>"$dir/dataplane.log" 2>&1 &
  ROUTER_DATAPLANE_PID=$!
}

router_start_agent() {
  local dir=$1
  router_exec "$BUILD/control/dwcp-agent" --config "$dir/dwcp.conf" </dev/null >>"$dir/agent.log" 2>&1 &
  ROUTER_AGENT_PID=$!
}

# router_stop: both programs, politely, then not.
router_stop() {
  stop_pids "${ROUTER_AGENT_PID:-}" "${ROUTER_DATAPLANE_PID:-}"
  ROUTER_AGENT_PID='' ROUTER_DATAPLANE_PID=''
}

# With a bound: a question that isn't answered is a failure and not the end of the script.
cli() { timeout 30 "$BUILD/control/cli/dwcp-cli" --run-dir "$ROUTER_DIR/run" "$@"; }
# Straight from the dataplane, whatever the agent does. cli_dataplane NOUN…
cli_dataplane() { timeout 30 "$BUILD/control/cli/dwcp-cli" --socket "$ROUTER_DIR/run/dataplane.sock" "$@"; }

# Is the router up with both programs connected and a table adopted?
router_ready() {
  cli --json status 2>/dev/null |
    jq -e '.agent.dataplane.connected and .dataplane.generation > 0 and .agent.generation == .dataplane.generation' >/dev/null 2>&1
}
