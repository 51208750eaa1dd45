#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run every case of cases.txt: output, exit code and what the peers were asked, against golden/NAME.
#   run.sh CLI PEER SOURCE_DIR [CASE...]        UPDATE=1 writes the golden files instead
set -eu
cli=$1 peer=$2 src=$3
shift 3
only=" $* "
if ! [ -x "$cli" ] || ! [ -x "$peer" ]; then exit 99; fi
top=$(mktemp -d /tmp/dwcp-cli-test.XXXXXX)
pids=''
failed=0 passed=0
export LC_ALL=C.UTF-8 TERM=xterm
unset NO_COLOR DWCP_RUN_DIR 2>/dev/null || :

peers_stop() {
	for pid in $pids; do kill "$pid" 2>/dev/null || :; done
	for pid in $pids; do wait "$pid" 2>/dev/null || :; done
	pids=''
}
cleanup() {
	peers_stop
	rm -rf "$top"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# peer_start NAME SPEC: SPEC is raw:FILE, hang, or directories of fixtures
peer_start() {
	rm -f "$run/$1.sock"
	case $2 in
	raw:*) pid=$("$peer" --raw "$src/fixtures/${2#raw:}" "$run/$1.sock") ;;
	hang) pid=$("$peer" --hang "$run/$1.sock") ;;
	*)
		dirs=''
		for d in $(echo "$2" | tr , ' '); do dirs="$dirs $src/fixtures/$d"; done
		# shellcheck disable=SC2086 # one word a directory
		pid=$("$peer" "$run/$1.sock" "$run/$1.log" $dirs)
		;;
	esac
	pids="$pids $pid"
}

# What differs from run to run: paths, wall-clock times, durations (rates don't: the counters of fixtures stand still).
# And of built tables how many elements and bytes they take: that is the builder's, and tested with it.
normalize() {
	sed -E -e "s#$run#RUN#g" -e "s#$src/inputs#IN#g" \
		-e "s/$(date +%Y)-[0-9-]+ [0-9:]{8}Z/TIME/g" \
		-e 's/"(unix_ns|adopted_unix_ns|created_unix_ns)": ?1[6-9][0-9]{17}/"\1": NS/g' \
		-e '/"took_us"/,/\}/s/: [0-9]+/: US/' \
		-e '/^took /s/[0-9]+\.?[0-9]* (us|ms|s)/T/g' \
		-e '/^size /s/[0-9.]+ [KM]iB in [0-9]+/SIZE in N/' |
		case $name in
		build*) sed -E -e '/^(SECTION|fib_|nexthop)/{/ [0-9]/s/ +[0-9,]+/ N/g;s/ +(ELEM|BYT|SEGM)/ \1/g}' \
			-e 's/"(elements|bytes|segments)": [0-9]+/"\1": N/' ;;
		*) cat ;;
		esac
}

case_run() {
	name=$1 width=$3
	run=$top/$name # a directory of its own: the locks of peers just killed may still be held
	mkdir "$run"
	for spec in $2; do peer_start "${spec%%=*}" "${spec#*=}"; done
	words=$(echo "$4" | sed -e "s#RUN#$run#g" -e "s#IN/#$src/inputs/#g")
	config=''
	case $name in # these name the directory of the sockets themselves
	run-dir-of-config | config-option-bad) ;;
	*) config="--run-dir $run" ;;
	esac
	if [ "$width" = - ]; then unset COLUMNS; else export COLUMNS="$width"; fi
	code=0
	# shellcheck disable=SC2086 # words on purpose
	timeout 30 "$cli" $config $words >"$run/out" 2>"$run/err" </dev/null || code=$?
	unset COLUMNS
	peers_stop
	{
		echo "\$ dwcp-cli $4"
		cat "$run/out"
		if [ -s "$run/err" ]; then
			echo "[stderr]"
			cat "$run/err"
		fi
		for log in agent dataplane; do
			if [ -s "$run/$log.log" ]; then
				echo "[$log was asked]"
				cat "$run/$log.log"
			fi
		done
		find "$run" -mindepth 1 ! -name out ! -name err ! -name got ! -name '*.log' ! -name '*.sock*' |
			sed "s#^#[written] #"
		echo "[exit $code]"
	} | normalize >"$run/got"
	if [ "${UPDATE:-}" ]; then
		cp "$run/got" "$src/golden/$name"
	elif diff -u "$src/golden/$name" "$run/got"; then
		passed=$((passed + 1))
	else
		echo "FAILED: $name" >&2
		failed=$((failed + 1))
	fi
}

while IFS='|' read -r name peers width words; do
	case $name in '#'* | '') continue ;; esac
	name=$(echo "$name" | tr -d ' ')
	case $only in
	"  ") ;;
	*" $name "*) ;;
	*) continue ;;
	esac
	case_run "$name" "$peers" "$(echo "$width" | tr -d ' ')" "$(echo "$words" | sed 's/^ *//')"
done <"$src/cases.txt"

# a golden file without a case is a case that was lost
if [ "$only" = "  " ]; then
	for file in "$src"/golden/*; do
		if ! grep -q "^$(basename "$file") |" "$src/cases.txt"; then
			echo "FAILED: golden/$(basename "$file") has no case" >&2
			failed=$((failed + 1))
		fi
	done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
