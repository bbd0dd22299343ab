/* SPDX-License-Identifier: MIT */
/* What hv cp has in common for files (cp.c) and folders (cp_folder.c). */
#ifndef HV_CLI_CP_PRIVATE_H
#define HV_CLI_CP_PRIVATE_H

#include "base/sha256.h"
#include "cli/agent.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Who compares a file in the guest and moves it into its place. */
enum cp_means {
	CP_SHELL,
	CP_POWERSHELL, /* Windows: cp_windows.h */
	CP_NOBODY, /* its agent runs no programs: the file is written where it belongs */
};

struct copy {
	struct cli *cli;
	struct cli_agent agent;
	const char *guest_path, *path; /* there and here */
	bool is_stream; /* here it is standard input or output */
	enum cp_means means;
	bool checks;
	struct sha256 sum;
	uint64_t n_done, n_all; /* bytes; n_all 0: not known */
	uint64_t shown_usec;
	bool terminal;
	/* The first signal ends the copy, and removes what there is of it; the second one, us. */
	const volatile sig_atomic_t *interrupted;
};

/* For a temporary name beside the target's. */
enum { CP_SUFFIX_BYTES = 32 };
void cp_make_suffix(char suffix[static CP_SUFFIX_BYTES]);

/* The last part of a path, without slashes behind it; the caller frees it. NULL: out of memory. */
char *cp_name_of(const char *path);

int cp_check_interrupt(const struct copy *c, struct error *err);
/* Takes part of the file into its checksum, and shows how far it is. */
void cp_count(struct copy *c, const void *data, size_t len);
/* Names the file in an error of the agent, which tells of none; returns rc. */
int cp_name_file(const struct copy *c, const char *file, int rc, struct error *err);

/* Runs a script of the guest's shell with words as its arguments, NULL at the end; what it says
 * on standard error is the failure. *ret_out may be NULL, else the caller frees it. */
int cp_run_script(struct copy *c, const char *script, const char *const *words, char **ret_out,
		  struct error *err);
/* The same in two halves; the second one whatever runs it. */
int cp_begin_script(struct copy *c, const char *script, const char *const *words,
		    json_int_t *ret_pid, struct error *err);
int cp_finish_script(struct copy *c, json_int_t pid, char **ret_out, struct error *err);

/* From fd into an open file of the guest, up to most bytes or the end; how many goes to *ret_n. */
int cp_send(struct copy *c, int fd, json_int_t handle, uint64_t most, uint64_t *ret_n,
	    struct error *err);
/* From an open file of the guest to fd, up to its end. */
int cp_receive(struct copy *c, json_int_t handle, int fd, struct error *err);

int cp_from_guest(struct copy *c, struct error *err);
int cp_folder_to_guest(struct copy *c, struct error *err);
int cp_folder_from_guest(struct copy *c, struct error *err);

#endif
