/* SPDX-License-Identifier: MIT */
/*
 * Supervisors in the background: `hv run NAME` and `hv net run NAME` started by
 * another verb, in a session of their own, with standard error in
 * supervisor.log of the state folder, and a pipe on which they tell that they
 * are ready (vmm/ready.h). Where systemd owns them (vmm/units/units.h), what is started is
 * a process that starts the unit and tells the same.
 */
#ifndef HV_VMM_BACKGROUND_H
#define HV_VMM_BACKGROUND_H

#include "base/child.h"
#include "base/paths.h"
#include "base/str.h"

#include <stdbool.h>

struct error;

enum { BACKGROUND_READY_FD = 3 };

struct background {
	enum paths_kind kind;
	const char *name; /* borrowed */
	struct child child;
	int ready_fd; /* read end, non-blocking; -1: told */
	struct strbuf told;
	bool done; /* ready, or failed with rc and err */
	int rc;
};

struct background_request {
	const struct paths *paths;
	enum paths_kind kind;
	const char *name;
	const char *option; /* of its program's, as "--keep", or NULL; a unit has none */
	/*
	 * The program itself, as a function of this one: the new process calls it with the words
	 * and the environment that it would be executed with, and exits with what it returns. It
	 * gets a copy of this process's memory and nothing else of it.
	 */
	int (*program)(void *arg, int argc, char **argv);
	void *program_arg;
};

int background_start(const struct background_request *request, struct background *ret_background,
		     struct error *err);

/* Reads what was told. True when it is done: b->rc, and err where that is
 * negative. -EALREADY: another supervisor serves it. */
bool background_read(struct background *b, struct error *err);

/* Lets go of it; the supervisor lives on. */
void background_free(struct background *b);

#endif
