# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Part of make-guest: which packages, in which versions, and their files.
#
# apt answers as if nothing were installed (an empty status file), so a list is the same on every
# host. The host's own package lists serve for the host's own suite; another suite gets lists of
# its own in the cache, from the same mirror. Asking apt takes about two seconds, so the answer is
# kept under a hash of everything it depends on: package lists, sources, preferences, question.

# Sets apt_options and lists_dir for $suite.
apt_setup()
{
	apt_dir=$cache/apt/$suite
	# An archive folder without archives: --print-uris leaves out what is there already.
	mkdir -p "$apt_dir/archives/partial" "$cache/debs" "$cache/answers"
	: >"$apt_dir/status"
	apt_options=(
		-q
		-o Dir::State::status="$apt_dir/status"
		-o Dir::State::extended_states="$apt_dir/extended_states"
		-o Dir::Cache::archives="$apt_dir/archives"
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
		-o APT::Architecture=amd64 -o APT::Architectures=amd64
		-o APT::Install-Recommends=false
		-o APT::Sandbox::User=root
		-o Debug::NoLocking=1
	)
	lists_dir=/var/lib/apt/lists
	[ "$suite" != "$host_suite" ] || return 0
	lists_dir=$apt_dir/lists
	mkdir -p "$lists_dir/partial"
	[ -s "$apt_dir/sources.list" ] || write_sources >"$apt_dir/sources.list"
	apt_options+=(
		-o Dir::State::lists="$lists_dir"
		-o Dir::Etc::SourceList="$apt_dir/sources.list"
		-o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::Preferences=/dev/null
		-o Dir::Etc::PreferencesParts=/dev/null
	)
}

# Address of the first repository of this label in the host's sources, or the given default.
mirror_of()
{
	local found
	found=$(apt-get indextargets --format "\$(LABEL)|\$(REPO_URI)" 'Created-By: Packages' \
		2>/dev/null | sed -n "s/^$1|//p" | head -n 1)
	echo "${found:-$2}"
}

write_sources()
{
	local main security key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
	main=$(mirror_of Debian http://deb.debian.org/debian)
	security=$(mirror_of Debian-Security http://deb.debian.org/debian-security)
	echo "deb $key $main $suite main"
	echo "deb $key $main $suite-updates main"
	echo "deb $key $security $suite-security main"
}

apt_update()
{
	say "updating the package lists of $suite"
	if [ "$suite" = "$host_suite" ]; then
		apt-get -q update >&2
	else
		apt-get "${apt_options[@]}" update >&2
	fi
}

# Packages with all they depend on, as lines NAME=VERSION.
closure_of()
{
	apt-get "${apt_options[@]}" -y --print-uris install "$@" 2>/dev/null |
		sed -n "s/^'[^']*' \([^_]*\)_\([^_]*\)_[^_]*\.deb .*/\1=\2/p" | sed 's/%3a/:/'
}

# Candidate of each package alone, as lines NAME=VERSION.
candidate_of()
{
	apt-cache "${apt_options[@]}" show --no-all-versions "$@" 2>/dev/null |
		awk '$1 == "Package:" { name = $2 } $1 == "Version:" { print name "=" $2 }'
}

# The kernel's meta package names the real one.
kernel_package()
{
	apt-cache "${apt_options[@]}" show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1
}

# Hash of all that apt's answer to this question depends on.
question_hash()
{
	{
		echo "$*"
		cat "$lists_dir"/*Release /etc/apt/sources.list /etc/apt/sources.list.d/* \
			/etc/apt/preferences /etc/apt/preferences.d/* "$apt_dir/sources.list" \
			"$here/guest/apt.sh" 2>/dev/null || :
	} | sha256sum | cut -c 1-32
}

ask_apt()
{
	local single=("${single_packages[@]}")
	if [ -n "$kernel_meta" ]; then
		single+=("$(kernel_package "$kernel_meta")")
		[ -n "${single[-1]}" ] || return 1
	fi
	if [ ${#closure_packages[@]} -gt 0 ]; then
		closure_of "${closure_packages[@]}" | grep . || return 1
	fi
	candidate_of "${single[@]}" >"$tmp/single"
	[ "$(wc -l <"$tmp/single")" = ${#single[@]} ] || return 1
	cat "$tmp/single"
}

# Sets package_list to the file with the lines NAME=VERSION of this variant.
resolve_packages()
{
	local try
	for try in 1 2; do
		package_list=$cache/answers/$(question_hash "$suite $kernel_meta \
			${closure_packages[*]} ${single_packages[*]}")
		[ ! -s "$package_list" ] || return 0
		make_tmp
		say "asking apt which packages"
		if ask_apt >"$tmp/answer"; then
			mv "$tmp/answer" "$package_list"
			return 0
		fi
		[ "$try" = 2 ] || apt_update || break
	done
	die "apt finds no $kernel_meta, ${closure_packages[*]} or ${single_packages[*]} for $suite:" \
		"check the mirror in /etc/apt, then run 'apt-get update'"
}

# Gets the packages into the cache; apt checks each file's hash, also of those already there.
download_packages()
{
	local list
	mapfile -t list <"$package_list"
	say "getting ${#list[@]} packages"
	(
		flock 9
		cd "$cache/debs"
		apt-get "${apt_options[@]}" download "${list[@]}" >"$tmp/download.log" 2>&1
	) 9>"$cache/debs/.lock" && return 0
	tail -n 5 "$tmp/download.log" >&2
	return 1
}

# Unpacks all packages into a folder.
unpack_packages()
{
	local package version file
	mkdir -p "$1"
	while IFS="=" read -r package version; do
		for file in "$cache/debs/${package}_${version//:/%3a}"_*.deb; do
			[ -e "$file" ] || die "package $package=$version was not downloaded"
			dpkg-deb -x "$file" "$1"
		done
	done <"$package_list"
	[ -e "$1/lib" ] || ln -s usr/lib "$1/lib"
}
