# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For tests that run hv inside of a guest: it and this host's QEMU, with all that they are linked against,
# as a layer that the guest lays over its own /usr.

# build_layer INSIDE [PROGRAM...]: $work/images/layer.raw, with tests/inside/INSIDE as INSIDE-inside, and
# programs of this host's.
build_layer()
{
	local layer=$work/layer file inside=$1
	shift
	mkdir -p "$layer/usr/bin" "$layer/usr/share/qemu"
	# Some of it goes to /lib, which is below /usr in the guest.
	DESTDIR=$work/install meson install -C "$build" --no-rebuild >"$work/install.log" 2>&1 &&
		cp -a "$work/install/usr/." "$layer/usr/" || return
	[ ! -e "$work/install/lib" ] || cp -a "$work/install/lib/." "$layer/usr/lib/" || return
	cp "$root/tests/inside/$inside" "$layer/usr/bin/$inside-inside"
	for file in "$layer/usr/sbin/hv" "$(command -v qemu-system-x86_64)" "$(command -v qemu-img)" \
		"$(command -v swtpm)" /usr/lib/*/qemu/accel-tcg-x86_64.so "$@"; do
		echo "$file"
		ldd "$file" | sed -n 's/.*\(=> \|^\t\)\(\/[^ ]*\) (.*/\2/p'
	done | grep -v "^$layer" | sort -u >"$work/files"
	while read -r file; do
		file=${file/#\/lib/\/usr\/lib}
		mkdir -p "$layer${file%/*}"
		cp -L "$file" "$layer$file" || return
	done <"$work/files"
	for file in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
		cp -L "$(ls /usr/share/{qemu,seabios}/$file 2>/dev/null | head -n 1)" \
			"$layer/usr/share/qemu/" || return
	done
	mke2fs -q -F -t ext4 -L hv-layer -d "$layer" "$work/images/layer.raw" 400M
}
