/* SPDX-License-Identifier: MIT */
#include "lab/decode.h"

#include "base/str.h"
#include "lab/faults.h"

#include <stdlib.h>

void lab_decoder_fault(struct lab_decoder *d, const struct lab_node *at, const char *fmt, ...)
{
	struct strbuf text = {0};
	va_list ap;

	if (d->quiet)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (text.failed)
		d->failed = true;
	else
		lab_fault_add(d->faults, &at->where, "%s", text.data);
	strbuf_free(&text);
}

void lab_decode_defaults(struct lab_decoder *d, enum lab_section section, void *into)
{
	const struct lab_schema_row *rows;
	size_t n;

	rows = lab_schema_rows(&n);
	for (size_t i = 0; i < n; i++) {
		struct lab_node value = {
			.kind = LAB_NODE_SCALAR,
			.plain = true,
			.text = (char *)rows[i].default_text,
		};

		if (rows[i].section == section && rows[i].default_text)
			lab_decode_value(d, &rows[i], &value, into);
	}
}

static void unknown_key(struct lab_decoder *d, enum lab_section section, const struct lab_node *key)
{
	const char *like = lab_schema_suggest(section, key->text);

	if (like)
		lab_decoder_fault(d, key, "unknown key '%s' in %s; did you mean '%s'?", key->text,
				  lab_section_name(section), like);
	else
		lab_decoder_fault(d, key, "unknown key '%s' in %s (hv.yaml(5) lists them)",
				  key->text, lab_section_name(section));
}

void lab_decode_map(struct lab_decoder *d, enum lab_section section, const struct lab_node *map,
		    bool in_profile, void *into)
{
	if (map->kind != LAB_NODE_MAP) {
		lab_decoder_fault(d, map, "an entry of %s has to be a map of keys, not %s",
				  lab_section_name(section), lab_node_describe(map));
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct lab_schema_row *row = lab_schema_find(section, map->keys[i]->text);

		if (!row)
			unknown_key(d, section, map->keys[i]);
		else if (d->taking_over && row->own)
			continue;
		else if (in_profile && row->not_in_profile)
			lab_decoder_fault(d, map->keys[i], "'%s' cannot stand in a profile",
					  row->key);
		else if (row->type == LAB_TYPE_LIMITS)
			lab_decode_limits(d, row, map->items[i],
					  (struct spec_limits *)((char *)into + row->offset));
		else if (row->type == LAB_TYPE_CREDENTIALS)
			lab_decode_credentials(d, row, map->items[i], into);
		else if (row->type >= LAB_TYPE_VNC)
			lab_decode_vnc(d, row, map->items[i], into);
		else if (row->type == LAB_TYPE_STRINGS)
			lab_decode_strings(d, row, map->items[i], into);
		else if (row->type >= LAB_TYPE_DISKS)
			lab_decode_list(d, row, map->items[i], into);
		else
			lab_decode_value(d, row, map->items[i], into);
	}
}

void lab_decode_required(struct lab_decoder *d, enum lab_section section,
			 const struct lab_node *map)
{
	const struct lab_schema_row *rows;
	size_t n;

	if (map->kind != LAB_NODE_MAP)
		return;
	rows = lab_schema_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].section == section && rows[i].required &&
		    !lab_node_get(map, rows[i].key))
			lab_decoder_fault(d, map, "'%s' is missing (%s)", rows[i].key,
					  lab_type_name(rows[i].type));
}
