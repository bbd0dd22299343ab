/* SPDX-License-Identifier: MIT */
#include "disk/qemu_img.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>

static char *find(struct error *err)
{
	char *program = file_find_program("qemu-img");

	if (!program)
		(void)error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	return program;
}

int qemu_img_run(char *const *argv, int timeout_ms, struct error *err)
{
	cleanup_free char *program = find(err);

	return program ? child_run(program, argv, NULL, 0, timeout_ms, NULL, err) : -ENOENT;
}

int qemu_img_run_watched(char *const *argv, const struct child_watch *watch, struct error *err)
{
	cleanup_free char *program = find(err);

	return program ? child_run_watched(program, argv, watch, err) : -ENOENT;
}
