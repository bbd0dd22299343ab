/* SPDX-License-Identifier: MIT */
/* Making a state: prepare.c (from the beginning to the end), prepare_copy.c (the QEMU that
 * receives it), prepare_layers.c (what the source's disks get), prepare_line.c (talking to both).
 */
#ifndef HV_VMM_PREPARE_PRIVATE_H
#define HV_VMM_PREPARE_PRIVATE_H

#include "base/error.h"
#include "base/guard.h"
#include "qmp/client.h"
#include "vmm/last_words.h"
#include "vmm/layers.h"
#include "vmm/prepare.h"
#include "vmm/resources.h"

#include <systemd/sd-event.h>

/* A QMP connection whose calls wait for their answers, and what its events told meanwhile. */
struct line {
	sd_event *event; /* borrowed */
	struct qmp_client *client;
	const char *who; /* for errors; static */
	struct error closed; /* code 0: it is open */
	char migration[32]; /* the last status of MIGRATION, "" before the first */
	bool stands; /* between STOP and RESUME */
	uint64_t stop_usec; /* since when, as QEMU's clock has it */
	uint64_t stood_usec; /* for how long it stood so far, all in all */
};

/* To a machine's supervisor. -ENOTCONN: it is not up. */
int line_open_vm(struct line *l, sd_event *event, const struct paths *paths, const char *vm,
		 struct error *err);
/* Takes over fd. */
int line_open(struct line *l, sd_event *event, const char *who, int fd, struct error *err);
void line_close(struct line *l);
/* args is stolen. *ret_result (may be NULL) is the caller's. */
int line_call(struct line *l, const char *command, json_t *args, json_t **ret_result,
	      struct error *err);
/* The same with a descriptor, which stays the caller's. */
int line_call_fd(struct line *l, const char *command, json_t *args, int fd, struct error *err);
/* The next event, for at most usec (UINT64_MAX: for ever). */
int line_turn(struct line *l, uint64_t usec, struct error *err);
/* Until the migration has that status, or is over; -EIO where it failed. tick (may be NULL) is
 * called four times a second, and -ECANCELED comes where the user interrupts meanwhile. */
int line_await_migration(struct line *l, const char *status, void (*tick)(void *arg), void *arg,
			 struct error *err);
/* Returns when it is over: nothing can be set before that, and the guest may stand until then. */
int line_cancel_migration(struct line *l, struct error *err);
/* Lets the guest go on; returns when it runs. */
int line_run_on(struct line *l, struct error *err);
/* Capabilities of migration, switched on or off. */
int line_set_capabilities(struct line *l, const char *const names[], bool on, struct error *err);

/* The QEMU that receives the state: a machine of the same shape without a life. */
struct copy {
	struct spec_vm vm; /* the source's, under another name */
	char name[80];
	char qemu_version[64];
	struct resources res;
	struct line line;
	struct last_words words;
};

/* dirfd: the state's folder, where it gets its memory and its other files. */
int copy_start(struct copy *c, const struct prepare_options *o, sd_event *event, int dirfd,
	       struct error *err);
void copy_end(struct copy *c);
/* Writes all but the memory to fd. */
int copy_write_device(struct copy *c, int fd, struct error *err);
/* Adds what QEMU said last where it is gone. */
int copy_explain(struct copy *c, int rc, struct error *err);

/* New layers for the disks that the source writes to. */
struct prepare_layers {
	const struct prepare_options *o;
	struct layers_request request;
	struct layers_saving *saving; /* NULL: not begun, or it has ended */
	char tag[LAYERS_TAG_SIZE]; /* "": no disk can be written to, and there is nothing to do */
	json_t *paths; /* for each disk what its forks begin on, or null */
	sigset_t before; /* signals, until it has ended */
	struct guard guard; /* of what is half made */
};

/* Makes them and has QEMU know them. From here to prepare_layers_end() signals wait. */
int prepare_layers_begin(struct prepare_layers *l, const struct prepare_options *o,
			 struct error *err);
/* While the guest stands: from here on it writes to them. */
int prepare_layers_change(struct prepare_layers *l, struct line *source, struct error *err);
/* outcome: of that change. The disks' names follow what QEMU has. */
int prepare_layers_end(struct prepare_layers *l, int outcome, struct error *err);
/* In the end, for good. rc: of all the work, and is returned; where it failed they are folded in
 * again. Accepts a zeroed one. */
int prepare_layers_free(struct prepare_layers *l, int rc, struct error *err);

#endif
