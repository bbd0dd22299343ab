/* SPDX-License-Identifier: MIT */
#include "vmm/inspect.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/chain.h"
#include "jail/support.h"
#include "tpm/swtpm.h"
#include "vmm/fork/prepared.h"
#include "vmm/host.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/pins.h"
#include "vmm/rundir.h"
#include "vmm/snapshot/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum disk_format inspect_format(const struct spec_disk *disk)
{
	return disk->format == SPEC_FORMAT_QCOW2 ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW;
}

int inspect_accel(const struct spec_vm *vm, const struct host *host, bool *ret_kvm,
		  struct error *err)
{
	switch (vm->accel) {
	case SPEC_ACCEL_KVM:
		if (!host->kvm_device)
			return error_set(
				err, ENOTSUP,
				"accel: kvm, but /dev/kvm does not open (load kvm_intel or "
				"kvm_amd, or say accel: auto)");
		*ret_kvm = true;
		return 0;
	case SPEC_ACCEL_TCG:
		*ret_kvm = false;
		return 0;
	case SPEC_ACCEL_AUTO:
	case SPEC_ACCEL_COUNT:
		break;
	}
	*ret_kvm = host->kvm;
	return 0;
}

static int check_programs(const struct spec_vm *vm, const struct host *host, struct error *err)
{
	if (!host->root)
		return error_set(err, EPERM,
				 "starting a machine needs root: it makes TAPs and changes users");
	if (!host->qemu)
		return error_set(err, ENOENT, "%s is not installed (apt install qemu-system-x86)",
				 host_qemu_name());
	if (vm->tpm && !host->swtpm)
		return error_set(err, ENOENT,
				 "tpm: true, but swtpm is not installed (apt install swtpm)");
	if (vm->n_nics && !host->tun)
		return error_set(err, ENODEV, "/dev/net/tun is missing (modprobe tun)");
	if (!host->qemu_img && vm->firmware <= SPEC_FIRMWARE_SECURE_BOOT)
		return error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	return 0;
}

/* With `jail: require` a machine does not start with less than the whole. */
static int check_jail(const struct spec_vm *vm, struct error *err)
{
	cleanup_strbuf struct strbuf missing = {0};
	struct jail_support support;

	if (vm->jail != SPEC_JAIL_REQUIRE)
		return 0;
	jail_support_probe(&support);
	for (int i = 0; i < JAIL_SUPPORT_COUNT; i++)
		if (jail_support_is_layer(i) && !support.v[i].there)
			strbuf_addf(&missing, "%s%s (%s)", missing.len ? ", " : "",
				    jail_support_name(i), support.v[i].detail);
	if (!missing.len)
		return 0;
	return error_set(err, ENOTSUP,
			 "jail: require, but this host lacks %s; hv doctor tells what to do, jail: "
			 "auto goes without",
			 missing.data);
}

static int check_memory(const struct spec_vm *vm, const struct host *host, struct error *err)
{
	char want[32], have[32];

	if (!host->memory_bytes || vm->memory_bytes <= host->memory_bytes)
		return 0;
	str_format_size(want, sizeof(want), vm->memory_bytes);
	str_format_size(have, sizeof(have), host->memory_bytes);
	return error_set(err, ENOMEM, "memory: %s is more than this host has (%s)", want, have);
}

/* An image that exists: readable as what it is said to be, free, not larger
 * than configured. */
static int check_image(const struct spec_disk *disk, const struct disk_info *info,
		       struct error *err)
{
	char want[32], have[32];

	if (disk->read_only ? info->written : info->in_use)
		return error_set(err, EBUSY,
				 "disk '%s': the image '%s' is in use by another process",
				 disk->name, disk->path);
	if (disk->size_bytes && disk->size_bytes < info->virtual_bytes) {
		str_format_size(want, sizeof(want), disk->size_bytes);
		str_format_size(have, sizeof(have), info->virtual_bytes);
		return error_set(err, EINVAL,
				 "disk '%s': size: %s is less than the image has (%s); an image is "
				 "never shrunk, so set its size to %" PRIu64,
				 disk->name, want, have, info->virtual_bytes);
	}
	return 0;
}

