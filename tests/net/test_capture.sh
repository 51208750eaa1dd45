#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_capture.sh - from a capture file to a capture file by a user who may nothing, each frame judged (demo); and the judge
# itself, which must find a wrong, a missing and a surplus frame (judge). test_capture.sh demo|judge
# DWCP_TEST_FULL=1: by a full table.
set -uo pipefail
# shellcheck source=../../scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
: "${BUILD:?the build directory}"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# A copy that `nobody` can read, wherever the source tree lies.
capture_demo() {
  local nobody=() small=(--prefixes 100000)
  [ "${DWCP_TEST_FULL:-0}" = 0 ] || small=()
  mkdir -p "$work"/build/{dataplane,control/cli,tests/swap,tests/net}
  cp -r "$ROOT/scripts" "$work/scripts"
  local f
  for f in dataplane/dwcp-dataplane control/cli/dwcp-cli tests/swap/swap_tables tests/net/capture; do
    cp "$BUILD/$f" "$work/build/$f" || exit 1
  done
  chmod -R a+rX "$work"
  if is_root; then
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs)
  fi
  (cd "$work" && env -u XDG_RUNTIME_DIR BUILD="$work/build" "${nobody[@]}" "$work/scripts/demo" --capture --no-color "${small[@]}")
}

judge() { "$BUILD/tests/net/capture" check "$work/probes" 3 "$in_mac" "$out_mac" "$work/in" "$1" 2>/dev/null >"$work/said"; }

# changed FILE AT: OUT with one byte other than it was.
changed() {
  cp "$work/out" "$1"
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  # shellcheck disable=SC2059
  printf "\\$(printf %o $(((byte + 1) % 256)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

capture_judge() {
  local in_mac=02:00:00:00:00:0a out_mac=02:00:00:00:00:0b size at
  "$BUILD/tests/swap/swap_tables" probes "$work/probes" 2000 || die "no probes"
  "$BUILD/tests/net/capture" write "$work/probes" "$in_mac" "$work/in" || die "not written"
  "$BUILD/tests/net/capture" expect "$work/probes" 3 "$in_mac" "$out_mac" "$work/out" || die "not written"
  judge "$work/out" || die "the right answer is not accepted: $(cat "$work/said")"
  size=$(stat -c %s "$work/out")
  # In the first frame: its MACs, TTL, checksum, payload; then anywhere.
  for at in 40 46 62 64 65 90 $((size / 2)) $((size - 1)); do
    changed "$work/changed" "$at"
    judge "$work/changed" && die "byte $at changed, and the judge did not see it"
  done
  head -c $((size - 200)) "$work/out" >"$work/short"
  judge "$work/short" && die "a frame is missing, and the judge did not see it"
  { cat "$work/out" && tail -c +25 "$work/out"; } >"$work/long"
  judge "$work/long" && die "frames too many, and the judge did not see it"
  say "8 changed bytes, a short and a long capture found"
}

case ${1:-demo} in
demo) capture_demo ;;
judge) capture_judge ;;
*) die "demo or judge" ;;
esac
