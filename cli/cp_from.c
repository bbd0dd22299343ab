/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/cp_private.h"
#include "cli/cp_windows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is known of a file there. */
struct original {
	mode_t mode; /* for all that is not known: nobody has to run it */
	char sum[SHA256_TEXT_BYTES]; /* empty: not known */
};

/* The words for it are of this side, as the error names the other's file. */
static int write_here(const struct copy *c, int fd, const char *data, size_t len, struct error *err)
{
	int rc = file_write_all(fd, data, len, NULL);

	if (rc < 0 && c->is_stream)
		return error_errno(err, -rc, "write to standard output");
	return rc < 0 ? error_errno(err, -rc, "write '%s'", c->path) : 0;
}

int cp_receive(struct copy *c, json_int_t handle, int fd, struct error *err)
{
	struct qmp_sync_pending *next = NULL;
	size_t len = 1;
	int rc = cli_agent_begin_read(&c->agent, handle, CLI_AGENT_READ_BYTES, &next, err);

	while (rc == 0 && len) {
		struct qmp_sync_pending *now = steal_ptr(&next);
		cleanup_free char *data = NULL;
		int begun;

		/* Two are under way: the guest is at one while the other one is read here. */
		begun = cli_agent_begin_read(&c->agent, handle, CLI_AGENT_READ_BYTES, &next, err);
		rc = cli_agent_finish_read(&c->agent, now, CLI_AGENT_READ_BYTES, &data, &len,
					   begun < 0 ? NULL : err);
		rc = begun < 0 ? begun : rc;
		if (rc == 0)
			rc = cp_check_interrupt(c, err);
		if (rc == 0 && len)
			rc = write_here(c, fd, data, len, err);
		if (rc == 0)
			cp_count(c, data, len);
	}
	if (next) {
		cleanup_free char *beyond = NULL;

		(void)cli_agent_finish_read(&c->agent, next, CLI_AGENT_READ_BYTES, &beyond, &len,
					    NULL);
	}
	return rc;
}

static int compare(struct copy *c, const char *there, struct error *err)
{
	char sum[SHA256_TEXT_BYTES];

	sha256_finish(&c->sum, sum);
	if (!*there || strncmp(there, sum, SHA256_TEXT_BYTES - 1) == 0)
		return 0;
	return error_set(err, EREMOTEIO,
			 "vm '%s': '%s': what arrived is not what is there (its checksum "
			 "differs; where the file changes, --no-checksum)",
			 c->agent.name, c->guest_path);
}

/* A line with the mode, where there is one, and what sha256sum says. */
static void take_original(const char *said, struct original *ret_original)
{
	size_t digits = strspn(said, "01234567");
	const char *sum = strchr(said, '\n');

	if (digits && said[digits] == '\n')
		ret_original->mode = (mode_t)strtoul(said, NULL, 8) & 0777;
	if (sum)
		(void)str_format(ret_original->sum, sizeof(ret_original->sum), "%.*s",
				 SHA256_TEXT_BYTES - 1, sum + 1);
}

static void end_script(struct copy *c, json_int_t pid)
{
	char number[24];

	(void)str_format(number, sizeof(number), "%lld", (long long)pid);
	(void)cp_run_script(c, "kill \"$1\"", (const char *const[]){number, NULL}, NULL, NULL);
}

/* The guest makes the checksum while the file is on its way; one that cannot is believed. */
static int receive_file(struct copy *c, int fd, struct original *ret_original, struct error *err)
{
	static const char script[] = "stat -L -c %a -- \"$1\" 2>/dev/null || echo\n"
				     "[ \"$2\" ] && command -v sha256sum >/dev/null || exit 0\n"
				     "exec sha256sum <\"$1\"\n";
	const char *words[] = {c->guest_path, c->checks ? "y" : "", NULL};
	cleanup_free char *out = NULL;
	json_int_t handle, pid = 0;
	int rc = cli_agent_open_file(&c->agent, c->guest_path, "r", &handle, err);

	if (rc < 0)
		return rc;
	c->means = CP_SHELL;
	rc = cp_begin_script(c, script, words, &pid, err);
	if (rc == -EREMOTEIO || rc == -ENOENT) {
		c->means = rc == -EREMOTEIO && cli_agent_is_windows(&c->agent) ? CP_POWERSHELL
									       : CP_NOBODY;
		rc = 0;
	}
	if (rc == 0) {
		rc = cp_receive(c, handle, fd, err);
		rc = rc < 0 ? cp_name_file(c, c->guest_path, rc, err) : 0;
	}
	(void)cli_agent_close_file(&c->agent, handle, NULL);
	/* It would go on with a large file for as long as that takes. */
	if (rc < 0 && c->means == CP_SHELL && pid)
		end_script(c, pid);
	if (rc == 0 && c->means == CP_SHELL) {
		rc = cp_finish_script(c, pid, &out, err);
		take_original(out ? out : "", ret_original);
	} else if (rc == 0 && c->means == CP_POWERSHELL && c->checks) {
		/* It could not have opened the file beside the agent. */
		rc = cp_windows_sum(c, c->guest_path, ret_original->sum, err);
	}
	return rc < 0 || !c->checks ? rc : compare(c, ret_original->sum, err);
}

