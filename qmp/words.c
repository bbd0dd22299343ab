/* SPDX-License-Identifier: MIT */
#include "qmp/words.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { KEYS_MAX = 16 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes JSON from a bracket to the one that closes it, as it is. */
static const char *split_json(const char *p, struct strbuf *word)
{
	const char *start = p;
	size_t depth = 0;
	bool in_string = false;

	for (; *p; p++) {
		if (in_string && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!in_string && (*p == '{' || *p == '['))
			depth++;
		else if (!in_string && (*p == '}' || *p == ']') && --depth == 0)
			break;
	}
	strbuf_add(word, start, (size_t)(p - start) + (*p != '\0'));
	return *p ? p + 1 : NULL;
}

/* One word; NULL where something is left open. */
static const char *split_word(const char *p, struct strbuf *word)
{
	char quote = '\0';

	strbuf_add(word, "", 0);
	for (; *p && (quote || !is_space(*p)); p++) {
		if (!quote && (*p == '{' || *p == '[') &&
		    (!word->len || word->data[word->len - 1] == '=')) {
			p = split_json(p, word);
			if (!p)
				return NULL;
			p--;
		} else if (*p == '\\' && quote != '\'' && p[1]) {
			strbuf_add(word, ++p, 1);
		} else if (*p == quote) {
			quote = '\0';
		} else if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else {
			strbuf_add(word, p, 1);
		}
	}
	return quote ? NULL : p;
}

int qmp_words_split(const char *line, struct strv *ret_words, struct error *err)
{
	const char *p = line;

	for (;;) {
		struct strbuf word = {0};

		while (is_space(*p))
			p++;
		if (!*p)
			return ret_words->failed ? error_oom(err) : 0;
		p = split_word(p, &word);
		strv_take(ret_words, strbuf_steal(&word));
		if (!p)
			return error_set(err, EINVAL, "a quote or bracket is left open");
	}
}

/* What it looks like. */
static json_t *guess(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	return value ? value : json_string(text);
}

static json_t *make_int(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	uint64_t bytes;

	if (json_is_integer(value))
		return value;
	json_decref(value);
	if (!str_parse_size(text, &bytes) || bytes > INT64_MAX)
		return NULL;
	return json_integer((json_int_t)bytes);
}

static json_t *make_bool(const char *text)
{
	static const char *const words[] = {"false", "off", "no", "true", "on", "yes"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(text, words[i]))
			return json_boolean(i >= ARRAY_SIZE(words) / 2);
	return NULL;
}

static json_t *make_number(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json_is_number(value))
		return value;
	json_decref(value);
	return NULL;
}

static json_t *make(const struct qmp_schema *s, qmp_type type, const char *text);

static json_t *make_list(const struct qmp_schema *s, qmp_type type, const char *text)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy, *element;
	json_t *list;

	if (*text == '[')
		return json_loads(text, 0, NULL);
	list = json_array();
	while (copy && *text && (element = strsep(&rest, ",")) != NULL) {
		json_t *value = make(s, qmp_schema_element(s, type), element);

		if (!value || json_array_append_new(list, value) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* NULL: it is none of that type. */
static json_t *make(const struct qmp_schema *s, qmp_type type, const char *text)
{
	switch (s ? qmp_schema_kind(s, type) : QMP_KIND_UNKNOWN) {
	case QMP_KIND_INT:
		return make_int(text);
	case QMP_KIND_NUMBER:
		return make_number(text);
	case QMP_KIND_BOOL:
		return make_bool(text);
	case QMP_KIND_STR:
	case QMP_KIND_ENUM:
		return json_string(text);
	case QMP_KIND_ARRAY:
		return make_list(s, type, text);
	case QMP_KIND_OBJECT:
		return json_loads(text, 0, NULL);
	case QMP_KIND_UNKNOWN:
	case QMP_KIND_COUNT:
		break;
	}
	return guess(text);
}

/* Puts a value where its key leads; steals it. The type on the way down is left in *type. */
static int put(const struct qmp_schema *s, json_t *object, char *key, qmp_type type, bool is_json,
	       const char *text, struct error *err)
{
	char *rest = key, *name;
	json_t *value;
	unsigned depth = 0;

	while ((name = strsep(&rest, ".")) != NULL) {
		json_t *inner = json_object_get(object, name);

		type = s ? qmp_schema_member(s, type, name) : NULL;
		if (!*name || ++depth > KEYS_MAX)
			return error_set(err, EINVAL, "a key is names with dots between");
		if (!rest)
			break;
		if (!inner && json_object_set_new(object, name, json_object()) < 0)
			return error_set(err, EINVAL, "'%s' is no key", name);
		object = json_object_get(object, name);
		if (!json_is_object(object))
			return error_set(err, EINVAL, "'%s' is a value and an object at once",
					 name);
	}
	if (json_object_get(object, name))
		return error_set(err, EINVAL, "'%s' is given twice", name);
	value = is_json ? json_loads(text, JSON_DECODE_ANY, NULL) : make(s, type, text);
	if (!value)
		return error_set(err, EINVAL, "'%s' is no value for '%s'", text, name);
	if (json_object_set_new(object, name, value) < 0)
		return error_set(err, EINVAL, "'%s' is no key", name);
	return 0;
}

static int put_word(const char *command, const struct qmp_schema *s, json_t *args, const char *word,
		    struct error *err)
{
	const char *equals = strchr(word, '=');
	bool is_json = equals && equals > word && equals[-1] == ':';
	cleanup_free char *key =
		equals ? strndup(word, (size_t)(equals - word) - (is_json ? 1 : 0)) : NULL;

	if (!equals)
		return error_set(err, EINVAL, "'%s' is not key=value", word);
	if (!key)
		return error_oom(err);
	return put(s, args, key, s ? qmp_schema_arguments(s, command) : NULL, is_json, equals + 1,
		   err);
}

int qmp_words_arguments(const char *command, char *const *words, size_t n,
			const struct qmp_schema *schema, json_t **ret_args, struct error *err)
{
	json_t *args = json_object();

	if (!args)
		return error_oom(err);
	for (size_t i = 0; i < n; i++) {
		int rc = put_word(command, schema, args, words[i], err);

		if (rc < 0) {
			json_decref(args);
			return rc;
		}
	}
	*ret_args = args;
	return 0;
}
