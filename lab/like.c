/* SPDX-License-Identifier: MIT */
#include "lab/like.h"

#include "base/mac.h"
#include "base/str.h"

/* The number of the VM that this one is like; d->vms->n: none. */
static size_t next_of(const struct lab_decoder *d, size_t index, const struct lab_node **ret_at)
{
	const struct lab_node *like = lab_node_get(d->vms->items[index], "like");
	size_t i = 0;

	*ret_at = like;
	if (!like || like->kind != LAB_NODE_SCALAR)
		return d->vms->n;
	while (i < d->vms->n && !str_eq(d->vms->keys[i]->text, like->text))
		i++;
	return i;
}

static void tell_circle(struct lab_decoder *d, size_t index, const struct lab_node *at)
{
	cleanup_strbuf struct strbuf way = {0};
	size_t i = index;
	const struct lab_node *ignored;

	do {
		i = next_of(d, i, &ignored);
		strbuf_addf(&way, " like '%s'", d->vms->keys[i]->text);
	} while (i != index);
	lab_decoder_fault(d, at, "like: goes round in a circle: '%s'%s", d->vms->keys[index]->text,
			  way.data ? way.data : "");
}

void lab_like_find(struct lab_decoder *d, size_t index, struct lab_like *ret_like)
{
	const struct lab_node *at, *ignored;
	size_t i = next_of(d, index, &at);
	bool is_first = true;

	ret_like->n = 0;
	for (; i < d->vms->n; i = next_of(d, i, &ignored)) {
		if (i == index) {
			/* Told by that one of the circle which stands first. */
			if (is_first)
				tell_circle(d, index, at);
			ret_like->n = 0;
			return;
		}
		is_first = is_first && i > index;
		if (ret_like->n == LAB_LIKE_MAX) {
			/* A circle that this one only leads to is told by its own. */
			for (size_t j = 0; j + 1 < LAB_LIKE_MAX; j++)
				if (ret_like->v[j] == ret_like->v[LAB_LIKE_MAX - 1])
					at = NULL;
			if (at)
				lab_decoder_fault(d, at, "like: a chain of more than %d machines",
						  LAB_LIKE_MAX);
			ret_like->n = 0;
			return;
		}
		ret_like->v[ret_like->n++] = d->vms->items[i];
	}
}

void lab_like_detach(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_nics; i++) {
		memset(vm->nics[i].mac, 0, MAC_BYTES);
		vm->nics[i].mac_given = false;
		vm->nics[i].has_address = false;
	}
	lab_vnc_free(vm);
	if (vm->vsock == SPEC_VSOCK_CID)
		vm->vsock = SPEC_VSOCK_AUTO;
	vm->vsock_cid = 0;
}
