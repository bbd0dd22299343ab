/* SPDX-License-Identifier: MIT */
/* Suspending a machine to disk: its state goes into a file and its QEMU ends. */
#ifndef HV_VMM_SUSPEND_H
#define HV_VMM_SUSPEND_H

#include "vmm/snapshot/snapshot.h"

/*
 * tag, note and so on of the request are not used. When it returns, QEMU was told to end; the
 * caller waits for the machine's end. On failure, an interrupt (-EINTR) among them, nothing is
 * left and the machine goes on as before.
 */
int suspend_save(const struct snapshot_request *rq, uint64_t *ret_bytes, struct error *err);

/* Forgets what was saved of a machine that is not up; its guest starts as after a loss of power.
 * False where nothing was saved. */
bool suspend_discard(const struct paths *paths, const char *vm);

#endif
