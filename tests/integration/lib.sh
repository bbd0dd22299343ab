# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For integration tests: a whole host for each script, TAP on standard output.
#
# A script that sources this file runs again in network, process and mount namespaces of its own, as
# their first process: whatever it leaves running ends with it. Its folders lie below $work; the
# guests come from tools/make-guest's cache.
#
# HV_BUILD is the build folder (default: build). HV_KEEP=1 keeps $work and says where it is.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
script=$(realpath "$0")
build=$(realpath "${HV_BUILD:-$root/build}")

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP integration tests need root: they make namespaces, bridges and TAPs"
	exit 0
fi
if [ -z "${HV_TEST_INSIDE:-}" ]; then
	# Out here, where there is a network: what the script lists in `guests`.
	for wanted in "${guests[@]}"; do
		# shellcheck disable=SC2086
		"$root/tools/make-guest" $wanted >/dev/null || {
			echo "not ok 1 - make-guest $wanted"
			echo 1..1
			exit 1
		}
	done
	HV_TEST_INSIDE=1 exec unshare --net --pid --fork --kill-child --mount --mount-proc \
		"$script" "$@"
fi

export PATH=$build/cli:$root/tools:$PATH LC_ALL=C.UTF-8
unset HV_CONFIG NOTIFY_SOCKET
work=$(mktemp -d "${TMPDIR:-/tmp}/hv-test.XXXXXX")
export HV_CONFIG=$work/lab.yaml HV_STATE=$work/state HV_RUN=$work/run
mkdir -p "$work/images"
mount -t sysfs sysfs /sys 2>/dev/null
ip link set lo up

n_tests=0 n_failed=0
# What runs in the background tells it in its log only, and is replaced.
sanitizers_said()
{
	local log logs
	logs=$(grep -rlsE --include='*.log' --include='*.log.1' \
		'ERROR: (Address|Leak)Sanitizer|: runtime error: ' "$work/state" "$work/run")
	[ -n "$logs" ] || return 0
	echo "not ok $((n_tests += 1)) - sanitizers find nothing in the background"
	n_failed=$((n_failed + 1))
	while read -r log; do
		grep -aE -A 12 'ERROR: (Address|Leak)Sanitizer|: runtime error: ' "$log" | sed 's/^/# /'
	done <<<"$logs"
}

finish()
{
	local status=$?
	if [ "$status" != 0 ] && [ "$n_failed" = 0 ]; then
		echo "not ok $((n_tests += 1)) - the script ran to its end (status $status)"
		n_failed=1
	fi
	sanitizers_said
	echo "1..$n_tests"
	if [ -n "${HV_KEEP:-}" ] || { [ "$n_failed" != 0 ] && [ -n "${HV_KEEP_FAILED:-}" ]; }; then
		echo "# kept: $work"
	else
		cut -d ' ' -f 5 /proc/self/mountinfo | grep "^$work/" | tac | xargs -r umount -l
		rm -rf "$work"
	fi
	# Without a number it would be the status from before the trap.
	exit $((n_failed != 0))
}
trap finish EXIT

note() { printf '%s\n' "$*" | sed 's/^/# /'; }