/* One that is missing, and that no start can make. */
static int check_described(const struct spec_disk *disk, struct error *err)
{
	if (disk->size_bytes || disk->image)
		return 0;
	return error_set(err, ENOENT,
			 "disk '%s': '%s' does not exist (give it a size: to have it created)",
			 disk->name, disk->path);
}

static int check_missing_image(const struct spec_disk *disk, const struct host *host,
			       struct error *err)
{
	cleanup_free char *copy = strdup(disk->path);
	struct stat st;
	char *folder;

	if (!copy)
		return error_oom(err);
	folder = dirname(copy);
	if (check_described(disk, err) < 0)
		return -ENOENT;
	if (disk->format == SPEC_FORMAT_QCOW2 && !host->qemu_img)
		return error_set(err, ENOENT,
				 "disk '%s' has to be created, but qemu-img is not installed (apt "
				 "install qemu-utils)",
				 disk->name);
	if (stat(folder, &st) < 0)
		/* A pool's own folder is made with its first volume. */
		return errno == ENOENT && disk->pool
			       ? 0
			       : error_errno(err, errno, "disk '%s': folder '%s'", disk->name,
					     folder);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "disk '%s': '%s' is not a folder", disk->name,
				 folder);
	if (access(folder, W_OK | X_OK) < 0)
		return error_errno(err, errno, "disk '%s': folder '%s' is not writable", disk->name,
				   folder);
	return 0;
}

static int check_disks(const struct paths *paths, const struct spec_vm *vm, const struct host *host,
		       struct error *err)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		struct disk_info info;
		int rc = disk_chain_examine(disk->path, inspect_format(disk), &info, err);

		if (rc == -ENOENT && !disk->read_only && prepared_brings_disks(paths, vm))
			rc = 0;
		else if (rc == -ENOENT)
			rc = check_missing_image(disk, host, err);
		else if (rc < 0)
			error_wrap(err, rc, "disk '%s'", disk->name);
		else
			rc = check_image(disk, &info, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A plain file that has to be there, told by its key. */
static int check_file(const char *key, const char *path, struct error *err)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, errno, "%s: '%s'", key, path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "%s: '%s'", key, path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, EINVAL, "%s: '%s' is neither a file nor a block device", key,
				 path);
	return 0;
}

static int check_credential(const struct spec_credential *credential, struct error *err)
{
	int rc;

	rc = check_file("file", credential->file, err);
	if (rc == 0)
		rc = check_file("encrypted", credential->encrypted, err);
	return error_wrap_if(err, rc, "credential '%s'", credential->name);
}

int inspect_firmware(const struct spec_vm *vm, const char *machine,
		     struct firmware_found *ret_found, struct error *err)
{
	struct firmware_want want = {
		.secure_boot = vm->firmware == SPEC_FIRMWARE_SECURE_BOOT,
		.arch = host_arch(),
		/* The alias stands for every version of it. */
		.machine = str_eq(machine, "q35") ? "pc-q35-0" : machine,
	};

	if (vm->firmware != SPEC_FIRMWARE_UEFI && vm->firmware != SPEC_FIRMWARE_SECURE_BOOT) {
		*ret_found = (struct firmware_found){0};
		return 0;
	}
	return error_wrap_if(err, firmware_find(NULL, &want, ret_found, err), "firmware: %s",
			     spec_firmware_name(vm->firmware));
}

int inspect_vm(const struct paths *paths, const struct spec_vm *vm, const struct host *host,
	       struct error *err)
{
	bool kvm;
	int rc;

