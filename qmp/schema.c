/* SPDX-License-Identifier: MIT */
#include "qmp/schema.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

struct qmp_schema {
	json_t *entries;
	json_t *by_name;
};

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static bool is_meta(const json_t *entry, const char *type)
{
	return entry && str_eq(text_of(entry, "meta-type"), type);
}

static const json_t *find(const struct qmp_schema *s, const json_t *object, const char *key)
{
	return json_object_get(s->by_name, text_of(object, key));
}

int qmp_schema_new(json_t *entries, struct qmp_schema **ret_schema, struct error *err)
{
	struct qmp_schema *s = calloc(1, sizeof(*s));
	json_t *entry;
	size_t i;

	if (!s || !json_is_array(entries)) {
		bool oom = !s;

		free(s);
		json_decref(entries);
		return oom ? error_oom(err) : error_set(err, EPROTO, "the schema is no list");
	}
	s->entries = entries;
	s->by_name = json_object();
	json_array_foreach (entries, i, entry)
		if (json_object_set(s->by_name, text_of(entry, "name"), entry) < 0) {
			qmp_schema_free(s);
			return error_oom(err);
		}
	*ret_schema = s;
	return 0;
}

void qmp_schema_free(struct qmp_schema *s)
{
	if (!s)
		return;
	json_decref(s->by_name);
	json_decref(s->entries);
	free(s);
}

static void each(const struct qmp_schema *s, const char *meta, qmp_name_fn tell, void *arg)
{
	json_t *entry;
	size_t i;

	json_array_foreach (s->entries, i, entry)
		if (is_meta(entry, meta))
			tell(text_of(entry, "name"), arg);
}

void qmp_schema_each_command(const struct qmp_schema *s, qmp_name_fn tell, void *arg)
{
	each(s, "command", tell, arg);
}

void qmp_schema_each_event(const struct qmp_schema *s, qmp_name_fn tell, void *arg)
{
	each(s, "event", tell, arg);
}

static const json_t *find_meta(const struct qmp_schema *s, const char *meta, const char *name)
{
	const json_t *entry = json_object_get(s->by_name, name);

	return is_meta(entry, meta) ? entry : NULL;
}

static const json_t *find_command(const struct qmp_schema *s, const char *command)
{
	return find_meta(s, "command", command);
}

qmp_type qmp_schema_arguments(const struct qmp_schema *s, const char *command)
{
	const json_t *entry = find_command(s, command);

	return entry ? find(s, entry, "arg-type") : NULL;
}

enum qmp_kind qmp_schema_kind(const struct qmp_schema *s, qmp_type type)
{
	static const struct {
		const char *meta, *json;
		enum qmp_kind kind;
	} rows[] = {
		{"builtin", "int", QMP_KIND_INT},    {"builtin", "number", QMP_KIND_NUMBER},
		{"builtin", "string", QMP_KIND_STR}, {"builtin", "boolean", QMP_KIND_BOOL},
		{"enum", NULL, QMP_KIND_ENUM},       {"array", NULL, QMP_KIND_ARRAY},
		{"object", NULL, QMP_KIND_OBJECT},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_meta(type, rows[i].meta) &&
		    (!rows[i].json || str_eq(text_of(type, "json-type"), rows[i].json)))
			return rows[i].kind;
	return QMP_KIND_UNKNOWN;
}

/* The variants of an object are objects themselves; theirs are not looked into, so a schema
 * that runs in circles ends here. */
struct walk {
	const struct qmp_schema *s;
	void (*tell)(const json_t *member, void *arg);
	void *arg;
};

/* Of several types that a value may have, the object. */
static qmp_type as_object(const struct qmp_schema *s, qmp_type type)
{
	json_t *member;
	size_t i;

	if (!is_meta(type, "alternate"))
		return type;
	json_array_foreach (json_object_get(type, "members"), i, member)
		if (is_meta(find(s, member, "type"), "object"))
			return find(s, member, "type");
	return NULL;
}

static void walk_members(const struct walk *w, qmp_type type)
{
	qmp_type object = as_object(w->s, type);
	json_t *member, *variant;
	size_t i, j;

	if (!is_meta(object, "object"))
		return;

	json_array_foreach (json_object_get(object, "members"), i, member)
		w->tell(member, w->arg);
	json_array_foreach (json_object_get(object, "variants"), i, variant)
		json_array_foreach (json_object_get(find(w->s, variant, "type"), "members"), j,
				    member)
			w->tell(member, w->arg);
}

struct search {
	const char *name;
	const json_t *found;
};

static void compare(const json_t *member, void *arg)
{
	struct search *search = arg;

	if (!search->found && str_eq(text_of(member, "name"), search->name))
		search->found = member;
}

qmp_type qmp_schema_member(const struct qmp_schema *s, qmp_type object, const char *name)
{
	struct search search = {.name = name};
	const struct walk w = {s, compare, &search};

	walk_members(&w, object);
	return search.found ? find(s, search.found, "type") : NULL;
}

