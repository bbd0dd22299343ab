/* SPDX-License-Identifier: MIT */
/*
 * Private to disk/: an image while it is made, FOLDER/.FILE.new. It gets its name when it
 * is complete and on the disk, and never in the place of another one. Who makes it
 * holds a lock on it, so what a crash left is taken over, and what somebody else makes
 * is not.
 */
#ifndef HV_DISK_UNFINISHED_H
#define HV_DISK_UNFINISHED_H

struct error;

struct disk_unfinished {
	int fd; /* open for reading and writing; -1: none */
	char *path, *temp, *folder;
};

#define DISK_UNFINISHED_INIT \
	{                    \
		.fd = -1     \
	}

/* Empty, mode 0600. -EEXIST where path is there, -EBUSY where somebody makes it now. */
int disk_unfinished_begin(const char *path, struct disk_unfinished *ret, struct error *err);

/* Gives it its name; ends it either way. */
int disk_unfinished_finish(struct disk_unfinished *u, struct error *err);

/* Removes it. Accepts one that was ended. */
void disk_unfinished_abandon(struct disk_unfinished *u);

#endif
