/* SPDX-License-Identifier: MIT */
/*
 * From text to a lab. Reading is pushed bytes: config_add() takes one
 * document's text, so tests and the fuzzer need no file; lab_load() (in
 * lab/load.c) is the only function of lab/ that opens files.
 *
 * Every fault of every document is collected, sorted by file and position, and
 * told at once. Bounds: 4 MiB a file, 4096 files, 20 levels, 100,000 nodes a
 * file with aliases expanded (so a cycle ends there), 1000 anchors a file, 4095
 * bytes a text, 1000 faults.
 */
#ifndef HV_LAB_CONFIG_H
#define HV_LAB_CONFIG_H

#include "lab/spec.h"

struct error;

struct lab_fault {
	char *file;
	unsigned line, column; /* from 1 */
	char *text; /* what is wrong, and what would be right; printable */
};

struct lab_faults {
	struct lab_fault *v;
	size_t n;
	bool failed; /* private to lab/: memory ran out, some are missing */
};

void lab_faults_free(struct lab_faults *faults);

struct lab_config; /* documents read so far */

struct lab_config *lab_config_new(void);
void lab_config_free(struct lab_config *c);

/* Adds one document; file is what faults call it. Syntax faults are kept for
 * lab_config_resolve(). Returns 0 or -ENOMEM. */
int lab_config_add(struct lab_config *c, const char *file, const char *text, size_t len,
		   struct error *err);

/* Decodes, merges, checks and fills in; to be called once. 0 with a lab, or -EINVAL with at least
 * one fault in *ret_faults (err then holds a summary, "3 faults in the
 * configuration"). */
int lab_config_resolve(struct lab_config *c, struct lab **ret_lab, struct lab_faults *ret_faults,
		       struct error *err);

/* Reads path, a YAML file or a folder whose *.yaml (in order of their names)
 * are merged, and resolves it. Faults as above; a file that cannot be read is
 * a plain error (-ENOENT …) with no fault. */
int lab_load(const char *path, struct lab **ret_lab, struct lab_faults *ret_faults,
	     struct error *err);

/* A document that is no file (yet). */
struct lab_extra {
	const char *file; /* what faults call it */
	const char *text;
};

/*
 * The same, merged with the machines that hvup made itself, the *.yaml of the
 * folder made, which may be missing or empty, and with one more document (NULL:
 * none).
 */
int lab_load_all(const char *path, const char *made, const struct lab_extra *extra,
		 struct lab **ret_lab, struct lab_faults *ret_faults, struct error *err);

#endif
