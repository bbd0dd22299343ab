/* SPDX-License-Identifier: MIT */
/*
 * QEMU's jobs on images, for verbs: a connection to a machine's control socket, or to a QEMU that
 * has the images of a machine that is stopped (vmm/layers/storage.h). Commands are called one after
 * another; a wait for jobs follows their events, shows how far they are, and ends where the
 * user interrupts (base/interrupt.h, which the caller holds).
 *
 * A verb's jobs, nodes and descriptor sets all have names that begin with the same prefix, so
 * that what a verb left that was killed is found by that alone.
 */
#ifndef HV_VMM_JOBS_H
#define HV_VMM_JOBS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct jobs;

/* How far all of them are together. */
typedef void (*jobs_show_fn)(uint64_t done_bytes, uint64_t total_bytes, void *arg);

/* Takes over fd. */
int jobs_open(int fd, struct jobs **ret_jobs, struct error *err);
void jobs_close(struct jobs *j); /* accepts NULL */

/* args is stolen, also on failure; *ret_result (may be NULL) is the caller's. At most a minute. */
int jobs_call(struct jobs *j, const char *command, json_t *args, json_t **ret_result,
	      struct error *err);

enum { JOBS_PATH_SIZE = 48 };

/* Hands QEMU a descriptor, which stays the caller's, in a set of its own that is marked with
 * prefix; ret_path is what it is called there. */
int jobs_add_fd(struct jobs *j, int fd, const char *prefix, char ret_path[static JOBS_PATH_SIZE],
		struct error *err);
/* The same into a set that is there: /dev/fdset/N. */
int jobs_add_fd_to(struct jobs *j, int fd, const char *prefix, const char *path, struct error *err);

enum jobs_until {
	JOBS_CONCLUDED,
	JOBS_READY, /* or concluded: a job that may fail in the meantime */
	JOBS_ENDED, /* as concluded, and no interrupt cuts it off: it is a matter of moments */
};

/*
 * Waits until n jobs whose ids begin with prefix are that far. The failure of one is returned when
 * it is seen; the others go on, and are the caller's to cancel. -ECANCELED: the user interrupts.
 * show may be NULL.
 */
int jobs_wait(struct jobs *j, const char *prefix, size_t n, enum jobs_until until,
	      jobs_show_fn show, void *arg, struct error *err);

/* Lets those that are ready do their last step. */
int jobs_complete(struct jobs *j, const char *prefix, struct error *err);

/* Dismisses those that have concluded. */
int jobs_dismiss(struct jobs *j, const char *prefix, struct error *err);

/* Cancels all of them, waits until they have ended, and dismisses them. What cannot be
 * is left. */
void jobs_cancel(struct jobs *j, const char *prefix);

/* Removes all nodes, and then all descriptor sets, of that prefix which nobody uses. */
void jobs_remove_nodes(struct jobs *j, const char *prefix);

#endif
