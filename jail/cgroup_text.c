/* SPDX-License-Identifier: MIT */
#include "jail/cgroup_text.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <inttypes.h>
#include <sys/sysmacros.h>

/* How often a share of CPU time is given out, in microseconds: the kernel's default. */
enum { CPU_PERIOD_US = 100000 };

/* The next line of *text without its end, which moves behind it; NULL at the end. */
static const char *take_line(const char **text, size_t *ret_len)
{
	const char *line = *text;

	if (!*line)
		return NULL;
	*ret_len = strcspn(line, "\n");
	*text = line + *ret_len + (line[*ret_len] == '\n');
	return line;
}

char *cgroup_text_own(const char *proc_cgroup)
{
	const char *line;
	size_t len;

	while ((line = take_line(&proc_cgroup, &len)))
		if (len > 3 && strncmp(line, "0::/", 4) == 0)
			return strndup(line + 3, len - 3);
	return NULL;
}

bool cgroup_text_is_v1(const char *proc_cgroup, const char *controller)
{
	size_t wanted = strlen(controller), len;
	const char *line;

	while ((line = take_line(&proc_cgroup, &len))) {
		const char *end = line + len, *p = memchr(line, ':', len);

		/* NUMBER:CONTROLLER,CONTROLLER:PATH */
		for (p = p ? p + 1 : end; p < end && *p != ':'; p += *p == ',') {
			size_t word = strcspn(p, ",:\n");

			if (word == wanted && strncmp(p, controller, word) == 0)
				return true;
			p += word;
		}
	}
	return false;
}

/* The nth field of a line, from 0; empty where there are fewer. */
static const char *field(const char *line, size_t line_len, size_t n, size_t *ret_len)
{
	const char *end = line + line_len;

	for (; n && line < end; n--) {
		const char *space = memchr(line, ' ', (size_t)(end - line));

		line = space ? space + 1 : end;
	}
	*ret_len = 0;
	while (line + *ret_len < end && line[*ret_len] != ' ')
		++*ret_len;
	return line;
}

/* Space, tab, newline and backslash stand as \040 and so on. */
static char *unescape(const char *text, size_t len)
{
	char *out = malloc(len + 1), *o = out;

	for (size_t i = 0; out && i < len; i++) {
		if (text[i] == '\\' && i + 3 < len && strspn(text + i + 1, "01234567") >= 3) {
			*o++ = (char)((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
				      (text[i + 3] - '0'));
			i += 3;
		} else {
			*o++ = text[i];
		}
	}
	if (out)
		*o = '\0';
	return out;
}

static bool is_cgroup2(const char *line, size_t len)
{
	static const char mark[] = " - cgroup2 ";
	const char *found = memmem(line, len, mark, sizeof(mark) - 1);

	return found != NULL;
}

char *cgroup_text_folder(const char **mountinfo, const char *group, size_t *ret_top_len)
{
	const char *line;
	size_t len;

	while ((line = take_line(mountinfo, &len))) {
		cleanup_free char *root = NULL, *point = NULL;
		const char *text, *below;
		size_t text_len;

		if (!is_cgroup2(line, len))
			continue;
		text = field(line, len, 3, &text_len);
		root = unescape(text, text_len);
		text = field(line, len, 4, &text_len);
		point = unescape(text, text_len);
		if (!root || !point)
			return NULL;
		below = str_eq(root, "/") ? group : str_after(group, root);
		if (!below || (*below && *below != '/'))
			continue;
		*ret_top_len = strlen(point);
		return str_printf("%s%s", point, str_eq(below, "/") ? "" : below);
	}
	return NULL;
}

bool cgroup_text_has_word(const char *list, const char *word)
{
	size_t wanted = strlen(word);

	while (*list) {
		size_t len = strcspn(list, " \n");

		if (len == wanted && strncmp(list, word, len) == 0)
			return true;
		list += len;
		list += strspn(list, " \n");
	}
	return false;
}

bool cgroup_text_get(const char *text, const char *key, uint64_t *ret_value)
{
	const char *line;
	size_t len;

	while ((line = take_line(&text, &len))) {
		size_t key_len = strlen(key);
		char number[24];

		if (len <= key_len || strncmp(line, key, key_len) != 0 || line[key_len] != ' ')
			continue;
		return str_format(number, sizeof(number), "%.*s", (int)(len - key_len - 1),
				  line + key_len + 1) &&
		       str_parse_u64(number, UINT64_MAX, ret_value);
	}
	return false;
}

void cgroup_text_cpu(char *buf, size_t size, unsigned milli)
{
	(void)str_format(buf, size, "%" PRIu64 " %d", (uint64_t)milli * (CPU_PERIOD_US / 1000),
			 CPU_PERIOD_US);
}

void cgroup_text_io(char *buf, size_t size, dev_t device, uint64_t bytes)
{
	(void)str_format(buf, size, "%u:%u rbps=%" PRIu64 " wbps=%" PRIu64, major(device),
			 minor(device), bytes, bytes);
}
