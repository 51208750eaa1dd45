#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_demo.sh - the demo itself, shortened: real hosts, full tables swapped under traffic, the agent killed; and what an
# interrupted one leaves behind. test_demo.sh whole|interrupted
# DWCP_TEST_FULL=1: with full tables, as users run it.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"

is_root || {
  echo "needs root: network namespaces"
  exit 77
}
: "${BUILD:?the build directory}"
export BUILD

demo_whole() {
  if [ "${DWCP_TEST_FULL:-0}" = 0 ]; then
    exec "$ROOT/scripts/demo" --seconds 5 --prefixes 100000 --no-color
  fi
  exec "$ROOT/scripts/demo" --no-color
}

demo_interrupted() {
  local log pid rc left
  log=$(mktemp) || exit 1
  "$ROOT/scripts/demo" --seconds 60 --prefixes 20000 --no-color >"$log" 2>&1 </dev/null &
  pid=$!
  wait_for 60 grep -q 'full table swapped' "$log" || {
    cat "$log"
    kill -TERM "$pid"
    wait "$pid"
    die "it never began"
  }
  kill -TERM "$pid"
  wait "$pid"
  rc=$?
  # Every name that the demo gives holds its pid.
  left=$(ls -d /run/netns/dwcp-demo-"$pid"-* /tmp/dwcp-demo-"$pid"-* /run/dpdk/dwcp-demo-"$pid" 2>/dev/null
    pgrep -f "dwcp-demo-$pid-")
  rm -f "$log"
  [ "$rc" = 130 ] || die "exit code $rc instead of 130"
  [ -z "$left" ] || die "left behind: $left"
  say "interrupted: exit code 130, nothing left behind"
}

case ${1:-whole} in
whole) demo_whole ;;
interrupted) demo_interrupted ;;
*) die "whole or interrupted" ;;
esac
