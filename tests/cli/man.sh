#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The manual pages: made of the table as it is now, and without a fault.
#   man.sh CLI DOCS_MAN        UPDATE=1 writes the made ones
set -eu
cli=$1 man=$2
out=$(mktemp /tmp/dwcp-man.XXXXXX)
trap 'rm -f "$out"' EXIT
failed=0

fresh() { # PAGE WORDS...
	page=$man/$1
	shift
	"$cli" "$@" >"$out"
	if [ "${UPDATE:-}" ]; then
		cp "$out" "$page"
	elif ! diff -u "$page" "$out"; then
		echo "FAILED: $page is stale: UPDATE=1 $0 $cli $man" >&2
		failed=1
	fi
}

fresh dwcp-cli.1 --man
fresh dwcp.conf.5 --man=conf
[ "$failed" -eq 0 ] || exit 1
if ! command -v mandoc >/dev/null; then
	echo "skipped: no mandoc to check the pages with"
	exit 77
fi
# a page that is not installed is no fault of the one that names it
if mandoc -T lint -W style "$man"/*.[1-8] | grep -v 'STYLE: referenced manual not found'; then
	exit 1
fi
