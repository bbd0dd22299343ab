/* SPDX-License-Identifier: MIT */
#include "base/paths.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static const char *const kind_names[] = {
	[PATHS_VM] = "vm",
	[PATHS_NET] = "net",
};

static int take_path(const char *what, const char *value, const char *fallback, const char **ret,
		     struct error *err)
{
	if (!value || !*value)
		value = fallback;
	if (*value != '/')
		return error_set(err, EINVAL, "%s '%s': has to be an absolute path", what, value);
	*ret = value;
	return 0;
}

int paths_init(struct paths *ret_paths, const char *config_override, struct error *err)
{
	const char *config = config_override ? config_override : getenv("HV_CONFIG");
	struct paths p;
	int rc;

	/* The configuration is only read here and now, so it may be relative. */
	p.config = config && *config ? config : "/etc/hv";
	rc = take_path("HV_STATE", getenv("HV_STATE"), "/var/lib/hv", &p.state, err);
	if (rc == 0)
		rc = take_path("HV_RUN", getenv("HV_RUN"), "/run/hv", &p.run, err);
	if (rc == 0)
		*ret_paths = p;
	return rc;
}

char *paths_machines(const struct paths *p)
{
	return str_printf("%s/machines", p->state);
}

static int open_below(const char *root, enum paths_kind kind, const char *name, mode_t mode,
		      int make, int *ret_fd, struct error *err)
{
	cleanup_free char *parent = str_printf("%s/%s", root, kind_names[kind]);
	cleanup_close int dir = -1, fd = -1;
	int rc;

	if (!parent)
		return error_oom(err);
	if (!str_is_name(name))
		return error_set(err, EINVAL, "'%s' is not a name", name);
	if (make) {
		rc = file_mkdir_all(parent, 0755, err);
		if (rc < 0)
			return rc;
	}
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, errno, "open folder '%s'", parent);
	if (make) {
		rc = file_open_dir(dir, name, mode, &fd, err);
		if (rc < 0)
			return error_wrap(err, rc, "%s", parent);
	} else {
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* One that may be passed and not listed serves to open what is in it. */
		if (fd < 0 && errno == EACCES)
			fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, errno, "open folder '%s/%s'", parent, name);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

int paths_open_state(const struct paths *p, enum paths_kind kind, const char *name, int make,
		     int *ret_fd, struct error *err)
{
	return open_below(p->state, kind, name, 0711, make, ret_fd, err);
}

int paths_open_run(const struct paths *p, enum paths_kind kind, const char *name, int make,
		   int *ret_fd, struct error *err)
{
	return open_below(p->run, kind, name, 0700, make, ret_fd, err);
}
