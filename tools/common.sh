# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the programs in tools/: what they need from Debian, and how they speak.

# To build.
build_packages=(gcc libc6-dev meson ninja-build pkg-config libcap-ng-dev libcurl4-openssl-dev libedit-dev
	libjansson-dev libnftables-dev libnl-3-dev libnl-route-3-dev libseccomp-dev libsystemd-dev libyaml-dev uuid-dev)
# To run.
run_packages=(dnsmasq-base ovmf qemu-system-x86 qemu-utils swtpm)
# To test: guests are made by tools/make-guest, which knows its own needs.
test_packages=(clang clang-format clang-tidy cppcheck expect file iproute2 iputils-ping jq libclang-rt-dev
	libcmocka-dev mandoc mmdebstrap nftables openssl procps python3 shellcheck socat
	spice-client-gtk systemd-container tmux util-linux xfsprogs)
# From 13 on QEMU's SPICE is a package of its own.
# shellcheck source=/dev/null
[ "$(. /etc/os-release 2>/dev/null && echo "${VERSION_ID:-0}")" -lt 13 ] 2>/dev/null ||
	test_packages+=(qemu-system-modules-spice)

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# Runs the calling program again as root, where it is not.
become_root()
{
	[ "$(id -u)" != 0 ] || return 0
	command -v sudo >/dev/null || die "run it as root (there is no sudo here)"
	say "root is needed for TAPs and bridges: sudo $0"
	exec sudo --preserve-env=HV_CACHE,HV_SUBNET "$0" "$@"
}

check_debian()
{
	local id version
	# shellcheck source=/dev/null
	read -r id version < <(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-0}")
	[ "$id" = debian ] && [ "${version:-99}" -ge 12 ] ||
		echo "${0##*/}: made for Debian 12 and 13; this is '$id $version': trying all the same"
	[ "$(uname -m)" = x86_64 ] || die "the example guests are made for x86-64"
}

# Installs those packages that are missing.
install_packages()
{
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing+=("$package")
	done
	if [ ${#missing[@]} = 0 ]; then
		echo "all there: $*"
		return 0
	fi
	echo "apt installs: ${missing[*]}"
	apt-get -q update || die "apt-get update failed: is there a network, and a mirror in /etc/apt?"
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}" ||
		die "apt could not install: ${missing[*]}"
}

# build_in FOLDER [MESON OPTION...]: all of it, or $NINJA_TARGETS.
build_in()
{
	local folder=$1 setup=(setup) log
	shift
	mkdir -p "$(dirname "$folder")"
	[ ! -e "$folder/build.ninja" ] || setup=(setup --reconfigure)
	log=$(meson "${setup[@]}" "$@" "$folder" 2>&1) || {
		echo "$log"
		die "meson could not set up $folder"
	}
	# shellcheck disable=SC2086 # a list
	log=$(ninja -C "$folder" ${NINJA_TARGETS:-} 2>&1) || {
		echo "$log"
		die "$folder could not be built"
	}
	echo "built in $folder"
}