qmp_type qmp_schema_element(const struct qmp_schema *s, qmp_type array)
{
	return is_meta(array, "array") ? find(s, array, "element-type") : NULL;
}

struct told {
	qmp_name_fn tell;
	void *arg;
};

static void tell_name(const json_t *member, void *arg)
{
	struct told *told = arg;

	told->tell(text_of(member, "name"), told->arg);
}

void qmp_schema_each_member(const struct qmp_schema *s, qmp_type object, qmp_name_fn tell,
			    void *arg)
{
	struct told told = {tell, arg};
	const struct walk w = {s, tell_name, &told};

	walk_members(&w, object);
}

void qmp_schema_each_value(const struct qmp_schema *s, qmp_type enumeration, qmp_name_fn tell,
			   void *arg)
{
	json_t *value;
	size_t i;

	(void)s;
	if (is_meta(enumeration, "enum"))
		json_array_foreach (json_object_get(enumeration, "values"), i, value)
			tell(json_string_value(value) ?: "", arg);
}

struct description {
	const struct qmp_schema *s;
	struct strbuf *into;
	size_t n;
};

static void add_type(const struct qmp_schema *s, qmp_type type, unsigned depth,
		     struct strbuf *into);

static void add_word(const char *word, void *arg)
{
	struct description *d = arg;

	strbuf_addf(d->into, "%s", d->n++ ? "|" : "");
	strbuf_add_printable(d->into, word, strlen(word), false);
}

static void add_alternatives(const struct qmp_schema *s, qmp_type type, unsigned depth,
			     struct strbuf *into)
{
	json_t *member;
	size_t i;

	json_array_foreach (json_object_get(type, "members"), i, member) {
		strbuf_addf(into, "%s", i ? " or " : "");
		add_type(s, find(s, member, "type"), depth + 1, into);
	}
}

static void add_type(const struct qmp_schema *s, qmp_type type, unsigned depth, struct strbuf *into)
{
	static const char *const words[QMP_KIND_COUNT] = {
		[QMP_KIND_UNKNOWN] = "any", [QMP_KIND_INT] = "int",    [QMP_KIND_NUMBER] = "number",
		[QMP_KIND_BOOL] = "bool",   [QMP_KIND_STR] = "string", [QMP_KIND_OBJECT] = "object",
	};
	enum qmp_kind kind = qmp_schema_kind(s, type);
	struct description values = {s, into, 0};

	if (is_meta(type, "alternate") && depth < 3) {
		add_alternatives(s, type, depth, into);
	} else if (kind == QMP_KIND_ENUM) {
		qmp_schema_each_value(s, type, add_word, &values);
	} else if (kind == QMP_KIND_ARRAY) {
		strbuf_addf(into, "list of ");
		if (depth < 3)
			add_type(s, qmp_schema_element(s, type), depth + 1, into);
	} else {
		strbuf_addf(into, "%s", words[kind]);
	}
}

static void add_member(const json_t *member, void *arg)
{
	struct description *d = arg;
	const char *name = text_of(member, "name");

	strbuf_addf(d->into, "  ");
	strbuf_add_printable(d->into, name, strlen(name), false);
	strbuf_addf(d->into, "=");
	add_type(d->s, find(d->s, member, "type"), 0, d->into);
	strbuf_addf(d->into, "%s\n",
		    json_object_get(member, "default") ? "  (may be left out)" : "");
	d->n++;
}

bool qmp_schema_describe_event(const struct qmp_schema *s, const char *event, struct strbuf *into)
{
	const json_t *entry = find_meta(s, "event", event);
	struct description d = {s, into, 0};
	const struct walk w = {s, add_member, &d};

	if (!entry)
		return false;
	strbuf_addf(into, "%s  (an event)\n", event);
	walk_members(&w, find(s, entry, "arg-type"));
	return true;
}

bool qmp_schema_describe(const struct qmp_schema *s, const char *command, struct strbuf *into)
{
	const json_t *entry = find_command(s, command);
	struct description d = {s, into, 0};
	const struct walk w = {s, add_member, &d};
	qmp_type returns;

	if (!entry)
		return false;
	strbuf_addf(into, "%s%s\n", command,
		    json_is_true(json_object_get(entry, "allow-oob")) ? "  (also out of band)"
								      : "");
	walk_members(&w, find(s, entry, "arg-type"));
	returns = find(s, entry, "ret-type");
	strbuf_addf(into, "returns ");
	if (qmp_schema_kind(s, returns) == QMP_KIND_OBJECT &&
	    json_array_size(json_object_get(returns, "members")) == 0)
		strbuf_addf(into, "nothing");
	else
		add_type(s, returns, 0, into);
	strbuf_addf(into, "\n");
	if (qmp_schema_kind(s, returns) == QMP_KIND_ARRAY)
		returns = qmp_schema_element(s, returns);
	if (qmp_schema_kind(s, returns) == QMP_KIND_OBJECT)
		walk_members(&w, returns);
	return true;
}