result()
{
	n_tests=$((n_tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n_tests - $2"
	else
		echo "not ok $n_tests - $2"
		n_failed=$((n_failed + 1))
	fi
}

skip()
{
	n_tests=$((n_tests + 1))
	echo "ok $n_tests - $1 # SKIP $2"
}

# ok "what holds" COMMAND...: shows what the command said where it failed.
ok()
{
	local what=$1 said status
	shift
	said=$("$@" 2>&1)
	status=$?
	[ "$status" = 0 ] || note "$* (status $status)" "$said"
	result "$status" "$what"
	return "$status"
}

# killed_at POINT COMMAND...: whether it is killed at that fault point, before its end; $work/said has
# its words. Who clears up behind the last one may be in its way still.
killed_at()
{
	local i status
	for i in $(seq 20); do
		status=$( (HV_FAULT=$1 "${@:2}" >"$work/said" 2>&1; echo $?) 2>/dev/null)
		[ "$status" = 137 ] && return 0
		[ "$status" = 0 ] && return 1
		sleep 0.5
	done
	note "at point $1: status $status" "$(cat "$work/said")"
	return 1
}

# fails "what is refused" STATUS "words it says" COMMAND...
fails()
{
	local what=$1 wanted=$2 words=$3 said status
	shift 3
	said=$("$@" 2>&1)
	status=$?
	if [ "$status" = "$wanted" ] && [[ $said == *"$words"* ]]; then
		result 0 "$what"
		return 0
	fi
	note "$* (status $status, not $wanted, or without '$words')" "$said"
	result 1 "$what"
	return 1
}

# is "what it is" ACTUAL EXPECTED
is()
{
	[ "$2" = "$3" ] && { result 0 "$1"; return 0; }
	if [[ $2$3 == *$'\n'* ]]; then
		note "$(diff <(echo "$3") <(echo "$2"))"
	else
		note "is       '$2'" "expected '$3'"
	fi
	result 1 "$1"
	return 1
}

# like "what it says" TEXT "words"
like()
{
	[[ $2 == *"$3"* ]] && { result 0 "$1"; return 0; }
	note "in       '$2'" "not there '$3'"
	result 1 "$1"
	return 1
}

# Puts standard input into the configuration.
lab() { cat >"$HV_CONFIG"; }

# guest VARIANT [OPTION...]: path of a guest of that kind in the cache.
guest()
{
	make-guest "${@:2}" "$1" 2>"$work/make-guest.log" && return
	note "make-guest $*" "$(cat "$work/make-guest.log")" >&2
	return 1
}

# copy_guest VARIANT FILE [OPTION...]: a disk of its own, as a thin copy.
copy_guest()
{
	local from
	from=$(guest "$1" "${@:3}") && cp --reflink=auto --sparse=always "$from" "$2"
}

# A key of the status object of a VM, by a jq expression.
status_of() { hv status "$1" --json | jq -r "$2"; }

# A build that can be stopped or killed at its fault points; and at which one it was, as it said in $work/said.
has_fault_points() { grep -qa "fault point" "$build/cli/hv"; }
is_stopped() { grep -q '^State:.T' "/proc/$1/status"; } # by HV_FAULT_STOPS, or a signal
fault_place() { sed -n 's/.*fault point [0-9]*: //p' "$work/said"; }

# Processes of this namespace by name.
count() { pgrep -c -x "$1" || :; }

# What of the kernel's state hvup may touch, as text to compare.
host_state()
{
	echo "links"
	# Without what follows an order some time behind: whether there is a carrier.
	ip -o link | sed -E 's/^[0-9]+: //; s/ (qlen|state|mode) [^ ]+//g; s/NO-CARRIER,|,LOWER_UP//'
	echo "addresses"
	ip -o -4 addr | sed -E 's/^[0-9]+: //'
	echo "routes"
	ip -4 route show table all | grep -v '^local\|^broadcast' | sed 's/ linkdown//'
	echo "rules"
	nft list ruleset
	echo "forwarding"
	grep -sH . /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv4/ip_forward
	echo "processes"
	ps -e -o comm=,pid=,args= | grep -E '^(qemu-system-x86|swtpm|dnsmasq|hv|exe) '
	echo "run files"
	[ ! -e "$HV_RUN" ] || find "$HV_RUN" -mindepth 1
	echo "mounts"
	# Not those of another program that makes a guest at this moment.
	cut -d ' ' -f 5 /proc/self/mountinfo | grep -v '/tmp/guest\.' | sort
}

# settled "what" STATE: the host comes to that state by itself, within ten seconds.
settled()
{
	local until=$((SECONDS + 10))
	while [ "$(host_state)" != "$2" ] && [ "$SECONDS" -lt "$until" ]; do
		sleep 0.1
	done
	is "$1" "$(host_state)" "$2"
}

typed=0
# in_guest VM COMMAND: runs it in the shell on the guest's console; prints what it said, returns its
# status.
in_guest()
{
	local vm=$1 log=$HV_STATE/vm/$1/console.log mark
	hv up "$vm" --wait=console:root@ --timeout "${3:-60}" >/dev/null || return 124
	typed=$((typed + 1))
	mark=$$.$typed.$RANDOM
	# The marks are typed in two halves, so that the echo of the typing is not taken for them.
	printf 'echo "hv-be""gin"-%s; %s; echo "hv-e""nd"-%s $?\n' "$mark" "$2" "$mark" |
		(cd "$HV_RUN/vm/$vm" && socat -u - UNIX-CONNECT:console) || return 125
	hv up "$vm" --wait="console:hv-end-$mark " --timeout "${3:-60}" >/dev/null || return 124
	# The status stands behind the mark; the log may be a moment behind.
	local status=
	for _ in $(seq 50); do
		status=$(tr -d '\r' <"$log" | sed -n "s/^hv-end-$mark \([0-9]\{1,\}\)\$/\1/p")
		[ -n "$status" ] && break
		sleep 0.02
	done
	tr -d '\r' <"$log" | sed -n "/^hv-begin-$mark\$/,/^hv-end-$mark /p" | sed '1d;$d'
	return "${status:-123}"
}

# Waits until COMMAND succeeds, for at most SECONDS.
eventually()
{
	local seconds=$1 until=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || { "$@"; return; }
		sleep 0.05
	done
}
