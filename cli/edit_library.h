/* SPDX-License-Identifier: MIT */
/*
 * libedit, loaded when a shell begins and not linked: with its own libraries it would
 * cost every other verb a third of a millisecond.
 */
#ifndef HV_CLI_EDIT_LIBRARY_H
#define HV_CLI_EDIT_LIBRARY_H

#include <histedit.h>

struct error;

/* Its functions by their own names without the prefix. */
struct edit_library {
	EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
	void (*end)(EditLine *);
	void (*reset)(EditLine *);
	const char *(*gets)(EditLine *, int *);
	int (*set)(EditLine *, int, ...);
	int (*get)(EditLine *, int, ...);
	const LineInfo *(*line)(EditLine *);
	int (*insertstr)(EditLine *, const char *);
	History *(*history_init)(void);
	void (*history_end)(History *);
	int (*history)(History *, HistEvent *, int, ...);
};

/* Once for the program; -ENOENT where it is not installed. */
int edit_library_load(const struct edit_library **ret_library, struct error *err);

#endif
