/* SPDX-License-Identifier: MIT */
/* What hv cp has in common for files (cp.c) and folders (cp_folder.c). */
#ifndef HV_CLI_CP_PRIVATE_H
#define HV_CLI_CP_PRIVATE_H

#include "base/sha256.h"
#include "cli/agent.h"

#include <stdbool.h>
#include <stdint.h>

struct copy {
	struct cli *cli;
	struct cli_agent agent;
	const char *guest_path, *path; /* there and here */
	bool has_shell, checks;
	struct sha256 sum;
	uint64_t n_done, n_all; /* bytes; n_all 0: not known */
	uint64_t shown_usec;
	bool terminal;
};

/* For a temporary name beside the target's. */
enum { CP_SUFFIX_BYTES = 32 };
void cp_make_suffix(char suffix[static CP_SUFFIX_BYTES]);

/* The last part of a path, without slashes behind it; the caller frees it. NULL: out of memory. */
char *cp_name_of(const char *path);

/* Runs a script of the guest's shell with words as its arguments, NULL at the end; what it says
 * on standard error is the failure. *ret_out may be NULL, else the caller frees it. */
int cp_run_script(struct copy *c, const char *script, const char *const *words, char **ret_out,
		  struct error *err);

/* From fd into an open file of the guest, up to most bytes or the end; how many goes to *ret_n. */
int cp_send(struct copy *c, int fd, json_int_t handle, uint64_t most, uint64_t *ret_n,
	    struct error *err);
/* From an open file of the guest to fd, up to its end. */
int cp_receive(struct copy *c, json_int_t handle, int fd, struct error *err);

/* Whether somebody wants it to end: a signal came. */
bool cp_is_interrupted(struct error *err);

int cp_folder_to_guest(struct copy *c, struct error *err);
int cp_folder_from_guest(struct copy *c, struct error *err);

#endif
