/* SPDX-License-Identifier: MIT */
#include "vmm/units/unit_files.h"

/* "KEY="PREFIX/path" REST"; within quotes systemd takes a backslash in front of
 * what it stands for, and %% for %. */
static void add_path(struct strbuf *into, const char *key, const char *prefix, const char *path,
		     const char *rest)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			strbuf_addf(into, "# %s left out: a path with control bytes\n", key);
			return;
		}
	strbuf_addf(into, "%s=\"%s", key, prefix);
	for (const char *p = path; *p; p++)
		strbuf_addf(into, "%s%c",
			    *p == '"' || *p == '\\' ? "\\"
			    : *p == '%'             ? "%"
						    : "",
			    *p);
	strbuf_addf(into, "\"%s\n", rest);
}

static void add_networks(const struct spec_vm *vm, struct strbuf *into)
{
	for (size_t i = 0; i < vm->n_nics; i++) {
		const char *name = vm->nics[i].network->name;
		size_t first = 0;

		while (vm->nics[first].network != vm->nics[i].network)
			first++;
		if (first == i)
			strbuf_addf(into, "Requires=hv-net@%s.service\nAfter=hv-net@%s.service\n",
				    name, name);
	}
}

static void add_mounts(const struct spec_vm *vm, struct strbuf *into)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		add_path(into, "RequiresMountsFor", "", vm->disks[i].path, "");
	for (size_t i = 0; i < vm->n_cdroms; i++)
		add_path(into, "RequiresMountsFor", "", vm->cdroms[i].path, "");
	if (vm->kernel)
		add_path(into, "RequiresMountsFor", "", vm->kernel, "");
	if (vm->initrd)
		add_path(into, "RequiresMountsFor", "", vm->initrd, "");
}

static void add_disks(const struct spec_vm *vm, struct strbuf *into)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];

		if (str_after(disk->path, "/dev/"))
			add_path(into, "DeviceAllow", "", disk->path,
				 disk->read_only ? " r" : " rw");
		else if (!disk->read_only)
			/* A volume that is missing is made in its pool. */
			add_path(into, "ReadWritePaths", "-",
				 disk->pool ? disk->pool->path : disk->path, "");
	}
	for (size_t i = 0; i < vm->n_cdroms; i++)
		if (str_after(vm->cdroms[i].path, "/dev/"))
			add_path(into, "DeviceAllow", "", vm->cdroms[i].path, " r");
}

void unit_files_vm(const struct spec_vm *vm, struct strbuf *into)
{
	strbuf_addf(into, "# Made by hv-generator out of hv's configuration.\n[Unit]\n");
	add_networks(vm, into);
	for (size_t i = 0; i < vm->n_after; i++)
		strbuf_addf(into, "After=hv@%s.service\n", vm->after[i].name);
	add_mounts(vm, into);
	strbuf_addf(into, "\n[Service]\nTimeoutStopSec=%u\n",
		    vm->stop_timeout_s + UNIT_STOP_MARGIN_S);
	add_disks(vm, into);
}
