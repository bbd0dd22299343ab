/* SPDX-License-Identifier: MIT */
/*
 * What a guest has seen of its machine, as a JSON object: memory that was saved fits only into
 * one of the same shape. It lies in STATE/vm/NAME/shape.json for the machine that runs, or ran
 * last, and goes along with what is saved.
 */
#ifndef HV_VMM_SHAPE_H
#define HV_VMM_SHAPE_H

#include "lab/spec.h"
#include "vmm/hardware.h"

#include <jansson.h>

struct error;

struct shape_facts {
	const struct spec_vm *vm;
	const struct hardware *hw;
	bool kvm, smm, vsock;
};

/* NULL when out of memory. Pure. */
json_t *shape_describe(const struct shape_facts *facts);

/* Whether they are the same; -EINVAL with the first thing that is not: "its memory was 512M, and
 * is 1G". Pure. */
int shape_compare(json_t *was, json_t *is, struct error *err);

int shape_save(int state_dirfd, json_t *shape, struct error *err);
/* -ENOENT where none was saved. The caller's reference. */
int shape_load(int state_dirfd, json_t **ret_shape, struct error *err);

#endif
