/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/qmp_shell.h"
#include "qmp/words.h"

#include <stdlib.h>

enum { FOUND_MAX = 1000 };

struct complete {
	struct qmp_shell *s;
	const char *prefix; /* what the candidate has to begin with */
	const char *lead; /* stands before it in the word: "file." */
	const char *tail; /* behind it: "=" */
	qmp_type object; /* whose members are looked for; may be NULL */
	struct strv *found;
};

static void offer(const char *name, void *arg)
{
	struct complete *c = arg;

	if (!str_after(name, c->prefix) || c->found->n >= FOUND_MAX)
		return;
	/* What QEMU or a guest named may be no text for a terminal. */
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return;
	for (size_t i = 0; i < c->found->n; i++) {
		const char *rest = str_after(c->found->v[i], c->lead);
		const char *end = rest ? str_after(rest, name) : NULL;

		if (end && str_eq(end, c->tail))
			return;
	}
	strv_addf(c->found, "%s%s%s", c->lead, name, c->tail);
}

static void offer_member(const char *name, void *arg)
{
	struct complete *c = arg;
	qmp_type type = qmp_schema_member(c->s->schema, c->object, name);

	c->tail = qmp_schema_kind(c->s->schema, type) == QMP_KIND_OBJECT ? "." : "=";
	offer(name, c);
}

/* The strings at key of each object of what a command returns. */
static void offer_asked(struct complete *c, const char *command, json_t *args, const char *key)
{
	cleanup_json json_t *list = NULL;
	json_t *entry;
	size_t i;

	if (shell_ask(c->s, command, args, &list) < 0)
		return;
	json_array_foreach (list, i, entry) {
		const char *name = json_get_string(entry, key);

		if (name && *name)
			offer(name, c);
	}
}

static void offer_snapshots(struct complete *c)
{
	cleanup_json json_t *nodes = NULL;
	json_t *node, *snapshot;
	size_t i, j;

	if (shell_ask(c->s, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &nodes) < 0)
		return;
	json_array_foreach (nodes, i, node)
		json_array_foreach (json_object_get(json_object_get(node, "image"), "snapshots"), j,
				    snapshot)
			offer(json_get_string(snapshot, "name") ?: "", c);
}

static void offer_devices(struct complete *c)
{
	cleanup_json json_t *children = NULL;
	json_t *child;
	size_t i;

	offer_asked(c, "query-block", NULL, "device");
	if (shell_ask(c->s, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"),
		      &children) < 0)
		return;
	/* Beside them stands what else the container has. */
	json_array_foreach (children, i, child)
		if (str_after(json_get_string(child, "type") ?: "", "child<"))
			offer(json_get_string(child, "name") ?: "", c);
}

static void offer_nodes(struct complete *c)
{
	offer_asked(c, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), "node-name");
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && str_eq(s + n - m, end);
}

static bool is_node(const char *command, const char *key)
{
	/* The block layer calls a node so, too, and QEMU's old name for a drive, of which hv makes
	 * none. */
	if (str_eq(key, "device"))
		return str_after(command, "block") || str_after(command, "drive-");
	return ends_with(key, "node") || ends_with(key, "node-name") || str_eq(key, "nodes") ||
	       str_eq(key, "vmstate") || str_eq(key, "devices");
}

/* Names of what the machine has, by what the argument is called. */
static void offer_live(struct complete *c, const char *command, const char *key)
{
	if (str_eq(key, "tag") || (str_eq(key, "name") && strstr(command, "snapshot")))
		offer_snapshots(c);
	else if (str_eq(key, "device") && str_after(command, "block-job-"))
		offer_asked(c, "query-block-jobs", NULL, "device");
	else if (is_node(command, key))
		offer_nodes(c);
	else if (str_eq(key, "job-id") || (str_eq(key, "id") && str_after(command, "job-")))
		offer_asked(c, "query-jobs", NULL, "id");
	else if (str_eq(key, "id") && strstr(command, "chardev"))
		offer_asked(c, "query-chardev", NULL, "label");
	else if (str_eq(key, "id") || str_eq(key, "device") ||
		 (str_eq(key, "name") && str_eq(command, "set_link")))
		offer_devices(c);
}

