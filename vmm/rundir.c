/* SPDX-License-Identifier: MIT */
#include "vmm/rundir.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/holder.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"
#include "vmm/names.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define STATUS_FILE "status.json"

enum { STATUS_BYTES_MAX = 1024 * 1024, ACQUIRE_TRIES = 100, DYING_MS = 1000 };

/* What is written in the folder belongs to its group (base/file.c), sockets by
 * vmm/supervisor/peer.c; what members may do with it is a matter of its own mode. */
static int open_to_group(int dirfd, int lockfd, gid_t group, struct error *err)
{
	int rc;

	if (group == PEER_NO_GROUP)
		rc = fchmod(dirfd, 0700);
	else
		rc = fchown(dirfd, (uid_t)-1, group) < 0 || fchmod(dirfd, 0750) < 0 ||
				     fchown(lockfd, (uid_t)-1, group) < 0 ||
				     fchmod(lockfd, 0640) < 0
			     ? -1
			     : 0;
	return rc < 0 ? error_errno(err, errno, "open the run folder to its group") : 0;
}

static int wait_for_lock(void *arg)
{
	const int *dirfd = arg;
	int lockfd;

	return file_lock_wait(*dirfd, LOCK_FILE, &lockfd, NULL) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The kernel has no wait for a lock that ends by time; a process that waits does. */
static bool await_lock(int dirfd)
{
	enum { WAITER_FD = 3 };
	int target = WAITER_FD, status = -1;
	cleanup_child struct child waiter = CHILD_INIT;
	const struct child_spec spec = {
		.path = "waiter",
		.fds = (struct child_fd[]){{dirfd, target}},
		.n_fds = 1,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
		.cgroup_fd = -1,
		.run = wait_for_lock,
		.run_arg = &target,
	};

	return child_spawn(&spec, &waiter, NULL) == 0 &&
	       child_wait(&waiter, DYING_MS, &status, NULL) == 0 && status == 0;
}

/* Whoever was killed holds its lock until it has gone; and so does, for as long, a
 * child that it was about to make. */
static bool await_dying(int dirfd)
{
	cleanup_json json_t *holder = holder_read(dirfd, LOCK_FILE);
	struct child keeper = CHILD_INIT;
	bool dying;

	if (adopt_find(holder, &keeper) < 0)
		return await_lock(dirfd);
	dying = child_is_ending(&keeper) && child_wait(&keeper, DYING_MS, NULL, NULL) == 0;
	close_fd(&keeper.pidfd);
	return dying && (!file_is_locked(dirfd, LOCK_FILE) || await_lock(dirfd));
}

void rundir_settle(const struct paths *paths, enum paths_kind kind, const char *name)
{
	cleanup_close int dirfd = -1;

	if (paths_open_run(paths, kind, name, 0, &dirfd, NULL) == 0 &&
	    file_is_locked(dirfd, LOCK_FILE))
		(void)await_dying(dirfd);
}

int rundir_check_held(const struct paths *paths, enum paths_kind kind, const char *name,
		      struct error *err)
{
	cleanup_close int dirfd = -1;

	return paths_open_run(paths, kind, name, 0, &dirfd, NULL) < 0
		       ? 0
		       : holder_check(dirfd, LOCK_FILE, err);
}

static int acquire(const struct paths *paths, enum paths_kind kind, const char *name, bool holds,
		   struct rundir *ret_dir, struct error *err)
{
	gid_t group;
	int rc = peer_group(&group, err);

	if (rc < 0)
		return rc;
	/* A supervisor that ends removes the folder under us: then again. */
	for (int i = 0; i < ACQUIRE_TRIES; i++) {
		cleanup_close int dirfd = -1;
		int lockfd;

		rc = paths_open_run(paths, kind, name, 1, &dirfd, err);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0)
			rc = file_lock(dirfd, LOCK_FILE, &lockfd, err);
		if (rc == 0) {
			rc = error_wrap_if(err, holder_sign(lockfd, holds, err),
					   "write '" LOCK_FILE "'");
			if (rc == 0)
				rc = open_to_group(dirfd, lockfd, group, err);
			if (rc < 0) {
				close_fd(&lockfd);
				return rc;
			}
			*ret_dir = (struct rundir){
				.dirfd = steal_fd(&dirfd), .lockfd = lockfd, .group = group};
			return 0;
		}
		if (rc == -EWOULDBLOCK && await_dying(dirfd))
			continue;
		if (rc == -EWOULDBLOCK)
			return holder_check(dirfd, LOCK_FILE, err) < 0
				       ? -EBUSY
				       : error_set(err, EALREADY, "another supervisor serves it");
		if (rc != -ENOENT)
			return rc;
	}
	return rc;
}

