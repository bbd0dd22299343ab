/* SPDX-License-Identifier: MIT */
/* Starting the two processes of a machine, each in its jail. */
#ifndef HV_VMM_QEMU_START_H
#define HV_VMM_QEMU_START_H

#include <sys/types.h>

struct error;
struct jail_binds;
struct resources;

/* The uid (and gid) of its swtpm; QEMU has one of its own. */
int swtpm_uid(const struct resources *r, uid_t *ret_uid, struct error *err);

/* What each QEMU in a jail has to have of the host: its program with the libraries and, of its
 * folders of data, those named (as in jail/program.h). */
int qemu_bind_program(struct jail_binds *binds, const char *qemu, const char *const *data,
		      struct error *err);

/* Starts swtpm on r->swtpm_fd, and closes it here. */
int swtpm_start(struct resources *r, struct error *err);

/* Starts QEMU with every descriptor that r holds, and closes them here. */
int qemu_start(struct resources *r, struct error *err);

#endif
