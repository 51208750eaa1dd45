# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# accounting.sh - is every packet accounted for? rx + from_host + originated = tx + to_host + drops + queued, each term put
# together from the counters of ports, reasons and twins, and compared with what others counted: the hosts' kernels at the
# other ends of the cables, the router's kernel at its twins, the BPF program of AF_XDP ports. Sourced behind lab.sh, router.sh.
#
# A test calls accounting_begin once its router runs, accounting_end when its traffic has ended. What one of the two counts
# while the other is asked looks like a difference: both look again until nothing moves.

ACCOUNTING_S=10
accounting_pid='' accounting_zero='{}'

# accounting_raw: everything that is compared, as it was told, one document.
accounting_raw() {
  local cable
  {
    cli_dataplane --json status && cli_dataplane --json ports && cli_dataplane --json drops &&
      cli_dataplane --json exceptions && lab_in "$LAB_ROUTER" ip -s -j link show || return 1
    for cable in "${LAB_CABLES[@]}"; do
      lab_in "${cable% *}" ip -s -j link show dev eth0 || return 1
    done
  } 2>/dev/null | jq -s -c '(.[0] | {accounting}) + .[1] + .[2] + .[3] + {links: .[4],
    cables: [.[5:][][0]] | to_entries | map(.value + {plug: $ARGS.positional[.key]})}' --args "${LAB_CABLES[@]#* }"
}

# accounting_read: what is compared, as numbers that must agree, since accounting_begin where others count from before.
accounting_read() {
  local raw
  raw=$(accounting_raw) && [ -n "$raw" ] || return 1
  [ "$accounting_pid" = "$ROUTER_DATAPLANE_PID" ] || accounting_zero='{}'
  accounting_now=$(accounting_jq 'numbers_of($zero)' <<<"$raw")
  accounting_wrong=$(accounting_jq -r disagreements <<<"$accounting_now")
  accounting_told=$raw
}
# accounting_jq [OPTION] PROGRAM: with the functions of accounting.jq.
accounting_jq() { jq -L "$ROOT/tests/net" -c --argjson zero "$accounting_zero" "${@:1:$#-1}" "include \"accounting\"; ${*: -1}"; }
accounting_agrees() { accounting_read && [ -z "$accounting_wrong" ]; }

# The hosts had counted before the router was there. Two readings that are the same: the first of them was undisturbed.
accounting_begin() {
  accounting_pid=$ROUTER_DATAPLANE_PID accounting_zero='{}' accounting_now='' accounting_told=''
  wait_for "$ACCOUNTING_S" accounting_stands || accounting_pid=''
  accounting_zero=$accounting_before
}
accounting_stands() {
  local now=$accounting_now
  accounting_before=$accounting_told
  accounting_read && [ "$accounting_now" = "$now" ]
}

# accounting_end: prints what it found; fails when numbers disagree.
accounting_end() {
  local ok=0
  accounting_wrong='no answer'
  wait_for "$ACCOUNTING_S" accounting_agrees || ok=1
  if [ $ok = 0 ]; then
    accounting_jq -r summary <<<"$accounting_now"
  else
    printf '%s\n' "$accounting_wrong" "$accounting_now"
  fi
  return $ok
}

# accounting_sensitive: is there no number in what accounting_end compared that could be another one without being noticed?
accounting_sensitive() {
  local blind
  blind=$(accounting_jq unnoticed <<<"$accounting_now") || return 1
  [ -z "$blind" ] || printf 'one more is not noticed: %s\n' "$blind"
  [ -z "$blind" ]
}
