# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Part of make-guest: a small Debian with systemd, by mmdebstrap into a tar file, then on a disk.
debian_packages=(dbus iproute2 iputils-ping kmod libnss-resolve login passwd qemu-guest-agent
	systemd systemd-resolved systemd-sysv tpm2-tools udev)

# Settings of the guest, written as files below a folder.
write_debian_settings()
{
	local root=$1
	local units=$root/etc/systemd/system
	mkdir -p "$root/etc/systemd/network" "$root/etc/initramfs-tools/conf.d" \
		"$root/usr/local/sbin" "$units/serial-getty@ttyS0.service.d" \
		"$units/systemd-networkd-wait-online.service.d"
	printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseDomains=yes\nUseMTU=yes\nClientIdentifier=mac\n' \
		>"$root/etc/systemd/network/80-dhcp.network"
	printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud %%I $TERM\n' \
		>"$units/serial-getty@ttyS0.service.d/autologin.conf"
	# A network without DHCP does not hold the guest up for longer than this.
	printf '[Service]\nExecStart=\nExecStart=%s --ipv4 --timeout=10\n' \
		/lib/systemd/systemd-networkd-wait-online \
		>"$units/systemd-networkd-wait-online.service.d/hv.conf"
	printf 'MODULES=most\nCOMPRESS=zstd\n' >"$root/etc/initramfs-tools/conf.d/hv"
	printf 'LABEL=hv-root / ext4 defaults 0 1\n' >"$root/etc/fstab"
	# What programs read from the console is text: no marks around what is pasted, no message.
	printf 'set enable-bracketed-paste off\n' >"$root/etc/inputrc"
	mkdir -m 700 "$root/root"
	: >"$root/root/.hushlogin"
	printf 'localhost\n' >"$root/etc/hostname"
	: >"$root/etc/machine-id"
	install -m 755 "$here/guest/facts" "$root/usr/local/sbin/hv-facts"
	# The name that DHCP gave is set here, as networkd may not without polkit.
	cat >"$units/hv-facts.service" <<-'END'
	[Unit]
	Description=What this guest knows of its machine
	After=network-online.target
	Wants=network-online.target
	Before=serial-getty@ttyS0.service
	[Service]
	Type=oneshot
	ExecStartPre=-/bin/sh -c 'sed -n "s/^HOSTNAME=//p" /run/systemd/netif/leases/* | head -n 1 | xargs -r hostname'
	ExecStart=/bin/sh -c '{ echo; hv-facts; echo hv-guest: ready; } >/dev/console'
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
		--customize-hook='chroot "$1" systemctl -q enable systemd-networkd systemd-networkd-wait-online systemd-resolved hv-facts serial-getty@ttyS0 qemu-guest-agent 2>/dev/null || true' \
		--customize-hook='chroot "$1" passwd -q -d root' \
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
