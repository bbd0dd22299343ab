# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Part of make-guest: a small Debian with systemd, by mmdebstrap into a tar file, then on a disk.
debian_packages=(dbus iproute2 iputils-ping kmod libnss-resolve login passwd qemu-guest-agent
	systemd systemd-resolved systemd-sysv tpm2-tools udev)

# Settings of the guest, written as files below a folder.
write_debian_settings()
{
	local root=$1
	mkdir -p "$root/etc/systemd/network" "$root/etc/systemd/system/serial-getty@ttyS0.service.d" \
		"$root/etc/initramfs-tools/conf.d" "$root/usr/local/sbin" "$root/etc/systemd/system"
	printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseDomains=yes\nUseHostname=yes\n' \
		>"$root/etc/systemd/network/80-dhcp.network"
	printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud %%I $TERM\n' \
		>"$root/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf"
	printf 'MODULES=most\nCOMPRESS=zstd\n' >"$root/etc/initramfs-tools/conf.d/hv"
	printf 'LABEL=hv-root / ext4 defaults 0 1\n' >"$root/etc/fstab"
	printf 'localhost\n' >"$root/etc/hostname"
	: >"$root/etc/machine-id"
	install -m 755 "$here/guest/facts" "$root/usr/local/sbin/hv-facts"
	cat >"$root/etc/systemd/system/hv-facts.service" <<-END
	[Unit]
	Description=What this guest knows of its machine
	After=network-online.target
	Wants=network-online.target
	[Service]
	Type=oneshot
	StandardOutput=tty
	TTYPath=/dev/console
	ExecStart=/usr/local/sbin/hv-facts
	ExecStart=/bin/echo hv-guest: ready
	[Install]
	WantedBy=multi-user.target
	END
}

# Builds a qcow2 disk.
build_debian()
{
	local raw=$tmp/disk.raw stage=$tmp/loader root=$tmp/root settings=$tmp/settings
	local packages=("${debian_packages[@]}" "$kernel_meta" initramfs-tools zstd)
	write_debian_settings "$settings"
	unpack_packages "$stage"
	say "installing a small Debian"
	# shellcheck disable=SC2046 # one word, or none
	mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="tar -C '$settings' -c . | tar -C \"\$1\" -x --no-same-owner" \
		--customize-hook='chroot "$1" systemctl -q enable systemd-networkd systemd-resolved hv-facts serial-getty@ttyS0 qemu-guest-agent 2>/dev/null || true' \
		--customize-hook='chroot "$1" systemctl -q mask systemd-networkd-wait-online 2>/dev/null; chroot "$1" passwd -d root' \
		--customize-hook='ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"' \
		--customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
		"$suite" "$root" $(mirrors_for_mmdebstrap) >&2
	say "building the disk"
	disk_create "$raw" 160 1800 hv-root "$root"
	disk_put_loader "$raw" "$stage"
	disk_put "$raw" "$(echo "$root"/boot/vmlinuz-*)" /vmlinuz
	disk_put "$raw" "$(echo "$root"/boot/initrd.img-*)" /initrd.img
	cat >"$tmp/grub.cfg" <<-END
	linux /vmlinuz root=LABEL=hv-root console=ttyS0 quiet
	initrd /initrd.img
	boot
	END
	disk_put "$raw" "$tmp/grub.cfg" /EFI/debian/grub.cfg
	disk_finish "$raw" "$1"
	rm -rf "$stage" "$root" "$settings"
}

# The sources that packages were resolved from.
mirrors_for_mmdebstrap()
{
	if [ "$suite" = "$host_suite" ]; then
		mirror_of Debian http://deb.debian.org/debian
	else
		echo "$apt_dir/sources.list"
	fi
}
