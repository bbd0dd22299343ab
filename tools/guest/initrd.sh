# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Part of make-guest: the busybox guest's file system, as an initramfs, out of unpacked packages.

# Programs from packages, besides busybox; their libraries are found by the guest's own loader.
guest_programs=(/usr/bin/tpm2 /usr/sbin/qemu-ga /usr/bin/chattr /usr/bin/lsattr)
# Libraries that programs open by name only when they run.
guest_plugins=(libtss2-tcti-device.so.0)

# Copies one file of the unpacked packages to the same place, with /bin, /sbin and /lib merged.
find_unpacked()
{
	local path
	for path in "$stage$1" "$stage${1#/usr}" "$stage/usr$1"; do
		[ -f "$path" ] && { echo "$path"; return 0; }
	done
	die "no $1 in the packages"
}

copy_libraries()
{
	local loader libraries file
	loader=$(find "$stage" -name ld-linux-x86-64.so.2 -type f | head -n 1)
	[ -n "$loader" ] || die "no ld-linux-x86-64.so.2 in the packages"
	libraries=$stage/lib/x86_64-linux-gnu:$stage/usr/lib/x86_64-linux-gnu
	cp "$loader" "$root/lib64/ld-linux-x86-64.so.2"
	for file; do
		"$loader" --inhibit-cache --library-path "$libraries" --list "$file" ||
			die "the libraries of ${file##*/} cannot be found"
	done | sed -n 's/.* => \(.*\) (0x.*/\1/p' | sort -u >"$tmp/libraries"
	! grep -v "^$stage/" "$tmp/libraries" >&2 || die "these libraries are not in the packages"
	while read -r file; do
		cp -L "$file" "$root/lib/x86_64-linux-gnu/"
	done <"$tmp/libraries"
}

copy_programs()
{
	local name file elf=()
	file=$(find_unpacked /bin/busybox)
	cp "$file" "$root/bin/busybox"
	for name in $("$file" --list); do
		[ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
	done
	for name in "${guest_programs[@]}"; do
		file=$(find_unpacked "$name")
		rm -f "$root/bin/${name##*/}"
		cp "$file" "$root/bin/"
		elf+=("$file")
	done
	for file in "$stage"/usr/bin/tpm2_*; do
		ln -s tpm2 "$root/bin/${file##*/}"
	done
	for name in "${guest_plugins[@]}"; do
		file=$(find_unpacked "/usr/lib/x86_64-linux-gnu/$name")
		cp -L "$file" "$root/lib/x86_64-linux-gnu/"
		elf+=("$file")
	done
	copy_libraries "${elf[@]}"
}

# The modules of guest/modules and what they need, unpacked, since the whole is compressed anyway.
copy_modules()
{
	local release file
	release=$(basename "$stage"/lib/modules/*)
	depmod -b "$stage" "$release"
	grep -v '^#' "$here/guest/modules" |
		xargs modprobe -a -d "$stage" -S "$release" --show-depends 2>/dev/null |
		sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u >"$tmp/modules" || :
	[ -s "$tmp/modules" ] || die "no kernel modules found in the packages"
	mkdir -p "$root/lib/modules/$release/kernel"
	while read -r file; do
		cp "$file" "$root/lib/modules/$release/kernel/"
	done <"$tmp/modules"
	find "$root/lib/modules" -name '*.xz' -exec unxz {} +
	find "$root/lib/modules" -name '*.zst' -exec zstd -q -d --rm {} +
	cp "$stage/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} \
		"$root/lib/modules/$release/"
	depmod -b "$root" "$release"
}

copy_scripts()
{
	local name
	for name in init facts dhcp shutdown stop; do
		install -m 755 "$here/guest/$name" "$root/etc/$name"
	done
	install -m 644 "$here/guest/inittab" "$here/guest/profile" "$root/etc/"
	rm -f "$root/bin/shutdown"
	mv "$root/etc/shutdown" "$root/bin/shutdown"
	mkdir -p "$root/etc/acpi/PWRF"
	printf '#!/bin/sh\nexec /bin/poweroff\n' >"$root/etc/acpi/PWRF/00000080"
	chmod 755 "$root/etc/acpi/PWRF/00000080"
	echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	ln -s /proc/mounts "$root/etc/mtab"
	{
		echo 'NAME="hvup test guest"'
		echo 'ID=hv-guest'
		echo "VERSION_ID=$suite"
		echo "PRETTY_NAME=\"hvup test guest (Debian $suite packages)\""
	} >"$root/etc/os-release"
}

# Builds vmlinuz and initrd.img in a folder.
build_direct()
{
	local ret=$1
	local stage=$tmp/stage root=$tmp/root
	unpack_packages "$stage"
	say "building the guest's initrd"
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc,root,data,mnt,usr,var/log} \
		"$root/lib/x86_64-linux-gnu" "$root/lib64"
	ln -s bin "$root/sbin"
	ln -s ../bin ../lib ../lib64 "$root/usr/"
	ln -s ../bin "$root/usr/sbin"
	ln -s /run "$root/var/run"
	ln -s bin/busybox "$root/init"
	copy_programs
	copy_modules
	copy_scripts
	mkdir -p "$ret"
	cp "$stage"/boot/vmlinuz-* "$ret/vmlinuz"
	(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) |
		zstd -q -9 -T0 >"$ret/initrd.img"
	rm -rf "$stage" "$root"
}
