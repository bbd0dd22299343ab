/* SPDX-License-Identifier: MIT */
/*
 * Templates: machines that are only there to be cloned. Their images can no longer be
 * written to, and they do not start. STATE/vm/NAME/template.json says so and holds
 * what the images' modes were.
 */
#ifndef HV_VMM_TEMPLATE_H
#define HV_VMM_TEMPLATE_H

#include "base/paths.h"
#include "lab/spec.h"

#include <stdbool.h>

struct error;

bool template_is(const struct paths *paths, const char *vm);
/* -EPERM where it is one, with what it is for; the error does not name it first. */
int template_check(const struct paths *paths, const char *vm, struct error *err);

/* Makes a template of a machine that is down (-EBUSY where it is up); of one that is
 * one already it changes nothing. The error names the machine, as that of the way back does. */
int template_make(const struct paths *paths, const struct spec_vm *vm, struct error *err);

/* The way back. -EBUSY where clones lie on its images: they are named. */
int template_undo(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		  struct error *err);

/*
 * Before a start, and whatever else writes to the disks of a machine that is down: refuses
 * it for a template, and for a machine on whose writable disks others lie, who would
 * see what is written. lab is for the names of those; without (NULL) they are named by their
 * images.
 */
int template_check_writable(const struct paths *paths, const struct lab *lab,
			    const struct spec_vm *vm, struct error *err);

/* Its images' lock, for whoever makes clones of it or unmakes it; waits its turn. */
int template_lock(const struct paths *paths, const char *vm, int *ret_lockfd, struct error *err);

#endif
