/* SPDX-License-Identifier: MIT */
#include "vmm/qemu_version.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/paths.h"
#include "base/str.h"
#include "vmm/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEPT_FILE "qemu.json"

enum { KEPT_BYTES_MAX = 4096, ASK_MS = 10 * 1000, PARTS_MAX = 99 };

unsigned qemu_version_parse(const char *line)
{
	const char *at = str_after(line, "QEMU emulator version ");
	unsigned long major, minor;
	char *end;

	if (!at || *at < '0' || *at > '9')
		return 0;
	major = strtoul(at, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return 0;
	minor = strtoul(end + 1, NULL, 10);
	return major <= PARTS_MAX && minor <= PARTS_MAX ? (unsigned)(major * 100 + minor) : 0;
}

static unsigned ask(const char *program)
{
	char *argv[] = {(char *)program, (char *)"--version", NULL};
	cleanup_free char *line = NULL;

	return child_run(program, argv, NULL, 0, ASK_MS, &line, NULL) == 0
		       ? qemu_version_parse(line)
		       : 0;
}

/* What tells one file from another under the same name. */
static json_t *describe(const char *program, const struct stat *st)
{
	return json_pack("{s:s s:I s:I s:I s:I s:I}", "program", program, "inode",
			 (json_int_t)st->st_ino, "size", (json_int_t)st->st_size, "changed",
			 (json_int_t)st->st_ctim.tv_sec, "changed_ns",
			 (json_int_t)st->st_ctim.tv_nsec, "device", (json_int_t)st->st_dev);
}

unsigned qemu_version(const struct paths *paths, const char *program)
{
	cleanup_close int dirfd = open(paths->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_json json_t *wanted = NULL, *kept = NULL;
	cleanup_free char *text = NULL, *made = NULL;
	json_int_t version = 0;
	struct stat st;

	if (stat(program, &st) < 0)
		return 0;
	wanted = describe(program, &st);
	if (dirfd >= 0 && file_read_plain(dirfd, KEPT_FILE, KEPT_BYTES_MAX, &text, NULL, NULL) == 0)
		kept = json_loads(text, 0, NULL);
	if (kept && wanted && json_equal(json_object_get(kept, "file"), wanted) &&
	    json_unpack(kept, "{s:I}", "version", &version) == 0 && version > 0 &&
	    version <= PARTS_MAX * 100 + PARTS_MAX)
		return (unsigned)version;
	version = ask(program);
	json_decref(kept);
	kept = json_pack("{s:O s:I}", "file", wanted, "version", version);
	made = kept ? json_dumps(kept, JSON_COMPACT) : NULL;
	/* One that cannot be kept is asked again. */
	if (version && made && dirfd >= 0)
		(void)file_write_atomic(dirfd, KEPT_FILE, made, strlen(made), 0644, NULL);
	return (unsigned)version;
}
