/* SPDX-License-Identifier: MIT */
/* The files and listening sockets of a machine, as part of struct resources. */
#ifndef HV_VMM_RESOURCES_FILES_H
#define HV_VMM_RESOURCES_FILES_H

struct error;
struct resources;

/* Sets every descriptor to -1. */
void resources_files_init(struct resources *r);

/* Opens images, CDs, firmware, NVRAM, kernel, the console log, the vsock, reads credentials, and
 * listens for monitor, serial console and agent in the run folder. On failure some may be open:
 * resources_files_close(). */
int resources_files_open(struct resources *r, struct error *err);

/* The channel between QEMU and swtpm, where there is one: what QEMU says waits there for swtpm. */
int resources_files_connect_tpm(struct resources *r, struct error *err);

/* Where there is a file that the guest goes on from: the socket by which QEMU takes it in. */
int resources_files_feed(struct resources *r, struct error *err);

/* Closes what is open; the arrays stay. */
void resources_files_close(struct resources *r);
void resources_files_free(struct resources *r);

#endif
