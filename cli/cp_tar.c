/* SPDX-License-Identifier: MIT */
#include "cli/cp_tar.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What GNU tar exits with where a file changed under its hands. */
enum { TAR_DIFFERS = 1 };

static int confine(void *arg, int report_fd, const char **ret_what)
{
	int here = open(".", O_PATH | O_CLOEXEC), rc;

	(void)arg;
	(void)report_fd;
	*ret_what = "open its folder";
	rc = here < 0 ? -errno : jail_write_beneath(here, ret_what);
	if (here >= 0)
		(void)close(here);
	return rc;
}

static int spawn(const char *const *argv, bool packs, int folder_fd, struct cp_tar *ret_tar,
		 struct error *err)
{
	static const char *const env[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
	cleanup_free char *program = file_find_program("tar");
	cleanup_close int ours = -1, theirs = -1, said = -1;
	struct child_spec spec = {
		.path = program,
		.argv = (char *const *)argv,
		.env = (char *const *)env,
		.cwd_fd = folder_fd,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.confine = packs ? NULL : confine,
	};
	int rc;

	if (!program)
		return error_set(err, ENOENT, "tar is not installed");
	said = memfd_create("hv-tar", MFD_CLOEXEC);
	if (said < 0)
		return error_errno(err, errno, "a place for what tar says");
	rc = packs ? fd_pipe(&ours, &theirs, err) : fd_pipe(&theirs, &ours, err);
	if (rc < 0)
		return rc;
	*(packs ? &spec.stdout_fd : &spec.stdin_fd) = theirs;
	spec.stderr_fd = said;
	ret_tar->child = (struct child)CHILD_INIT;
	rc = child_spawn(&spec, &ret_tar->child, err);
	if (rc < 0)
		return rc;
	ret_tar->fd = steal_fd(&ours);
	ret_tar->said = steal_fd(&said);
	return 0;
}

int cp_tar_pack(int folder_fd, struct cp_tar *ret_tar, struct error *err)
{
	static const char *const argv[] = {"tar", "-c", "-f", "-", ".", NULL};

	return spawn(argv, true, folder_fd, ret_tar, err);
}

int cp_tar_unpack(int folder_fd, struct cp_tar *ret_tar, struct error *err)
{
	static const char *const argv[] = {
		"tar", "-x", "--no-same-owner", "--no-same-permissions", "-f", "-", NULL};

	return spawn(argv, false, folder_fd, ret_tar, err);
}

static void add_words(struct strbuf *into, int said)
{
	char text[512];
	ssize_t n = pread(said, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	strbuf_add_printable(into, text, strcspn(text, "\n"), false);
}

int cp_tar_finish(struct cp_tar *tar, bool changing, struct error *err)
{
	cleanup_strbuf struct strbuf words = {0};
	int status, rc;

	close_fd(&tar->fd);
	rc = child_wait(&tar->child, -1, &status, err);
	if (rc < 0)
		return rc;
	if (status == 0 || (changing && WIFEXITED(status) && WEXITSTATUS(status) == TAR_DIFFERS))
		return 0;
	add_words(&words, tar->said);
	if (!words.len) {
		char how[64];

		child_describe_status(how, sizeof(how), status);
		return error_set(err, EIO, "tar %s", how);
	}
	return error_set(err, EIO, "%s", words.data);
}

void cp_tar_destroy(struct cp_tar *tar)
{
	close_fd(&tar->fd);
	child_destroy(&tar->child);
	close_fd(&tar->said);
}
