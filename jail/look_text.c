/* SPDX-License-Identifier: MIT */
#include "jail/look_text.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What stands behind "key:" in a line of its own; NULL where there is none. */
static const char *find(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (*text) {
		if (strncmp(text, key, len) == 0 && text[len] == ':')
			return text + len + 1;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* Numbers of a line, in the given base; false where there are not n. */
static bool take_numbers(const char *text, const char *key, int base, uint64_t *ret, size_t n)
{
	const char *p = find(text, key);

	for (size_t i = 0; p && i < n; i++) {
		char *end;

		p = skip_blanks(p);
		errno = 0;
		ret[i] = strtoull(p, &end, base);
		p = end != p && !errno ? end : NULL;
	}
	return p != NULL;
}

static size_t count_words(const char *p)
{
	size_t n = 0;

	for (p = skip_blanks(p); *p && *p != '\n'; p = skip_blanks(p)) {
		n++;
		p += strcspn(p, " \t\n");
	}
	return n;
}

static bool take_ids(const char *text, struct jail_facts *facts)
{
	uint64_t uid[4], gid[4];
	const char *groups = find(text, "Groups");

	if (!groups || !take_numbers(text, "Uid", 10, uid, 4) ||
	    !take_numbers(text, "Gid", 10, gid, 4))
		return false;
	for (size_t i = 0; i < 4; i++) {
		facts->uid[i] = (uid_t)uid[i];
		facts->gid[i] = (gid_t)gid[i];
	}
	facts->n_groups = count_words(groups);
	return true;
}

bool look_text_status(const char *text, struct jail_facts *facts)
{
	uint64_t no_new_privs, mode, filters;

	if (!take_ids(text, facts) ||
	    !take_numbers(text, "CapInh", 16, &facts->cap_inheritable, 1) ||
	    !take_numbers(text, "CapPrm", 16, &facts->cap_permitted, 1) ||
	    !take_numbers(text, "CapEff", 16, &facts->cap_effective, 1) ||
	    !take_numbers(text, "CapBnd", 16, &facts->cap_bounding, 1) ||
	    !take_numbers(text, "CapAmb", 16, &facts->cap_ambient, 1) ||
	    !take_numbers(text, "NoNewPrivs", 10, &no_new_privs, 1))
		return false;
	facts->no_new_privs = no_new_privs == 1;
	/* A kernel without seccomp has no such line. */
	facts->seccomp_mode = take_numbers(text, "Seccomp", 10, &mode, 1) ? (unsigned)mode : 0;
	facts->seccomp_filters =
		take_numbers(text, "Seccomp_filters", 10, &filters, 1) ? (int)filters : -1;
	return true;
}

static bool begins_with_rw(const char *options, size_t len)
{
	return len >= 2 && strncmp(options, "rw", 2) == 0 && (len == 2 || options[2] == ',');
}

/* Of a mount, and of the file system: it is written to where both allow it. */
static bool is_writable(const char *line, size_t len)
{
	const char *end = line + len, *own = line, *of_system = end;

	for (int i = 0; i < 5 && own < end; i++) {
		const char *space = memchr(own, ' ', (size_t)(end - own));

		own = space ? space + 1 : end;
	}
	while (of_system > line && of_system[-1] != ' ')
		of_system--;
	return begins_with_rw(own, strcspn(own, " \n")) &&
	       begins_with_rw(of_system, (size_t)(end - of_system));
}

void look_text_mounts(const char *text, struct jail_facts *facts)
{
	facts->mounts = facts->writable_mounts = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len) {
			facts->mounts++;
			facts->writable_mounts += is_writable(text, len);
		}
		text += len + (text[len] == '\n');
	}
}

/* "Max open files            1024                 1024                 files" */
static bool take_limit(const char *text, const char *name, uint64_t *ret_hard)
{
	const char *line = strstr(text, name);
	char hard[32];

	if (!line || sscanf(line + strlen(name), "%*s %31s", hard) != 1)
		return false;
	if (str_eq(hard, "unlimited")) {
		*ret_hard = JAIL_UNLIMITED;
		return true;
	}
	return str_parse_u64(hard, UINT64_MAX, ret_hard);
}

bool look_text_limits(const char *text, struct jail_facts *facts)
{
	return take_limit(text, "Max core file size", &facts->core_max) &&
	       take_limit(text, "Max open files", &facts->files_max);
}
