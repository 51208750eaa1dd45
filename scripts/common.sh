# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# common.sh - what scripts/test, scripts/demo and the integration tests share: words on the terminal, time, builds.
# Sourced. Sets ROOT (of the source tree). Needs bash and coreutils only: it runs before anything is installed.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

# Seconds since the script began, as m:ss.
elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

# A line of progress with the time in front, so that nobody wonders whether it hangs.
step() { printf '[%s] %s\n' "$(elapsed)" "$*"; }

now_ms() {
  local t=${EPOCHREALTIME/[.,]/}
  printf '%s' "${t%???}"
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# build_dir NAME [meson options…] [-- targets…]: set up (or set again) and compile $ROOT/NAME, all of it by default; the
# log is shown only when it fails.
build_dir() {
  local dir=$ROOT/$1 log options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  mkdir -p "$dir" && log=$dir/scripts.log
  if [ -f "$dir/build.ninja" ]; then
    if ! meson configure "$dir" ${options[@]+"${options[@]}"} >"$log" 2>&1 </dev/null; then
      tail -n 30 "$log" >&2
      return 1
    fi
  elif ! meson setup "$dir" "$ROOT" ${options[@]+"${options[@]}"} >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    return 1
  fi
  if ! ninja -C "$dir" "$@" >>"$log" 2>&1 </dev/null; then
    grep -E -A 8 'FAILED|error:|ERROR' "$log" | head -n 60 >&2
    warn "the build failed, its log is $log"
    return 1
  fi
}

# wait_for SECONDS COMMAND…: until the command succeeds. Looks again every 20 ms.
wait_for() {
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$end" ] || return 1
    read -r -t 0.02 <> <(:) || true
  done
}

# stop_pids PID…: SIGTERM, five seconds, SIGKILL. Children of this shell only; empty words and dead pids are fine.
stop_pids() {
  local pid
  for pid in "$@"; do
    if [ -n "$pid" ]; then kill -TERM "$pid" 2>/dev/null; fi
  done
  for pid in "$@"; do
    [ -n "$pid" ] || continue
    wait_for 5 pid_gone "$pid" || kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  return 0
}

# A zombie is gone, too: only its parent, this shell, has not asked yet.
pid_gone() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  stat=${stat##*) }
  [ "${stat%% *}" = Z ]
}
