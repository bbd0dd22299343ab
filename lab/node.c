/* SPDX-License-Identifier: MIT */
#include "lab/node.h"

#include "base/str.h"
#include "lab/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

enum { DEPTH_MAX = 20, NODES_MAX = 100000 };

struct builder {
	const char *file;
	yaml_document_t *document;
	struct lab_faults *faults;
	size_t n_nodes;
	bool refused; /* a fault was told: the tree is not used */
	bool failed; /* out of memory */
};

void lab_node_free(struct lab_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n; i++) {
		lab_node_free(node->items[i]);
		if (node->keys)
			lab_node_free(node->keys[i]);
	}
	free(node->keys);
	free(node->items);
	free(node->text);
	free(node);
}

const struct lab_node *lab_node_get(const struct lab_node *map, const char *key)
{
	for (size_t i = 0; map && map->kind == LAB_NODE_MAP && i < map->n; i++)
		if (str_eq(map->keys[i]->text, key))
			return map->items[i];
	return NULL;
}

const char *lab_node_describe(const struct lab_node *node)
{
	switch (node->kind) {
	case LAB_NODE_LIST:
		return "a list";
	case LAB_NODE_MAP:
		return "a map";
	case LAB_NODE_SCALAR:
		break;
	}
	return "text";
}

static struct spec_where where_of(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct spec_where){
		.file = b->file,
		.line = (unsigned)mark->line + 1,
		.column = (unsigned)mark->column + 1,
	};
}

static void refuse(struct builder *b, const yaml_mark_t *mark, const char *what)
{
	struct spec_where where = where_of(b, mark);

	b->refused = true;
	lab_fault_add(b->faults, &where, "%s", what);
}

static struct lab_node *build(struct builder *b, int index, unsigned depth);

static bool add_item(struct builder *b, struct lab_node *node, struct lab_node *key,
		     struct lab_node *item)
{
	struct lab_node **items = NULL, **keys = NULL;

	if (item && (node->kind == LAB_NODE_LIST || key)) {
		items = reallocarray(node->items, node->n + 1, sizeof(*items));
		if (items)
			node->items = items;
		if (items && key) {
			keys = reallocarray(node->keys, node->n + 1, sizeof(*keys));
			if (keys)
				node->keys = keys;
		}
	}
	if (!items || (key && !keys)) {
		b->failed = b->failed || !b->refused;
		lab_node_free(key);
		lab_node_free(item);
		return false;
	}
	node->items[node->n] = item;
	if (key)
		node->keys[node->n] = key;
	node->n++;
	return true;
}

static void build_map(struct builder *b, const yaml_node_t *from, struct lab_node *node,
		      unsigned depth)
{
	const yaml_node_pair_t *p = from->data.mapping.pairs.start;

	for (; p < from->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(b->document, p->key);

		if (key->type != YAML_SCALAR_NODE) {
			refuse(b, &key->start_mark, "a key has to be text");
			return;
		}
		if (lab_node_get(node, (const char *)key->data.scalar.value)) {
			struct spec_where where = where_of(b, &key->start_mark);

			lab_fault_add(b->faults, &where, "key '%s' is there twice",
				      (const char *)key->data.scalar.value);
			continue;
		}
		if (!add_item(b, node, build(b, p->key, depth + 1), build(b, p->value, depth + 1)))
			return;
	}
}

static struct lab_node *build(struct builder *b, int index, unsigned depth)
{
	yaml_node_t *from = yaml_document_get_node(b->document, index);
	struct lab_node *node;

	if (b->failed || b->refused || !from)
		return NULL;
	if (depth > DEPTH_MAX || ++b->n_nodes > NODES_MAX) {
		refuse(b, &from->start_mark,
		       depth > DEPTH_MAX ? "nested too deeply" : "too many entries");
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		b->failed = true;
		return NULL;
	}
	node->where = where_of(b, &from->start_mark);
	switch (from->type) {
	case YAML_SEQUENCE_NODE:
		node->kind = LAB_NODE_LIST;
		for (const yaml_node_item_t *i = from->data.sequence.items.start;
		     i < from->data.sequence.items.top; i++)
			if (!add_item(b, node, NULL, build(b, *i, depth + 1)))
				break;
		break;
	case YAML_MAPPING_NODE:
		node->kind = LAB_NODE_MAP;
		build_map(b, from, node, depth);
		break;
	case YAML_SCALAR_NODE:
	case YAML_NO_NODE:
		node->kind = LAB_NODE_SCALAR;
		node->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		node->text = strdup((const char *)from->data.scalar.value);
		if (!node->text)
			b->failed = true;
		/* A NUL would cut the text in silence. */
		else if (strlen(node->text) != from->data.scalar.length)
			refuse(b, &from->start_mark, "text with a NUL byte");
		break;
	}
	return node;
}

static void tell_syntax(const char *file, const yaml_parser_t *parser, struct lab_faults *faults)
{
	struct spec_where where = {
		.file = file,
		.line = (unsigned)parser->problem_mark.line + 1,
		.column = (unsigned)parser->problem_mark.column + 1,
	};

	lab_fault_add(faults, &where, "not YAML: %s%s%s",
		      parser->problem ? parser->problem : "it cannot be read",
		      parser->context ? " " : "", parser->context ? parser->context : "");
}

/* Whether another document follows the first. */
static void refuse_second(struct builder *b, yaml_parser_t *parser)
{
	yaml_document_t second;
	yaml_node_t *root;

	if (!yaml_parser_load(parser, &second)) {
		b->refused = true;
		tell_syntax(b->file, parser, b->faults);
		return;
	}
	root = yaml_document_get_root_node(&second);
	if (root)
		refuse(b, &root->start_mark, "a second document; one file holds one");
	yaml_document_delete(&second);
}

int lab_node_parse(const char *file, const char *text, size_t len, struct lab_faults *faults,
		   struct lab_node **ret_node)
{
	struct builder b = {.file = file, .faults = faults};
	struct lab_node *node = NULL;
	yaml_document_t document;
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &document)) {
		b.document = &document;
		/* An empty file has no root. */
		if (yaml_document_get_root_node(&document)) {
			node = build(&b, 1, 0);
			refuse_second(&b, &parser);
		}
		yaml_document_delete(&document);
	} else {
		tell_syntax(file, &parser, faults);
	}
	yaml_parser_delete(&parser);
	if (b.failed || b.refused) {
		lab_node_free(node);
		node = NULL;
	}
	if (b.failed)
		return -ENOMEM;
	*ret_node = node;
	return 0;
}
