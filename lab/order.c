/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * VMs are settled round by round: one whose predecessors are all settled is, and
 * its rank is one more than the highest of theirs. When a round settles nobody,
 * every VM that is left comes after one that is left: going from predecessor to
 * predecessor leads into a circle. It is told, its VMs count as settled, and the
 * rounds go on, so that each circle is told once. No recursion: a chain may be as
 * long as the configuration.
 */
#include "lab/order.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>

enum { CIRCLE_NAMES_MAX = 8 };

static void find_names(struct lab *lab, struct spec_vm *vm, struct lab_faults *faults)
{
	struct strbuf known = {0};

	for (size_t i = 0; i < vm->n_after; i++) {
		struct spec_after *after = &vm->after[i];

		/* One that is no text was told. */
		if (!after->name)
			continue;
		after->vm = lab_find_vm(lab, after->name);
		if (after->vm)
			continue;
		for (size_t j = 0; !known.len && j < lab->n_vms; j++)
			strbuf_addf(&known, "%s%s", j ? ", " : "", lab->vms[j].name);
		lab_fault_add(faults, &after->where,
			      "vm '%s': after: there is no vm '%s'; there %s: %s", vm->name,
			      after->name, lab->n_vms == 1 ? "is" : "are",
			      known.data ? known.data : "none");
	}
	strbuf_free(&known);
}

/* The first predecessor that is not settled, or NULL. */
static const struct spec_after *open_predecessor(const struct lab *lab, const struct spec_vm *vm,
						 const bool *settled)
{
	for (size_t i = 0; i < vm->n_after; i++)
		if (vm->after[i].vm && !settled[vm->after[i].vm - lab->vms])
			return &vm->after[i];
	return NULL;
}

static bool settle_round(struct lab *lab, bool *settled)
{
	bool any = false;

	for (size_t i = 0; i < lab->n_vms; i++) {
		struct spec_vm *vm = &lab->vms[i];

		if (settled[i] || open_predecessor(lab, vm, settled))
			continue;
		for (size_t j = 0; j < vm->n_after; j++)
			if (vm->after[j].vm && vm->after[j].vm->rank >= vm->rank)
				vm->rank = vm->after[j].vm->rank + 1;
		settled[i] = any = true;
	}
	return any;
}

/* A VM that is on a circle: after as many steps as there are VMs one is. */
static const struct spec_vm *find_on_circle(const struct lab *lab, const bool *settled)
{
	const struct spec_vm *at = NULL;

	for (size_t i = 0; !at && i < lab->n_vms; i++)
		if (!settled[i])
			at = &lab->vms[i];
	for (size_t i = 0; at && i < lab->n_vms; i++)
		at = open_predecessor(lab, at, settled)->vm;
	return at;
}

static void tell_circle(struct lab *lab, const struct spec_vm *start, bool *settled,
			struct lab_faults *faults)
{
	const struct spec_vm *first = start, *at = start;
	const struct spec_after *closes;
	struct strbuf way = {0};
	size_t n = 0;

	/* From the one that stands first in the configuration. */
	do {
		at = open_predecessor(lab, at, settled)->vm;
		first = at < first ? at : first;
	} while (at != start);
	closes = open_predecessor(lab, first, settled);
	strbuf_addf(&way, "'%s'", first->name);
	at = first;
	do {
		const struct spec_vm *next = open_predecessor(lab, at, settled)->vm;

		if (++n < CIRCLE_NAMES_MAX || next == first)
			strbuf_addf(&way, " after '%s'", next->name);
		else if (n == CIRCLE_NAMES_MAX)
			strbuf_addf(&way, " …");
		at = next;
	} while (at != first);
	lab_fault_add(faults, &closes->where, "vm '%s': after: goes round in a circle: %s",
		      first->name, way.data ? way.data : first->name);
	strbuf_free(&way);
	for (; n; n--) {
		const struct spec_vm *next = n > 1 ? open_predecessor(lab, at, settled)->vm : NULL;

		settled[at - lab->vms] = true;
		at = next;
	}
}

int lab_order(struct lab *lab, struct lab_faults *faults)
{
	cleanup_free bool *settled = calloc(lab->n_vms + 1, sizeof(*settled));
	const struct spec_vm *on_circle;

	if (!settled)
		return -ENOMEM;
	for (size_t i = 0; i < lab->n_vms; i++)
		find_names(lab, &lab->vms[i], faults);
	for (;;) {
		while (settle_round(lab, settled))
			;
		on_circle = find_on_circle(lab, settled);
		if (!on_circle)
			return 0;
		tell_circle(lab, on_circle, settled, faults);
	}
}
