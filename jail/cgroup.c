/* SPDX-License-Identifier: MIT */
#include "jail/cgroup.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "jail/cgroup_place.h"
#include "jail/cgroup_text.h"
#include "jail/device_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { END_MS = 2000, TEXT_MAX = 4096 };

static int write_file(int dirfd, const char *name, const char *text)
{
	cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	/* One write: the kernel takes each as a whole. */
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Says why a limit could not be written. */
static void limit_one(int dirfd, const char *file, const char *text, const char *key,
		      struct strv *missing)
{
	int rc = write_file(dirfd, file, text);

	if (rc == -ENOENT)
		strv_addf(missing, "%s: the controller '%.*s' is not available to this group", key,
			  (int)strcspn(file, "."), file);
	else if (rc < 0)
		strv_addf(missing, "%s: '%s' cannot be written to %s: %s", key, text, file,
			  strerror(-rc));
}

void cgroup_limit(int dirfd, const struct cgroup_limits *l, struct strv *missing)
{
	char text[96];

	if (l->cpus_milli) {
		cgroup_text_cpu(text, sizeof(text), l->cpus_milli);
		limit_one(dirfd, "cpu.max", text, "cpus", missing);
	}
	if (l->memory_bytes) {
		(void)str_format(text, sizeof(text), "%llu", (unsigned long long)l->memory_bytes);
		limit_one(dirfd, "memory.max", text, "memory_max", missing);
		/* A machine without its QEMU, or without its TPM, is none. */
		(void)write_file(dirfd, "memory.oom.group", "1");
	}
	if (l->pids) {
		(void)str_format(text, sizeof(text), "%u", l->pids);
		limit_one(dirfd, "pids.max", text, "pids", missing);
	}
	for (size_t i = 0; l->io_bytes && i < l->n_io_devices; i++) {
		cgroup_text_io(text, sizeof(text), l->io_devices[i], l->io_bytes);
		limit_one(dirfd, "io.max", text, "io", missing);
	}
}

static bool is_populated(int dirfd)
{
	cleanup_free char *text = NULL;
	uint64_t populated;

	if (file_read(dirfd, "cgroup.events", TEXT_MAX, &text, NULL, NULL) < 0)
		return false;
	return cgroup_text_get(text, "populated", &populated) && populated;
}

/* The kernel tells by the file itself when the last process has gone. */
static int wait_empty(int dirfd, struct error *err)
{
	cleanup_close int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	uint64_t until = clock_now_usec() + END_MS * 1000ULL;
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	char buf[256];

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open cgroup.events");
	for (;;) {
		uint64_t now = clock_now_usec(), populated;
		ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

		if (n < 0)
			return errno == ENODEV ? 0 : error_errno(err, errno, "read cgroup.events");
		buf[n] = '\0';
		if (!cgroup_text_get(buf, "populated", &populated) || !populated)
			return 0;
		if (now >= until)
			return error_set(err, ETIMEDOUT, "its processes do not end");
		if (poll(&p, 1, (int)((until - now) / 1000) + 1) < 0 && errno != EINTR)
			return error_errno(err, errno, "poll");
	}
}

static int kill_all(int dirfd, struct error *err)
{
	int rc;

	if (!is_populated(dirfd))
		return 0;
	rc = write_file(dirfd, "cgroup.kill", "1");
	if (rc < 0)
		return error_errno(err, -rc, "end its processes by cgroup.kill");
	return wait_empty(dirfd, err);
}

int cgroup_kill(struct cgroup *c, struct error *err)
{
	return error_wrap_if(err, c->fd < 0 ? 0 : kill_all(c->fd, err), "control group '%s'",
			     c->path);
}

static int remove_group(int base_fd, const char *name, struct error *err)
{
	cleanup_close int fd =
		openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open it");
	rc = kill_all(fd, err);
	if (rc < 0)
		return rc;
	if (unlinkat(base_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove it");
	return 0;
}

void cgroup_close(struct cgroup *c)
{
	close_fd(&c->fd);
	close_fd(&c->base_fd);
	free(c->name);
	free(c->path);
	free(c->top);
	*c = (struct cgroup)CGROUP_INIT;
}

int cgroup_remove(struct cgroup *c, struct error *err)
{
	int rc = 0;

	if (c->base_fd >= 0 && c->name)
		rc = error_wrap_if(err, remove_group(c->base_fd, c->name, err),
				   "control group '%s'", c->path);
	/* The folder for all machines goes with the last: the kernel keeps it else. */
	if (rc == 0 && c->top)
		(void)rmdir(c->top);
	cgroup_close(c);
	return rc;
}

static int open_group(const char *name, struct cgroup *c, struct error *err)
{
	c->fd = openat(c->base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return c->fd < 0 ? error_errno(err, errno, "open it") : 0;
}

static int take_place(struct cgroup_place *place, const char *name, struct cgroup *c,
		      struct error *err)
{
	c->base_fd = steal_fd(&place->fd);
	c->name = strdup(name);
	c->path = str_printf("%s/%s", place->path, name);
	if (place->ours)
		c->top = steal_ptr(&place->folder);
	return c->name && c->path && (c->top || !place->ours) ? 0 : error_oom(err);
}

static int make_in(struct cgroup_place *place, const struct cgroup_spec *spec, struct cgroup *c,
		   struct strv *missing, struct error *err)
{
	struct error why = ERROR_INIT;
	int rc;

	cgroup_place_enable(place);
	rc = remove_group(place->fd, spec->name, err);
	if (rc < 0)
		return rc;
	if (mkdirat(place->fd, spec->name, 0755) < 0)
		return error_errno(err, errno, "make it");
	rc = take_place(place, spec->name, c, err);
	if (rc == 0)
		rc = open_group(spec->name, c, err);
	if (rc < 0)
		return rc;
	cgroup_limit(c->fd, &spec->limits, missing);
	if (device_filter_attach(c->fd, spec->devices, spec->n_devices, &why) < 0)
		strv_addf(missing, "%s", why.text);
	return 0;
}

/* Another machine that was the last may remove the folder for all of them while this
 * one is about to use it. */
enum { TRIES = 8 };

int cgroup_make(const struct cgroup_spec *spec, struct cgroup *ret_cgroup, struct strv *missing,
		struct error *err)
{
	int rc = -ENOENT;

	for (int i = 0; i < TRIES && rc == -ENOENT; i++) {
		struct cgroup c = CGROUP_INIT;
		cleanup_cgroup_place struct cgroup_place place = CGROUP_PLACE_INIT;

		rc = cgroup_place_open(&place, err);
		if (rc < 0)
			continue;
		rc = make_in(&place, spec, &c, missing, err);
		if (rc == 0) {
			*ret_cgroup = c;
			return 0;
		}
		rc = error_wrap(err, rc, "control group '%s'", spec->name);
		(void)cgroup_remove(&c, NULL);
		if (place.ours && place.folder)
			(void)rmdir(place.folder);
	}
	return rc;
}

/* Splits the path of a group into the folder it lies in and its name. */
static int split_path(const char *path, struct cgroup *c, struct error *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *above = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	cleanup_free char *folder = above ? cgroup_place_folder(*above ? above : "/") : NULL;

	if (!folder)
		return error_set(err, EOPNOTSUPP, "no cgroup v2 to be seen");
	c->name = strdup(slash + 1);
	c->path = strdup(path);
	c->base_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (!c->name || !c->path)
		return error_oom(err);
	if (c->base_fd < 0)
		return error_errno(err, errno, "open '%s'", folder);
	if (str_eq(above, "/" CGROUP_FOLDER))
		c->top = steal_ptr(&folder);
	return 0;
}

int cgroup_find(const char *path, struct cgroup *ret_cgroup, struct error *err)
{
	struct cgroup c = CGROUP_INIT;
	int rc;

	rc = split_path(path, &c, err);
	if (rc == 0)
		rc = open_group(c.name, &c, err);
	if (rc < 0) {
		cgroup_close(&c);
		return error_wrap(err, rc, "control group '%s'", path);
	}
	*ret_cgroup = c;
	return 0;
}

int cgroup_block_device(dev_t device, dev_t *ret_disk)
{
	cleanup_free char *folder =
		str_printf("/sys/dev/block/%u:%u", major(device), minor(device));
	cleanup_close int fd = folder ? open(folder, O_PATH | O_CLOEXEC) : -1;
	cleanup_free char *text = NULL;
	uint64_t disk_major, disk_minor;
	char *colon;

	if (fd < 0)
		return -ENODEV;
	/* A partition's folder lies in its disk's. */
	if (faccessat(fd, "partition", F_OK, 0) < 0) {
		*ret_disk = device;
		return 0;
	}
	if (file_read(fd, "../dev", 64, &text, NULL, NULL) < 0)
		return -ENODEV;
	text[strcspn(text, "\n")] = '\0';
	colon = strchr(text, ':');
	if (!colon)
		return -ENODEV;
	*colon = '\0';
	if (!str_parse_u64(text, UINT32_MAX, &disk_major) ||
	    !str_parse_u64(colon + 1, UINT32_MAX, &disk_minor))
		return -ENODEV;
	*ret_disk = makedev((unsigned)disk_major, (unsigned)disk_minor);
	return 0;
}