/* Where it is to be, through symbolic links: what is there is replaced, if it is a plain file. */
static int choose_target(const struct copy *c, char **ret_target, struct error *err)
{
	const char *of_windows = cp_windows_name_of(c->guest_path);
	cleanup_free char *name = of_windows ? strdup(of_windows) : cp_name_of(c->guest_path);
	cleanup_free char *target = NULL, *real = NULL;
	struct stat st;

	if (name)
		target = stat(c->path, &st) == 0 && S_ISDIR(st.st_mode)
				 ? str_printf("%s/%s", c->path, name)
				 : strdup(c->path);
	if (!target)
		return error_oom(err);
	if (lstat(target, &st) < 0 && errno == ENOENT) {
		*ret_target = steal_ptr(&target);
		return 0;
	}
	if (stat(target, &st) < 0)
		return error_errno(err, errno, "replace '%s'", target);
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "'%s' is a folder", target);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL,
				 "'%s' is there and is no plain file (- is standard output)",
				 target);
	real = realpath(target, NULL);
	if (!real)
		return error_errno(err, errno, "replace '%s'", target);
	*ret_target = steal_ptr(&real);
	return 0;
}

/* The file has no name until it is whole, so that a copy which is killed leaves nothing; where
 * the file system knows no such file, one whose name *ret_temporary is. */
static int make_file(const char *target, char **ret_temporary, struct error *err)
{
	cleanup_free char *folder = strdup(target), *named = str_printf("%s.hv-XXXXXX", target);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd;

	if (!folder || !named)
		return error_oom(err);
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	fd = mkostemp(named, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "make '%s'", target);
	*ret_temporary = steal_ptr(&named);
	return fd;
}

/* Only a file with a name can replace another. */
static int name_file(int fd, const char *target, char **ret_temporary, struct error *err)
{
	char self[32], suffix[CP_SUFFIX_BYTES];
	cleanup_free char *named = NULL;

	cp_make_suffix(suffix);
	(void)str_format(self, sizeof(self), "/proc/self/fd/%d", fd);
	named = str_printf("%s.%s", target, suffix);
	if (!named)
		return error_oom(err);
	if (linkat(AT_FDCWD, self, AT_FDCWD, named, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, errno, "make '%s'", target);
	*ret_temporary = steal_ptr(&named);
	return 0;
}

int cp_from_guest(struct copy *c, struct error *err)
{
	cleanup_free char *target = NULL, *temporary = NULL;
	struct original original = {.mode = 0666};
	cleanup_close int fd = -1;
	mode_t mask = umask(0);
	int rc;

	(void)umask(mask);
	if (c->is_stream)
		return receive_file(c, STDOUT_FILENO, &original, err);
	rc = choose_target(c, &target, err);
	if (rc < 0)
		return rc;
	fd = make_file(target, &temporary, err);
	if (fd < 0)
		return fd;
	rc = receive_file(c, fd, &original, err);
	if (rc == 0 && fchmod(fd, original.mode & ~mask) < 0)
		rc = error_errno(err, errno, "make '%s'", target);
	if (rc == 0 && !temporary)
		rc = name_file(fd, target, &temporary, err);
	if (rc == 0 && rename(temporary, target) < 0)
		rc = error_errno(err, errno, "make '%s'", target);
	if (rc < 0 && temporary)
		(void)unlink(temporary);
	return rc;
}
