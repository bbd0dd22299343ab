/* SPDX-License-Identifier: MIT */
/* A folder of its own for each test that needs one; gone afterwards. */
#ifndef HV_TESTS_SCRATCH_H
#define HV_TESTS_SCRATCH_H

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
	char path[64];
	int fd;
};

/* Setup and teardown of cmocka_unit_test_setup_teardown(). */
static int scratch_setup(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	(void)snprintf(s->path, sizeof(s->path), "/tmp/hv-unit-XXXXXX");
	if (!mkdtemp(s->path))
		return -1;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = s;
	return s->fd < 0 ? -1 : 0;
}

static int scratch_teardown(void **state)
{
	struct scratch *s = *state;
	int rc = file_remove_entries(s->fd, NULL, NULL);

	close(s->fd);
	if (rmdir(s->path) < 0)
		rc = -1;
	free(s);
	return rc;
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

#endif
