/* SPDX-License-Identifier: MIT */
#include "lab/node.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "lab/faults.h"
#include "lab/unique.h"
#include "lab/yaml_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

enum { DEPTH_MAX = 20, NODES_MAX = 100000, ANCHORS_MAX = 1000, TEXT_MAX = 4095 };

/* So that they are linked, and libyaml finds them. */
__attribute__((used)) static void *(*const allocate)(size_t) = yaml_malloc;

struct builder {
	const char *file, *text;
	size_t len;
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
	/* It may be a secret. */
	str_free_secret(node->text);
	free(node);
}

const struct lab_node *lab_node_get(const struct lab_node *map, const char *key)
{
	for (size_t i = 0; map && map->kind == LAB_NODE_MAP && i < map->n; i++)
		if (str_eq(map->keys[i]->text, key))
			return map->items[i];
	return NULL;
}

bool lab_node_is_null(const struct lab_node *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (node->kind != LAB_NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(node->text, words[i]))
			return true;
	return false;
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

static void tell_twice(void *arg, const struct lab_unique *first, const struct lab_unique *again)
{
	const struct lab_node *there = first->thing;
	struct builder *b = arg;

	lab_fault_add(b->faults, &((const struct lab_node *)again->thing)->where,
		      "key '%s' is there twice; the first is in line %u", again->text,
		      there->where.line);
}

/* Tells keys that are there twice, and leaves the first of each. */
static void drop_twins(struct builder *b, struct lab_node *map)
{
	cleanup_free struct lab_unique *keys = calloc(map->n + 1, sizeof(*keys));
	cleanup_free bool *twin = calloc(map->n + 1, sizeof(*twin));
	size_t kept = 0;

	if (!keys || !twin) {
		b->failed = true;
		return;
	}
	for (size_t i = 0; i < map->n; i++)
		keys[i] = (struct lab_unique){map->keys[i]->text, map->keys[i], i};
	lab_unique_find(keys, map->n, tell_twice, b);
	for (size_t i = 1; i < map->n; i++)
		twin[keys[i].order] = str_eq(keys[i].text, keys[i - 1].text);
	for (size_t i = 0; i < map->n; i++) {
		if (twin[i]) {
			lab_node_free(map->keys[i]);
			lab_node_free(map->items[i]);
			continue;
		}
		map->keys[kept] = map->keys[i];
		map->items[kept++] = map->items[i];
	}
	map->n = kept;
}

static void build_map(struct builder *b, const yaml_node_t *from, struct lab_node *node,
		      unsigned depth)
{
	const yaml_node_pair_t *p = from->data.mapping.pairs.start;
	size_t n = (size_t)(from->data.mapping.pairs.top - p);

	node->keys = calloc(n + 1, sizeof(*node->keys));
	node->items = calloc(n + 1, sizeof(*node->items));
	if (!node->keys || !node->items) {
		b->failed = true;
		return;
	}
	for (; p < from->data.mapping.pairs.top; p++) {
		struct lab_node *key = build(b, p->key, depth + 1);
		struct lab_node *item = key ? build(b, p->value, depth + 1) : NULL;

		if (item && key->kind == LAB_NODE_SCALAR) {
			node->keys[node->n] = key;
			node->items[node->n++] = item;
			continue;
		}
		if (item)
			refuse(b, &yaml_document_get_node(b->document, p->key)->start_mark,
			       "a key has to be text");
		lab_node_free(key);
		lab_node_free(item);
		return;
	}
	drop_twins(b, node);
}

static void build_list(struct builder *b, const yaml_node_t *from, struct lab_node *node,
		       unsigned depth)
{
	const yaml_node_item_t *i = from->data.sequence.items.start;
	size_t n = (size_t)(from->data.sequence.items.top - i);

	node->items = calloc(n + 1, sizeof(*node->items));
	if (!node->items) {
		b->failed = true;
		return;
	}
	for (; i < from->data.sequence.items.top; i++) {
		struct lab_node *item = build(b, *i, depth + 1);

		if (!item)
			return;
		node->items[node->n++] = item;
	}
}

static void build_scalar(struct builder *b, const yaml_node_t *from, struct lab_node *node)
{
	const char *value = (const char *)from->data.scalar.value;

	node->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup(value);
	if (!node->text)
		b->failed = true;
	/* A NUL would cut the text in silence. */
	else if (strlen(value) != from->data.scalar.length)
		refuse(b, &from->start_mark, "text with a NUL byte");
	else if (from->data.scalar.length > TEXT_MAX)
		refuse(b, &from->start_mark, "text of more than 4095 bytes");
}

/* Tags ask for types, and here the key decides on the type. */
static void refuse_tag(struct builder *b, const yaml_node_t *from)
{
	const char *tag = (const char *)from->tag;

	if (tag && !str_eq(tag, YAML_STR_TAG) && !str_eq(tag, YAML_SEQ_TAG) &&
	    !str_eq(tag, YAML_MAP_TAG))
		refuse(b, &from->start_mark, "a tag (! or !!) has no meaning here; leave it out");
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
	refuse_tag(b, from);
	switch (from->type) {
	case YAML_SEQUENCE_NODE:
		node->kind = LAB_NODE_LIST;
		build_list(b, from, node, depth);
		break;
	case YAML_MAPPING_NODE:
		node->kind = LAB_NODE_MAP;
		build_map(b, from, node, depth);
		break;
	case YAML_SCALAR_NODE:
	case YAML_NO_NODE:
		node->kind = LAB_NODE_SCALAR;
		build_scalar(b, from, node);
		break;
	}
	if (b->failed || b->refused) {
		lab_node_free(node);
		return NULL;
	}
	return node;
}

static bool has_anchor(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor;
	return event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor;
}

/* libyaml's work grows with the square of depth and of anchors, so both are
 * looked at before it makes a document. What is no YAML is told later. */
static void survey(struct builder *b)
{
	size_t depth = 0, n_nodes = 0, n_anchors = 0;
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;

	if (!yaml_parser_initialize(&parser)) {
		b->failed = true;
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)b->text, b->len);
	while (!end && !b->refused && yaml_parser_parse(&parser, &event)) {
		bool opens = event.type == YAML_SEQUENCE_START_EVENT ||
			     event.type == YAML_MAPPING_START_EVENT;

		end = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
			depth--;
		n_nodes += opens || event.type == YAML_SCALAR_EVENT;
		n_anchors += has_anchor(&event);
		if (depth > DEPTH_MAX)
			refuse(b, &event.start_mark, "nested too deeply");
		else if (n_nodes > NODES_MAX)
			refuse(b, &event.start_mark, "too many entries");
		else if (n_anchors > ANCHORS_MAX)
			refuse(b, &event.start_mark, "too many anchors");
		depth += opens;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

/* libyaml gives no line for bytes that are not UTF-8, only their offset. */
static void find_line(const char *text, size_t len, size_t offset, struct spec_where *where)
{
	where->line = where->column = 1;
	for (size_t i = 0; i < len && i < offset; i++) {
		where->column++;
		if (text[i] == '\n') {
			where->line++;
			where->column = 1;
		}
	}
}

static void tell_syntax(struct builder *b, const yaml_parser_t *parser)
{
	struct spec_where where = where_of(b, &parser->problem_mark);
	cleanup_strbuf struct strbuf context = {0};

	if (parser->error == YAML_MEMORY_ERROR) {
		b->failed = true;
		return;
	}
	b->refused = true;
	if (parser->error == YAML_READER_ERROR)
		find_line(b->text, b->len, parser->problem_offset, &where);
	if (parser->context)
		strbuf_addf(&context, " %s that begins in line %zu", parser->context,
			    parser->context_mark.line + 1);
	lab_fault_add(b->faults, &where, "not YAML: %s%s",
		      parser->problem ? parser->problem : "it cannot be read",
		      context.data ? context.data : "");
}

/* Whether another document follows the first. */
static void refuse_second(struct builder *b, yaml_parser_t *parser)
{
	yaml_document_t second;
	yaml_node_t *root;

	if (!yaml_parser_load(parser, &second)) {
		tell_syntax(b, parser);
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
	struct builder b = {.file = file, .text = text, .len = len, .faults = faults};
	struct lab_node *node = NULL;
	yaml_document_t document;
	yaml_parser_t parser;

	survey(&b);
	if (b.failed || b.refused)
		return b.failed ? -ENOMEM : 1;
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
		tell_syntax(&b, &parser);
	}
	yaml_parser_delete(&parser);
	if (b.failed || b.refused) {
		lab_node_free(node);
		return b.failed ? -ENOMEM : 1;
	}
	if (node && lab_node_is_null(node)) {
		lab_node_free(node);
		node = NULL;
	}
	*ret_node = node;
	return 0;
}
