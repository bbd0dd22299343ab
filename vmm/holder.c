/* SPDX-License-Identifier: MIT */
#include "vmm/holder.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	WORDS_BYTES_MAX = 1024 * 1024,
	LOCK_BYTES_MAX = 4096,
	COMMAND_BYTES_MAX = 160,
};

/* What this process was called with, for people: "hv snap commit dc01". */
static json_t *own_command(void)
{
	cleanup_strbuf struct strbuf shown = {0};
	cleanup_free char *words = NULL;
	size_t len = 0, cut = COMMAND_BYTES_MAX;
	const char *slash;

	if (file_read(AT_FDCWD, "/proc/self/cmdline", WORDS_BYTES_MAX, &words, &len, NULL) < 0 ||
	    !len)
		return json_string("another hv");
	slash = strrchr(words, '/');
	/* Each word ends with a NUL, the first being the program's path. */
	for (const char *word = slash ? slash + 1 : words; word < words + len;
	     word += strlen(word) + 1) {
		strbuf_addf(&shown, "%s", shown.len ? " " : "");
		strbuf_add_printable(&shown, word, strlen(word), false);
	}
	if (!shown.data || shown.failed)
		return json_string("another hv");
	if (shown.len <= cut)
		return json_string(shown.data);
	/* Not within a character. */
	while (cut && ((unsigned char)shown.data[cut] & 0xc0) == 0x80)
		cut--;
	return json_sprintf("%.*s…", (int)cut, shown.data);
}

/* Who dies at once has written nothing else yet. */
int holder_sign(int lockfd, bool verb, struct error *err)
{
	const struct child self = {.pid = getpid(), .pidfd = 0};
	cleanup_json json_t *described = adopt_describe(&self);
	cleanup_free char *text = NULL;

	if (verb && described)
		(void)json_object_set_new(described, "command", own_command());
	text = json_dumps(described, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		return error_oom(err);
	if (ftruncate(lockfd, 0) < 0)
		return error_errno(err, errno, "empty it");
	return file_write_all(lockfd, text, strlen(text), err);
}

json_t *holder_read(int dirfd, const char *name)
{
	cleanup_free char *text = NULL;

	if (file_read_plain(dirfd, name, LOCK_BYTES_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return json_loads(text, 0, NULL);
}

int holder_check(int dirfd, const char *name, struct error *err)
{
	cleanup_json json_t *holder = file_is_locked(dirfd, name) ? holder_read(dirfd, name) : NULL;
	const char *command = json_get_string(holder, "command");

	if (!command || !adopt_lives(holder))
		return 0;
	return error_set(err, EBUSY, "it is held by '%s' (pid %d), which works on its files",
			 command, (int)json_integer_value(json_object_get(holder, "pid")));
}
