/* SPDX-License-Identifier: MIT */
/*
 * TPM 2.0 by swtpm: argument vector and state. swtpm gets one end of a
 * socketpair as its control channel and starts in its state folder, so no path
 * is on its command line and nothing has to be waited for: bytes queue.
 *
 * State: the folder `tpm` in the VM's state folder, 0700, owned by swtpm's user. Once a guest has
 * run with it, the VM's state.json says so; a state that is gone then is an error, never a fresh
 * TPM.
 */
#ifndef HV_TPM_SWTPM_H
#define HV_TPM_SWTPM_H

#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* Pure. ctrl_fd is the number that the descriptor has in swtpm. */
void tpm_swtpm_args(const char *program, int ctrl_fd, struct strv *ret_argv);

/* Makes and opens the state folder below vm_state_dirfd, and gives it with the files in
 * it to the user, where it was another's ((uid_t)-1: leaves it). -ENOENT with a way out
 * where used_before is true and no permanent state is in it. */
int tpm_state_open(int vm_state_dirfd, bool used_before, uid_t uid, gid_t gid, int *ret_dirfd,
		   struct error *err);

/* Whether permanent state (tpm2-00.permall) is there. */
bool tpm_state_exists(int vm_state_dirfd);

/* fsyncs the state, which swtpm 0.7 never does; after it has ended. */
int tpm_state_sync(int vm_state_dirfd, struct error *err);

#endif
