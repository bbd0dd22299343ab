/* SPDX-License-Identifier: MIT */
/* The limits of a VM: one map, whose keys are a section of the table. */
#include "lab/decode.h"

static struct spec_where where_of(const struct lab_node *map, const char *key)
{
	const struct lab_node *value = lab_node_get(map, key);

	return value ? value->where : map->where;
}

void lab_decode_limits(struct lab_decoder *d, const struct lab_schema_row *row,
		       const struct lab_node *value, struct spec_limits *limits)
{
	if (value->kind != LAB_NODE_MAP) {
		lab_decoder_fault(d, value,
				  "%s: has to be a map, as in {cpus: 1.5, pids: 200}, "
				  "not %s",
				  row->key, lab_node_describe(value));
		return;
	}
	*limits = (struct spec_limits){
		.memory_max_where = where_of(value, "memory_max"),
		.pids_where = where_of(value, "pids"),
	};
	lab_decode_map(d, LAB_SECTION_LIMITS, value, false, limits);
}
