/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/monitor_rules.h"

#include "base/cleanup.h"
#include "base/str.h"

/* QEMU's character devices that hvup made, or speaks by (vmm/qemu_args.c). */
static const char *const own_chardevs[] = {"monitor", "serial", "agent", "tpm", NULL};

#define OWN_CHARDEV                                                                       \
	"hvup made this character device and talks through it; add one of your own with " \
	"another id"

static const struct rule {
	const char *command; /* of QMP */
	const char *human; /* of the human monitor; NULL: none */
	const char *argument;
	const char *const *values; /* refused with these; NULL: see below */
	const char *prefix; /* refused without this in front */
	const char *reason;
} rules[] = {
	{"chardev-remove", "chardev-remove", "id", own_chardevs, NULL, OWN_CHARDEV},
	{"chardev-change", "chardev-change", "id", own_chardevs, NULL, OWN_CHARDEV},
	{"chardev-add", NULL, "id", own_chardevs, NULL, OWN_CHARDEV},
	{"migrate", "migrate", "uri", NULL, "fd:",
	 "QEMU's jail has no network and starts no program: send a descriptor with getfd, and "
	 "migrate to fd:NAME"},
};

static bool is_refused(const struct rule *r, const char *value)
{
	for (size_t i = 0; r->values && r->values[i]; i++)
		if (str_eq(value, r->values[i]))
			return true;
	return r->prefix && !str_after(value, r->prefix);
}

/* The next word of a line of the human monitor; options are none. */
static bool next_word(const char **at, char *buf, size_t size)
{
	do {
		size_t len;

		*at += strspn(*at, " \t");
		len = strcspn(*at, " \t");
		if (!len)
			return false;
		(void)str_format(buf, size, "%.*s", (int)len, *at);
		*at += len;
	} while (*buf == '-');
	return true;
}

static const char *human_rule(const char *line)
{
	char command[32], value[64];

	if (!next_word(&line, command, sizeof(command)))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].human && str_eq(command, rules[i].human) &&
		    next_word(&line, value, sizeof(value)))
			return is_refused(&rules[i], value) ? rules[i].reason : NULL;
	return NULL;
}

const char *monitor_rule(const char *command, json_t *args)
{
	const char *value;

	if (str_eq(command, "human-monitor-command")) {
		value = json_string_value(json_object_get(args, "command-line"));
		return value ? human_rule(value) : NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!str_eq(command, rules[i].command))
			continue;
		value = json_string_value(json_object_get(args, rules[i].argument));
		if (value && is_refused(&rules[i], value))
			return rules[i].reason;
	}
	return NULL;
}