int rundir_acquire(const struct paths *paths, enum paths_kind kind, const char *name,
		   struct rundir *ret_dir, struct error *err)
{
	return acquire(paths, kind, name, false, ret_dir, err);
}

int rundir_hold(const struct paths *paths, enum paths_kind kind, const char *name,
		struct rundir *ret_dir, struct error *err)
{
	return acquire(paths, kind, name, true, ret_dir, err);
}

void rundir_release(struct rundir *dir)
{
	close_fd(&dir->lockfd);
	close_fd(&dir->dirfd);
}

void rundir_remove(struct rundir *dir, const struct paths *paths, enum paths_kind kind,
		   const char *name)
{
	cleanup_free char *parent =
		str_printf("%s/%s", paths->run, kind == PATHS_VM ? "vm" : "net");
	cleanup_close int parentfd = -1;

	if (parent && dir->dirfd >= 0)
		parentfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parentfd >= 0) {
		/* The lock last: a newcomer that takes the name after it finds
		 * nothing of ours and loses nothing of its own. */
		(void)file_remove_entries(dir->dirfd, LOCK_FILE, NULL);
		(void)unlinkat(dir->dirfd, LOCK_FILE, 0);
		(void)unlinkat(parentfd, name, AT_REMOVEDIR);
		/* The last one out; a folder in use stays. */
		(void)unlinkat(AT_FDCWD, parent, AT_REMOVEDIR);
	}
	rundir_release(dir);
}

int rundir_write_status(const struct rundir *dir, json_t *status, struct error *err)
{
	cleanup_free char *text = status ? json_dumps(status, JSON_COMPACT) : NULL;

	if (!text)
		return error_oom(err);
	return file_write_volatile(dir->dirfd, STATUS_FILE, text, strlen(text), 0640, err);
}

int rundir_open_status(const struct rundir *dir)
{
	return openat(dir->dirfd, STATUS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

json_t *rundir_own_status(const struct rundir *dir)
{
	cleanup_free char *text = NULL;

	if (file_read_plain(dir->dirfd, STATUS_FILE, STATUS_BYTES_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return json_loads(text, 0, NULL);
}

int rundir_read_status(const struct paths *paths, enum paths_kind kind, const char *name,
		       json_t **ret_status, bool *ret_served, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_close int dirfd = -1;
	bool served;
	int rc;

	rc = paths_open_run(paths, kind, name, 0, &dirfd, err);
	if (rc == -ENOENT) {
		*ret_status = NULL;
		*ret_served = false;
		return 0;
	}
	if (rc < 0)
		return rc;
	served = file_is_locked(dirfd, LOCK_FILE);
	rc = file_read_plain(dirfd, STATUS_FILE, STATUS_BYTES_MAX, &text, NULL, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_status = text ? json_loads(text, 0, NULL) : NULL;
	*ret_served = served;
	return 0;
}

int rundir_look(const struct paths *paths, enum paths_kind kind, const char *name,
		enum rundir_state *ret_state, struct error *err)
{
	cleanup_close int dirfd = -1;
	int rc = paths_open_run(paths, kind, name, 0, &dirfd, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_state = rc == -ENOENT                      ? RUNDIR_NONE
		     : file_is_locked(dirfd, LOCK_FILE) ? RUNDIR_SERVED
							: RUNDIR_LEFT;
	return 0;
}

int rundir_connect(const struct paths *paths, enum paths_kind kind, const char *name,
		   const char *socket, int *ret_fd, struct error *err)
{
	cleanup_close int dirfd = -1;
	int rc;

	rc = paths_open_run(paths, kind, name, 0, &dirfd, err);
	if (rc < 0)
		return rc;
	return fd_connect_unix(dirfd, socket, ret_fd, err);
}

int rundir_connect_vm(const struct paths *paths, const char *name, int *ret_fd, struct error *err)
{
	int rc = rundir_connect(paths, PATHS_VM, name, NAME_QMP, ret_fd, err);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(err, ENOTCONN, "it is not up (hv up %s)", name);
	return rc;
}