	rc = check_programs(vm, host, err);
	if (rc == 0)
		rc = check_jail(vm, err);
	if (rc == 0)
		rc = inspect_accel(vm, host, &kvm, err);
	if (rc == 0)
		rc = check_memory(vm, host, err);
	if (rc == 0)
		rc = check_disks(paths, vm, host, err);
	for (size_t i = 0; rc == 0 && i < vm->n_cdroms; i++)
		rc = check_file("cdroms", vm->cdroms[i].path, err);
	if (rc == 0)
		rc = check_file("kernel", vm->kernel, err);
	if (rc == 0)
		rc = check_file("initrd", vm->initrd, err);
	for (size_t i = 0; rc == 0 && i < vm->n_credentials; i++)
		rc = check_credential(&vm->credentials[i], err);
	if (rc == 0 && vm->vnc.password.name)
		rc = error_wrap_if(err, check_credential(&vm->vnc.password, err), "vnc");
	if (rc == 0 && vm->vsock == SPEC_VSOCK_CID && !host->vsock)
		rc = error_set(err, ENODEV,
			       "vsock: %u, but /dev/vhost-vsock does not open (modprobe "
			       "vhost_vsock, or say vsock: auto)",
			       vm->vsock_cid);
	return rc;
}

int inspect_network(const struct spec_network *net, const struct host *host, struct error *err)
{
	if (!host->root)
		return error_set(err, EPERM, "setting up a network needs root");
	if (net->dhcp && !host->dnsmasq)
		return error_set(err, ENOENT,
				 "dhcp is configured, but dnsmasq is not installed (apt install "
				 "dnsmasq-base)");
	return 0;
}

/* Found of a machine that ran before. pins has the name of the state, and is the caller's. */
static int find_kept(int dirfd, const struct spec_vm *vm, struct vm_pins *pins,
		     struct plan_found_vm *found, struct error *err)
{
	int rc;

	found->nvram_exists = faccessat(dirfd, NAME_NVRAM, F_OK, 0) == 0;
	found->tpm_exists = tpm_state_exists(dirfd);
	rc = restore_check_saved(dirfd, vm->name, &found->saved, err);
	return rc < 0 ? rc : vm_pins_load(dirfd, pins, err);
}

static int find_disks(const struct spec_vm *vm, bool from_state, struct plan_found_disk *disks,
		      struct error *err)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		struct disk_info info;
		int rc = disk_chain_examine(disk->path, inspect_format(disk), &info, err);

		if (rc == -ENOENT && (!from_state || disk->read_only))
			rc = check_described(disk, err) < 0 ? -EINVAL : -ENOENT;
		else if (rc < 0 && rc != -ENOENT)
			rc = error_wrap(err, rc, "disk '%s'", disk->name);
		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		disks[i].exists = true;
		disks[i].size_bytes = info.virtual_bytes;
	}
	return 0;
}

/* A fork's own has no name that says anything. */
static char *name_state(const char *state)
{
	return *state == '.' ? strdup("the state of its fork") : str_printf("state '%s'", state);
}

int inspect_plan_vm(const struct paths *paths, const struct spec_vm *vm, struct plan *plan,
		    struct error *err)
{
	cleanup_free struct plan_found_disk *disks = calloc(vm->n_disks + 1, sizeof(*disks));
	struct plan_found_vm found = {.disks = disks};
	cleanup_free char *state = NULL;
	cleanup_close int dirfd = -1;
	struct vm_pins pins = {0};
	const char *begins;
	int rc;

	if (!disks)
		return error_oom(err);
	rc = paths_open_state(paths, PATHS_VM, vm->name, 0, &dirfd, err);
	if (rc == 0)
		rc = find_kept(dirfd, vm, &pins, &found, err);
	rc = rc == -ENOENT && dirfd < 0 ? 0 : rc;
	begins = rc == 0 && !found.saved ? prepared_choose(vm, &pins) : NULL;
	state = begins ? name_state(begins) : NULL;
	if (begins)
		rc = state ? prepared_check_there(paths, begins, err) : error_oom(err);
	vm_pins_free(&pins);
	if (rc == 0)
		rc = find_disks(vm, state != NULL, disks, err);
	found.state = state;
	return rc < 0 ? rc : plan_add_vm(plan, vm, &found, err);
}
