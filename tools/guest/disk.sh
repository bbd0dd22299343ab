# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Part of make-guest: disks made without mounting anything. A sparse raw file gets a GPT by sfdisk,
# an EFI system partition by mtools and an ext4 file system by mke2fs, each in place at its offset,
# and becomes a qcow2 at the end.

mib=$((1024 * 1024))

# Features that every grub and every kernel in use knows, whatever mke2fs's own defaults.
write_mke2fs_conf()
{
	cat >"$tmp/mke2fs.conf" <<-END
	[defaults]
	base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
	blocksize = 4096
	inode_size = 256
	inode_ratio = 16384
	[fs_types]
	default = {
	}
	ext4 = {
		features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
		inode_size = 256
	}
	END
}

# disk_create RAW ESP_MIB ROOT_MIB LABEL [FOLDER]: partitions, and both file systems.
disk_create()
{
	local raw=$1 esp=$2 size=$3 label=$4 folder=${5:-}
	local start=$((1 + esp))
	truncate -s $(((start + size + 1) * mib)) "$raw"
	sfdisk -q "$raw" <<-END
	label: gpt
	start=1MiB, size=${esp}MiB, type=uefi, name=esp
	start=${start}MiB, size=${size}MiB, type=linux, name=$label
	END
	mformat -i "$raw@@$mib" -T $((esp * mib / 512)) -h 255 -s 63 -H 2048 -F -v HV-ESP ::
	write_mke2fs_conf
	MKE2FS_CONFIG=$tmp/mke2fs.conf mke2fs -q -F -t ext4 -T default -L "$label" ${folder:+-d "$folder"} \
		-E offset=$((start * mib)),lazy_itable_init=1,lazy_journal_init=1 \
		"$raw" "${size}M"
}

# disk_put RAW FILE PATH: into the EFI system partition; folders must be there.
disk_put()
{
	mcopy -i "$1@@$mib" "$2" "::$3"
}

# disk_put_loader RAW FOLDER: shim and signed grub, or an unsigned grub alone, as what firmware
# starts from any disk; both grubs read /EFI/debian/grub.cfg on the partition they came from.
disk_put_loader()
{
	local stage=$2
	mmd -i "$1@@$mib" ::/EFI ::/EFI/BOOT ::/EFI/debian
	case $loader in
	signed)
		disk_put "$1" "$stage/usr/lib/shim/shimx64.efi.signed" /EFI/BOOT/BOOTX64.EFI
		disk_put "$1" "$stage/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" \
			/EFI/BOOT/grubx64.efi
		;;
	unsigned)
		disk_put "$1" "$stage/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi" \
			/EFI/BOOT/BOOTX64.EFI
		;;
	esac
}

disk_finish()
{
	qemu-img convert -q -f raw -O qcow2 "$1" "$2"
	rm -f "$1"
}

# The busybox guest on a disk: build_disk RETURNED-FILE FOLDER-WITH-KERNEL
build_disk()
{
	local raw=$tmp/disk.raw stage=$tmp/loader
	unpack_packages "$stage"
	say "building the disk"
	disk_create "$raw" 96 256 hv-data
	disk_put_loader "$raw" "$stage"
	disk_put "$raw" "$2/vmlinuz" /vmlinuz
	disk_put "$raw" "$2/initrd.img" /initrd.img
	cat >"$tmp/grub.cfg" <<-END
	linux /vmlinuz console=ttyS0 quiet hv.data=hv-data
	initrd /initrd.img
	boot
	END
	disk_put "$raw" "$tmp/grub.cfg" /EFI/debian/grub.cfg
	disk_finish "$raw" "$1"
	rm -rf "$stage"
}