/* Down a key with dots; what is left of it is returned. */
static const char *descend(struct complete *c, const char *key, char *buf, size_t size)
{
	const char *dot;

	while ((dot = strchr(key, '.')) != NULL) {
		(void)str_format(buf, size, "%.*s", (int)(dot - key), key);
		c->object = qmp_schema_member(c->s->schema, c->object, buf);
		key = dot + 1;
	}
	return key;
}

static void complete_value(struct complete *c, const char *command, const char *word,
			   const char *equals)
{
	cleanup_free char *key = strndup(word, (size_t)(equals - word));
	cleanup_free char *lead = strndup(word, (size_t)(equals - word) + 1);
	char buf[128];
	const char *last;
	qmp_type type;

	if (!key || !lead)
		return;
	last = descend(c, key, buf, sizeof(buf));
	type = qmp_schema_member(c->s->schema, c->object, last);
	c->lead = lead;
	c->prefix = equals + 1;
	c->tail = " ";
	qmp_schema_each_value(c->s->schema, type, offer, c);
	if (qmp_schema_kind(c->s->schema, type) == QMP_KIND_BOOL) {
		offer("true", c);
		offer("false", c);
	}
	if (qmp_schema_kind(c->s->schema, type) != QMP_KIND_ENUM)
		offer_live(c, command, last);
}

static void complete_argument(struct complete *c, const char *command, const char *word)
{
	const char *equals = strchr(word, '=');
	cleanup_free char *lead = NULL;
	char buf[128];

	c->object = qmp_schema_arguments(c->s->schema, command);
	if (equals) {
		complete_value(c, command, word, equals);
		return;
	}
	c->prefix = descend(c, word, buf, sizeof(buf));
	lead = strndup(word, (size_t)(c->prefix - word));
	c->lead = lead ? lead : "";
	qmp_schema_each_member(c->s->schema, c->object, offer_member, c);
}

static void complete_command(struct complete *c, bool builtins)
{
	qmp_schema_each_command(c->s->schema, offer, c);
	for (const struct shell_builtin *b = shell_builtins; builtins && b->name; b++)
		offer(b->name, c);
	if (builtins)
		offer("hmp", c);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void shell_complete(struct qmp_shell *s, const char *line, struct strv *ret_words)
{
	cleanup_strv struct strv words = {0};
	size_t len = strlen(line), n;
	bool begins = !len || line[len - 1] == ' ' || line[len - 1] == '\t';
	struct complete c = {.s = s, .lead = "", .tail = " ", .found = ret_words};
	char *const *w;

	if (*line == ':' || *line == '{' || !shell_schema(s))
		return;
	(void)qmp_words_split(line, &words, NULL);
	n = words.n + begins;
	w = words.v;
	c.prefix = begins ? "" : words.v[words.n - 1];
	/* watch runs another line. */
	if (n > 1 && str_eq(w[0], "watch")) {
		w++;
		n--;
	}
	if (n <= 1 || str_eq(w[0], "help")) {
		complete_command(&c, true);
		if (n > 1)
			qmp_schema_each_event(s->schema, offer, &c);
	} else if (str_eq(w[0], "wait") || str_eq(w[0], "events")) {
		qmp_schema_each_event(s->schema, offer, &c);
		if (str_eq(w[0], "events")) {
			offer("on", &c);
			offer("off", &c);
		}
	} else if (!str_eq(w[0], "hmp")) {
		complete_argument(&c, w[0], c.prefix);
	}
	if (ret_words->n)
		qsort(ret_words->v, ret_words->n, sizeof(*ret_words->v), compare);
}
