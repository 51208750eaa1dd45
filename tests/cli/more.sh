#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What one output can't show: sequences, rates, files that stay as they were, terminals, full disks.
#   more.sh CLI PEER SOURCE_DIR
set -eu
cli=$1 peer=$2 src=$3
if ! [ -x "$cli" ] || ! [ -x "$peer" ]; then exit 99; fi
run=$(mktemp -d /tmp/dwcp-cli-more.XXXXXX)
n_stops=0
pids=''
failed=0 skipped=0
export LC_ALL=C.UTF-8 TERM=xterm DWCP_RUN_DIR="$run"
unset NO_COLOR COLUMNS 2>/dev/null || :

peers_stop() {
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	for pid in $pids; do wait "$pid" 2>/dev/null || :; done
	pids=''
	# the next peers get another directory: the locks of these may still be held
	n_stops=$((n_stops + 1))
	DWCP_RUN_DIR=$run/$n_stops
	mkdir "$DWCP_RUN_DIR"
}
cleanup() {
	peers_stop
	chmod -R u+w "$run"
	rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

peer_start() { # NAME DIR...
	sock="$DWCP_RUN_DIR/$1.sock"
	shift
	pid=$("$peer" "$sock" "$run/log" "$@")
	pids="$pids $pid"
}

fail() {
	echo "FAILED: $*" >&2
	failed=$((failed + 1))
}

between() { # NUMBER LOW HIGH
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# expect CODE ARGS...: run the CLI, compare its exit code
expect() {
	want=$1
	shift
	code=0
	timeout 30 "$cli" "$@" >"$run/out" 2>"$run/err" </dev/null || code=$?
	[ "$code" -eq "$want" ] || fail "exit $code instead of $want: $* ($(head -c 200 "$run/err"))"
}

build() { # CODE ARGS...
	code=$1
	shift
	expect "$code" tables build --config "$src/inputs/small.conf" --output "$run/t.gen" "$@"
}

test_build_and_check() {
	build 0 --routes "$src/inputs/small.routes" --generation 7
	expect 0 tables check "$run/t.gen" --json
	grep -q '"generation": 7,' "$run/out" || fail "check: not the generation that was built"
	expect 0 tables check "$run/t.gen" --config "$src/inputs/small.conf"
	expect 1 tables check "$run/t.gen" --config "$src/inputs/files.conf"
	grep -q 'refused: generation_ports' "$run/err" || fail "check: other ports are no reason"
	expect 1 tables check "$run/t.gen" --ports 1
	bytes=$(sed -n 's/^  "mapped_bytes": \([0-9]*\),/\1/p' "$run/out")
	[ "${bytes:-0}" -lt "$(stat -c %s "$run/t.gen")" ] || fail "check: bytes $bytes"
}

# An input error leaves the old file as it was, and nothing beside it.
test_build_is_atomic() {
	build 0 --routes "$src/inputs/small.routes"
	cp "$run/t.gen" "$run/old"
	build 1 --routes "$src/inputs/bad.routes"
	cmp -s "$run/t.gen" "$run/old" || fail "build: a bad input changed the file"
	grep -q 'bad.routes:4:' "$run/err" || fail "build: no file:line"
	[ "$(find "$run" -name 't.gen*' | wc -l)" -eq 1 ] || fail "build: something was left beside the file"
}

test_check_refuses_damage() {
	build 0 --routes "$src/inputs/small.routes"
	size=$(stat -c %s "$run/t.gen")
	for at in 3 8 40 100 $((size - 100)); do
		cp "$run/t.gen" "$run/damaged"
		old=$(od -An -tu1 -j "$at" -N 1 "$run/damaged")
		octal=$(printf '\\0%03o' $(((old + 1) % 256)))
		printf '%b' "$octal" |
			dd of="$run/damaged" bs=1 seek="$at" conv=notrunc status=none
		want=1
		[ "$at" -eq 8 ] && want=4 # the manifest's version
		expect "$want" tables check "$run/damaged"
		grep -q 'refused: ' "$run/err" || fail "check: byte $at: no reason"
	done
	head -c $((size - 4096)) "$run/t.gen" >"$run/damaged"
	expect 1 tables check "$run/damaged"
	: >"$run/damaged"
	expect 1 tables check "$run/damaged"
	expect 1 tables check "$run"
}

# A million packets more in about a tenth of a second.
test_drops_rate() {
	peer_start agent "$src/fixtures/changing" "$src/fixtures/agent"
	expect 0 drops --watch=0.1 --count 2 --json
	[ "$(wc -l <"$run/out")" -eq 2 ] || fail "drops --watch --json: not a line a round"
	rate=$(sed -n '2s/.*"no_route"[^}]*"packets_per_s":\([0-9]*\).*/\1/p' "$run/out")
	between "${rate:-0}" 100000 10000000 || fail "drops --watch: rate is ${rate:-missing}"
	sed -n 2p "$run/out" | grep -q '"drops":\[{"reason":"no_route"' || fail "drops: the fastest is not first"
	peers_stop
}

# Without --watch, too: a million policed in about a quarter of a second.
test_exceptions_rate() {
	peer_start agent "$src/fixtures/changing" "$src/fixtures/agent"
	expect 0 exceptions --json
	for key in packets_per_s policed_per_s; do
		rate=$(tr -d ' \n' <"$run/out" | sed -n "s/.*\"class\":\"bgp_open\"[^}]*\"$key\":\([0-9]*\).*/\1/p")
		between "${rate:-0}" 100000 4000000 || fail "exceptions: $key is ${rate:-missing}"
	done
	peers_stop
}

test_status_rates() {
	peer_start agent "$src/fixtures/agent"
	peer_start dataplane "$src/fixtures/changing" "$src/fixtures/dataplane"
	expect 0 status --json
	rate=$(sed -n 's/^ *"drop_pps": \([0-9]*\).*/\1/p' "$run/out")
	between "${rate:-0}" 100000 4000000 || fail "status: drop_pps is ${rate:-missing}"
	peers_stop
}

# An agent that accepts and never answers does not keep the dataplane from being asked.
test_agent_hangs() {
	pid=$("$peer" --hang "$DWCP_RUN_DIR/agent.sock")
	pids="$pids $pid"
	peer_start dataplane "$src/fixtures/dataplane"
	expect 0 ports
	grep -q 'answered by the dataplane' "$run/err" || fail "hanging agent: no note"
	peers_stop
	pid=$("$peer" --hang "$DWCP_RUN_DIR/dataplane.sock")
	pids="$pids $pid"
	expect 3 --socket "$DWCP_RUN_DIR/dataplane.sock" ports
	peers_stop
}

test_no_permission() {
	if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
		echo "skipped: no_permission: needs root and setpriv"
		skipped=1
		return
	fi
	peer_start agent "$src/fixtures/agent"
	chmod 755 "$run" "$DWCP_RUN_DIR"
	code=0
	cp "$cli" "$run/cli"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$run/cli" ports >"$run/out" 2>"$run/err" || code=$?
	[ "$code" -eq 3 ] || fail "no permission: exit $code"
	grep -q 'agent.socket_gid' "$run/err" || fail "no permission: no hint"
	peers_stop
}

test_output_fails() {
	peer_start agent "$src/fixtures/agent"
	code=0
	"$cli" ports >/dev/full 2>"$run/err" || code=$?
	[ "$code" -eq 1 ] || fail "full disk: exit $code"
	code=0
	"$cli" ports --json >/dev/full 2>"$run/err" || code=$?
	[ "$code" -eq 1 ] || fail "full disk, --json: exit $code"
	peers_stop
}

# Colour on a terminal, none with --no-color, NO_COLOR, TERM=dumb, or into a file.
test_color() {
	if ! command -v script >/dev/null; then
		echo "skipped: color: no script(1)"
		skipped=1
		return
	fi
	peer_start agent "$src/fixtures/agent"
	script -qec "$cli ports" /dev/null >"$run/out" </dev/null
	grep -q "$(printf '\033\\[')" "$run/out" || fail "no colour on a terminal"
	for how in "$cli --no-color ports" "NO_COLOR=1 $cli ports" "TERM=dumb $cli ports"; do
		script -qec "$how" /dev/null >"$run/out" </dev/null
		grep -q 'wan0' "$run/out" || fail "no output: $how"
		! grep -q "$(printf '\033')" "$run/out" || fail "colour: $how"
	done
	"$cli" ports >"$run/out"
	! grep -q "$(printf '\033')" "$run/out" || fail "colour into a file"
	# what a peer sent must not reach the terminal as a control sequence
	script -qec "$cli --no-color events" /dev/null >"$run/out" </dev/null
	! grep -q "$(printf '[\033\a]')" "$run/out" || fail "a peer's control characters reach the terminal"
	peers_stop
}

test_reference() {
	expect 0 config show --reference
	cp "$run/out" "$run/reference.conf"
	expect 0 config check "$run/reference.conf"
}

# The effective configuration is a configuration, and its own effective one.
test_effective() {
	peer_start agent "$src/fixtures/agent"
	expect 0 config show --effective
	cp "$run/out" "$run/effective.conf"
	grep -q 'name = "edge-1";' "$run/effective.conf" || fail "effective: not the agent's configuration"
	grep -q 'coalesce_ms = ' "$run/effective.conf" || fail "effective: without defaults"
	expect 0 config check "$run/effective.conf"
	expect 0 config show --effective "$run/effective.conf"
	cmp -s "$run/out" "$run/effective.conf" || fail "effective: not a fixed point"
	peers_stop
}

test_completion() {
	expect 0 completion bash
	if ! command -v bash >/dev/null; then
		echo "skipped: completion: no bash"
		skipped=1
		return
	fi
	bash -n "$run/out" || fail "completion: does not parse"
	completes() { # WANT WORDS...: what the last word can become
		want=$1
		shift
		got=$(bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _dwcp_cli
			printf "%s " "${COMPREPLY[@]}"' "$run/completion" "$@")
		case " $got" in
		*" $want "*) ;;
		*) fail "completion of '$*': no $want in: $got" ;;
		esac
	}
	cp "$run/out" "$run/completion"
	completes status dwcp-cli sta
	completes lookup dwcp-cli routes lo
	completes --family dwcp-cli routes list --f
	completes 6 dwcp-cli routes list --family ''
	completes --json dwcp-cli --run-dir /run/x drops --js
	completes --watch dwcp-cli drops --w
	completes bash dwcp-cli completion ''
	completes "$run/old" dwcp-cli tables check "$run/ol"
	# every command of the usage can be completed
	"$cli" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | sort -u >"$run/nouns"
	while read -r noun; do completes "$noun" dwcp-cli "$noun"; done <"$run/nouns"
}

test_build_and_check
test_build_is_atomic
test_check_refuses_damage
test_drops_rate
test_exceptions_rate
test_status_rates
test_agent_hangs
test_no_permission
test_output_fails
test_color
test_reference
test_effective
test_completion
[ "$failed" -eq 0 ] || exit 1
[ "$skipped" -eq 0 ] || exit 77
echo "all passed"
