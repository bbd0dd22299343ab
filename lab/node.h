/* SPDX-License-Identifier: MIT */
/*
 * Private to lab/: a YAML document as a tree of our own, in which every node
 * keeps its position. libyaml reads it; aliases are expanded within the bounds
 * of lab/config.h, so neither a cycle nor a bomb gets far.
 */
#ifndef HV_LAB_NODE_H
#define HV_LAB_NODE_H

#include "lab/config.h"

enum lab_node_kind { LAB_NODE_SCALAR, LAB_NODE_LIST, LAB_NODE_MAP };

struct lab_node {
	enum lab_node_kind kind;
	struct spec_where where; /* file is borrowed from the caller of lab_node_parse() */
	char *text; /* of a scalar */
	bool plain; /* a scalar without quotes */
	struct lab_node **keys; /* of a map: scalars, each text once */
	struct lab_node **items; /* of a list or map */
	size_t n;
};

/* Returns 0 with a tree, NULL where the document is empty; 1 where faults were
 * told and there is no tree; -ENOMEM. A key that is there twice is a fault, but
 * leaves a tree. */
int lab_node_parse(const char *file, const char *text, size_t len, struct lab_faults *faults,
		   struct lab_node **ret_node);
void lab_node_free(struct lab_node *node); /* accepts NULL */

/* The value at key of a map; NULL where it is not there or map is none. */
const struct lab_node *lab_node_get(const struct lab_node *map, const char *key);

/* Nothing, ~ or null without quotes. */
bool lab_node_is_null(const struct lab_node *node);

/* "a list", "a map", "text". */
const char *lab_node_describe(const struct lab_node *node);

#endif
