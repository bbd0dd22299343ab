/* SPDX-License-Identifier: MIT */
/*
 * What a guest reads in the tables of its machine: credentials and OEM strings, each as
 * the text that QEMU reads from a file at its start. A credential becomes an OEM string
 * of SMBIOS as systemd reads them, which is there from the first instruction on; one
 * that is too large for that becomes a file of fw_cfg.
 *
 * Bounds: 4 KiB for an OEM string and 32 KiB for all (the whole table of SMBIOS has
 * 64 KiB), 8 files of fw_cfg (QEMU has 32 places, most of them in use), 1 MiB for all
 * values, as systemd has it.
 */
#ifndef HV_VMM_TABLES_H
#define HV_VMM_TABLES_H

#include "lab/spec.h"
#include "vmm/qemu_args.h"

struct error;

enum { TABLES_MAX = 64 };

/* Zeroed: none. */
struct tables {
	struct qemu_table v[TABLES_MAX];
	int fds[TABLES_MAX]; /* memory that holds the text; read it from its beginning */
	size_t n;
};

/* Reads every value now. Runs systemd-creds for those that are encrypted. Values
 * stand in nothing but the descriptors' memory afterwards. On failure there are none. */
int tables_read(const struct spec_vm *vm, struct tables *ret_tables, struct error *err);

/* One value that is not for the guest, as text: -EFBIG where it has size bytes or more, -EINVAL
 * where it is empty or holds a NUL. A line end behind it is not of it. The caller wipes it. */
int tables_read_word(const struct spec_vm *vm, const struct spec_credential *credential, char *buf,
		     size_t size, struct error *err);

/* Closes the descriptors. Accepts a zeroed one, and zeroes it. */
void tables_free(struct tables *t);

#endif
