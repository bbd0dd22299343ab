/* SPDX-License-Identifier: MIT */
#include "lab/sum.h"

#include "base/sha256.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(((struct spec_vm *)0)->sum) == SHA256_TEXT_BYTES, "room for it");

/* With kind and number in front of each node, so that no two trees are one row of bytes. */
static void add_node(struct sha256 *h, const struct lab_node *node)
{
	uint64_t head[2] = {UINT64_MAX, 0};

	if (node)
		head[0] = (uint64_t)node->kind << 1 | node->plain;
	if (node)
		head[1] = node->kind == LAB_NODE_SCALAR ? strlen(node->text) : node->n;
	sha256_add(h, head, sizeof(head));
	if (node && node->kind == LAB_NODE_SCALAR)
		sha256_add(h, node->text, strlen(node->text));
	for (size_t i = 0; node && i < node->n; i++) {
		if (node->keys)
			add_node(h, node->keys[i]);
		add_node(h, node->items[i]);
	}
}

static void add_layer(const struct lab_decoder *d, struct sha256 *h, const struct lab_node *value)
{
	const struct lab_node *profile = lab_node_get(value, "profile"), *common = NULL;

	if (profile && profile->kind == LAB_NODE_SCALAR)
		common = lab_node_get(d->profiles, profile->text);
	add_node(h, common);
	add_node(h, value);
}

void lab_sum_vm(const struct lab_decoder *d, const struct lab_like *like, size_t index,
		struct spec_vm *vm)
{
	struct sha256 h;

	sha256_init(&h);
	for (size_t i = 0; i < like->n; i++)
		add_layer(d, &h, like->v[i]);
	add_layer(d, &h, d->vms->items[index]);
	sha256_finish(&h, vm->sum);
}
