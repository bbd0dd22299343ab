/* SPDX-License-Identifier: MIT */
/*
 * NVRAM: a VM's own EFI variables, a qcow2 made from the firmware's template.
 * qemu-img makes it once per template; further VMs get a copy of the result,
 * which is kept in a cache folder under the template's size, time and inode.
 */
#ifndef HV_FIRMWARE_NVRAM_H
#define HV_FIRMWARE_NVRAM_H

#include <stdbool.h>

struct error;

/* Makes dirfd/name, mode 0600, complete or not at all; -EEXIST where it is
 * there already. cache is an absolute folder that exists. */
int firmware_nvram_create(const char *template_path, bool template_qcow2, const char *cache,
			  int dirfd, const char *name, struct error *err);

/*
 * Makes to a copy of another VM's NVRAM, mode 0600, without what would tell one
 * machine from the other (firmware/variables.h) and without snapshots; both are
 * absolute paths. What from's header says was examined before.
 */
int firmware_nvram_copy(const char *from, const char *to, struct error *err);

#endif
