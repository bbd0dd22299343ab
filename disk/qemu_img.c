/* SPDX-License-Identifier: MIT */
#include "disk/qemu_img.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>

int qemu_img_run(char *const *argv, int timeout_ms, struct error *err)
{
	cleanup_free char *program = file_find_program("qemu-img");

	if (!program)
		return error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	return child_run(program, argv, NULL, 0, timeout_ms, NULL, err);
}
