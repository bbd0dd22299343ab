/* SPDX-License-Identifier: MIT */
/*
 * Landlock says once more what the mounts say: should a program come by a way out of
 * its root, or a descriptor of a folder, it still opens nothing but what was bound.
 * The kernel's version of it decides what is handled; the constants stand here, for
 * the headers of the machine that builds may be older than the kernel that runs.
 */
#include "jail/landlock.h"
#include "jail/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_BLOCK = 1 << 11,
	FS_ALL_1 = (1 << 13) - 1,
	FS_REFER = 1 << 13, /* version 2 */
	FS_TRUNCATE = 1 << 14, /* 3 */
	FS_IOCTL_DEV = 1 << 15, /* 5 */
	NET_BIND_AND_CONNECT_TCP = 3, /* 4 */
	SCOPE_SOCKETS_AND_SIGNALS = 3, /* 6 */
	RULE_PATH_BENEATH = 1,
	CREATE_RULESET_VERSION = 1,
	/* What can be said of something that is not a folder. */
	FS_OF_A_FILE = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
};

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

int jail_landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

static struct ruleset handled_by(int version, bool host_network)
{
	return (struct ruleset){
		.fs = FS_ALL_1 | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
		      (version >= 5 ? FS_IOCTL_DEV : 0),
		.net = version >= 4 && !host_network ? NET_BIND_AND_CONNECT_TCP : 0,
		.scoped = version >= 6 ? SCOPE_SOCKETS_AND_SIGNALS : 0,
	};
}

static uint64_t wanted_for(const struct jail_bind *b)
{
	uint64_t fs = FS_READ_FILE | FS_READ_DIR | (b->runs ? FS_EXECUTE : 0);

	if (b->writable)
		fs |= FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE;
	return b->device ? fs | FS_IOCTL_DEV : fs;
}

/* Where a bind is found now: in the new root, or where there is none, outside. */
static int open_bind(const struct jail_spec *spec, const struct jail_bind *b)
{
	bool inside = jail_has(spec, JAIL_LAYER_MOUNT);

	if (b->link || (b->text && !inside))
		return -1;
	if (inside || b->within)
		return open(jail_bind_target(b), O_PATH | O_CLOEXEC);
	return b->source ? open(b->source, O_PATH | O_CLOEXEC) : fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
}

static int allow(const struct jail_spec *spec, int ruleset, const struct ruleset *handled)
{
	for (size_t i = 0; i < spec->n_binds; i++) {
		const struct jail_bind *b = &spec->binds[i];
		struct path_beneath rule = {.parent_fd = open_bind(spec, b)};
		struct stat st;
		int rc = 0;

		if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) < 0) {
			if (b->optional || b->link || b->text)
				continue;
			return -errno;
		}
		rule.allowed = wanted_for(b) & handled->fs;
		if (!S_ISDIR(st.st_mode))
			rule.allowed &= FS_OF_A_FILE;
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
			rc = -errno;
		(void)close(rule.parent_fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int jail_restrict_access(struct jail_start *start, const char **ret_what)
{
	const struct jail_spec *spec = start->spec;
	struct ruleset handled;
	int version = jail_landlock_version(), fd, rc;

	*ret_what = "restrict access by Landlock";
	if (version == 0)
		return 0;
	handled = handled_by(version, spec->host_network);
	/* A kernel before version 4 or 6 knows no bytes beyond what it handles, but
	 * accepts zeroes there. */
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (fd < 0)
		return -errno;
	rc = allow(spec, fd, &handled);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}

int jail_restrict_writing(int folder_fd)
{
	int version = jail_landlock_version(), fd, rc = 0;
	struct ruleset handled = handled_by(version, false);
	struct path_beneath rule = {.parent_fd = folder_fd};

	if (version == 0)
		return 0;
	handled.fs &= ~(uint64_t)(FS_EXECUTE | FS_READ_FILE | FS_READ_DIR);
	rule.allowed = handled.fs & ~(uint64_t)(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV);
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &rule, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}
