/* SPDX-License-Identifier: MIT */
#include "cli/qmp_history.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* libedit's first line. */
#define COOKIE "_HiStOrY_V2_\n"

/* In the user's state folder, which is made where it is missing. */
static char *history_path(void)
{
	static const char *const steps[] = {"/.local", "/state", "/hv"};
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	cleanup_strbuf struct strbuf path = {0};

	if ((!state || *state != '/') && (!home || *home != '/'))
		return NULL;
	strbuf_addf(&path, "%s", state && *state == '/' ? state : home);
	for (size_t i = state && *state == '/' ? 2 : 0; i < ARRAY_SIZE(steps); i++) {
		strbuf_addf(&path, "%s", steps[i]);
		if (path.failed || (mkdir(path.data, 0700) < 0 && errno != EEXIST))
			return NULL;
	}
	strbuf_addf(&path, "/qmp_history");
	return strbuf_steal(&path);
}

/* Opens it for its owner alone, and locks it: shells that run side by side write in turn. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

/* As strvis() does, which the C library has not: what libedit reads back. */
static void add_line(struct strbuf *to, const char *line)
{
	for (const char *p = line; *p; p++)
		if (*p > ' ' && *p < '\177' && *p != '\\')
			strbuf_add(to, p, 1);
		else
			strbuf_addf(to, "\\%03o", (unsigned)(unsigned char)*p);
	/* It keeps the end of the line as a part of it. */
	strbuf_addf(to, "\\012\n");
}

void qmp_history_add(const char *path, const char *line)
{
	cleanup_close int fd = path ? open_file(path) : -1;
	cleanup_strbuf struct strbuf text = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (!st.st_size)
		strbuf_addf(&text, COOKIE);
	add_line(&text, line);
	if (!text.failed)
		(void)file_write_all(fd, text.data, text.len, NULL);
}

/* Writes those that history holds in place of the whole file. */
static void trim(const struct edit_library *lib, History *history, const char *path)
{
	cleanup_free char *fresh = str_printf("%s.%ld", path, (long)getpid());
	HistEvent ev;

	if (!fresh || lib->history(history, &ev, H_SAVE, fresh) < 0 || chmod(fresh, 0600) < 0 ||
	    rename(fresh, path) < 0)
		(void)unlink(fresh ? fresh : "");
}

void qmp_history_open(const struct edit_library *lib, History *history, int most, char **ret_path)
{
	char *path = history_path();
	HistEvent ev;
	struct stat st;
	int n;

	*ret_path = path;
	if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	n = lib->history(history, &ev, H_LOAD, path);
	/* What cannot be read stands in the way of what comes. */
	if (st.st_size && (n < 0 || n > 2 * most))
		trim(lib, history, path);
}
