/* SPDX-License-Identifier: MIT */
/* Making a state: prepare.c (from the beginning to the end), prepare_copy.c (the QEMU that
 * receives it), prepare_layers.c (what the source's disks get). */
#ifndef HV_VMM_PREPARE_PRIVATE_H
#define HV_VMM_PREPARE_PRIVATE_H

#include "base/error.h"
#include "base/guard.h"
#include "vmm/fork/line.h"
#include "vmm/fork/prepare.h"
#include "vmm/layers/layers.h"
#include "vmm/resources.h"
#include "vmm/supervisor/last_words.h"

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
	bool paused; /* its guest stands, and is to */
	struct guard guard; /* of what is half made */
};

/* Makes them and has QEMU know them. From here to prepare_layers_end() signals wait. */
int prepare_layers_begin(struct prepare_layers *l, const struct prepare_options *o, bool paused,
			 struct error *err);
/* What is on its way to the source's disks is written out now, so that little of it is left for the
 * flush that its guest stands for. */
void prepare_layers_sync(const struct prepare_layers *l);
/* What QEMU is asked while the guest stands, so that it writes to them: the arguments of a
 * transaction, without any where there is nothing to do. The caller's reference. */
json_t *prepare_layers_change(const struct prepare_layers *l);
/* outcome: of that change. The disks' names follow what QEMU has. */
int prepare_layers_end(struct prepare_layers *l, int outcome, struct error *err);
/* In the end, for good. rc: of all the work, and is returned; where it failed they are folded in
 * again. Accepts a zeroed one. */
int prepare_layers_free(struct prepare_layers *l, int rc, struct error *err);

#endif
