/* SPDX-License-Identifier: MIT */
/* Private to disk/: running qemu-img. */
#ifndef HV_DISK_QEMU_IMG_H
#define HV_DISK_QEMU_IMG_H

struct child_watch;
struct error;

enum { QEMU_IMG_MS = 120 * 1000, QEMU_IMG_NO_LIMIT = -1 };

int qemu_img_run(char *const *argv, int timeout_ms, struct error *err);

/* As child_run_watched(). */
int qemu_img_run_watched(char *const *argv, const struct child_watch *watch, struct error *err);

#endif
