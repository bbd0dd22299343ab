# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For benchmarks: ratios of things measured side by side, alternating, in one run. A benchmark prints
# a line per figure and fails where a bound is passed.
bench_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HV_BUILD=${HV_BUILD:-$bench_folder/../build/bench}
if [ -z "${HV_TEST_INSIDE:-}" ] && [ ! -x "$HV_BUILD/cli/hv" ]; then
	meson setup -Dbuildtype=release "$HV_BUILD" "$bench_folder/.." >/dev/null &&
		ninja -C "$HV_BUILD" >/dev/null || exit 1
fi
# shellcheck source=tests/integration/lib.sh
. "$bench_folder/../tests/integration/lib.sh"

# As /run is: what a machine's run folder holds is never to be written to a disk.
mkdir -p "$HV_RUN" && mount -t tmpfs -o mode=755 none "$HV_RUN" || exit 1

rounds=${ROUNDS:-15}

# Microseconds from the exec of a command to its end, into the variable $1.
stopwatch=
timed()
{
	local -n ret=$1
	shift
	if [ -z "$stopwatch" ]; then
		stopwatch=$work/stopwatch
		gcc -D_GNU_SOURCE -O2 -Wall -o "$stopwatch" "$bench_folder/stopwatch.c" || exit 1
	fi
	ret=$("$stopwatch" "$@" 2>"$work/stderr") || {
		note "$* failed" "$(cat "$work/stderr")"
		exit 1
	}
}

# Statistics of numbers, one a line.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

ms() { awk -v v="$1" 'BEGIN { printf "%.1f", v / 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# ratio_of_rounds FILE FILE: numbers of the same rounds, one a line. A host that is slow for a while is
# slow for both, so each round is divided by itself; the median of that.
ratio_of_rounds() { paste -d ' ' "$1" "$2" | awk '{ print $1 / $2 }' | median | awk '{ printf "%.2f", $1 }'; }

# figure "what" VALUE "unit" BOUND: at most.
figure()
{
	local within
	within=$(awk -v a="$2" -v b="$4" 'BEGIN { print (a <= b ? 0 : 1) }')
	result "$within" "$1: $2 $3 (at most $4)"
}

# at_least "what" VALUE "unit" BOUND
at_least()
{
	local within
	within=$(awk -v a="$2" -v b="$4" 'BEGIN { print (a >= b ? 0 : 1) }')
	result "$within" "$1: $2 $3 (at least $4)"
}
