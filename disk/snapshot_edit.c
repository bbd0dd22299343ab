/* SPDX-License-Identifier: MIT */
#include "disk/snapshots.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/bitmaps.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>

/* Large images with many snapshots have many reference counts to go through. */
enum { QEMU_IMG_MS = 600 * 1000 };

static const struct {
	const char *option, *words;
} edits[] = {
	[DISK_SNAPSHOT_MAKE] = {"-c", "make"},
	[DISK_SNAPSHOT_APPLY] = {"-a", "go back to"},
	[DISK_SNAPSHOT_DELETE] = {"-d", "delete"},
};
static_assert(ARRAY_SIZE(edits) == DISK_SNAPSHOT_EDIT_COUNT, "an option each");

/* The image alone: what its header says lies below it plays no part in this. */
static char *describe(const char *path)
{
	struct stat st;
	bool device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);
	json_t *image = json_pack("{s:s s:{s:s s:s} s:n}", "driver", "qcow2", "file", "driver",
				  device ? "host_device" : "file", "filename", path, "backing");
	cleanup_free char *text = image ? json_dumps(image, JSON_COMPACT) : NULL;

	json_decref(image);
	return text ? str_printf("json:%s", text) : NULL;
}

static int run(char *const *argv, struct error *err)
{
	cleanup_free char *program = file_find_program("qemu-img");

	if (!program)
		return error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	return child_run(program, argv, NULL, 0, QEMU_IMG_MS, NULL, err);
}

int disk_snapshot_edit(const char *path, enum disk_snapshot_edit what, const char *name,
		       struct error *err)
{
	cleanup_free char *image = describe(path);
	char *argv[] = {(char *)"qemu-img",
			(char *)"snapshot",
			(char *)"-q",
			(char *)edits[what].option,
			(char *)name,
			image,
			NULL};

	if (!image)
		return error_oom(err);
	return error_wrap_if(err, run(argv, err), "%s snapshot '%s' of '%s'", edits[what].words,
			     name, path);
}

int disk_check(const char *path, bool repair, struct error *err)
{
	cleanup_free char *image = describe(path);
	char *argv[] = {(char *)"qemu-img", (char *)"check", (char *)"-q", image, NULL, NULL, NULL};

	if (!image)
		return error_oom(err);
	if (repair) {
		argv[3] = (char *)"-r";
		argv[4] = (char *)"leaks";
		argv[5] = image;
	}
	return run(argv, err);
}

int disk_bitmap_remove(const char *path, const char *name, struct error *err)
{
	cleanup_free char *image = describe(path);
	char *argv[] = {(char *)"qemu-img", (char *)"bitmap",
			(char *)"--remove", image,
			(char *)name,       NULL};

	if (!image)
		return error_oom(err);
	return error_wrap_if(err, run(argv, err), "remove bitmap '%s' of '%s'", name, path);
}
