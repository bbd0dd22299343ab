/* SPDX-License-Identifier: MIT */
/* A process that may write into one folder only. Needs no root; as root it has more to lose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "jail/beneath.h"
#include "jail/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static int confine(void *arg, int report_fd, const char **ret_what)
{
	cleanup_close int here = open("inside", O_PATH | O_CLOEXEC);

	(void)arg;
	(void)report_fd;
	*ret_what = "open";
	return here < 0 ? -errno : jail_write_beneath(here, ret_what);
}

#define EXPECT(condition)                \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static bool makes(const char *path)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd >= 0;
}

/* The line where something was not as it should be, as far as an exit status holds it. */
static int try_all(void *arg)
{
	(void)arg;
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(prctl(PR_CAPBSET_READ, 27 /* CAP_MKNOD */, 0, 0, 0) != 1 || geteuid() != 0);
	EXPECT(makes("inside/file"));
	EXPECT(mkdir("inside/folder", 0700) == 0);
	EXPECT(symlink("../outside", "inside/link") == 0);
	EXPECT(rename("inside/file", "inside/folder/file") == 0);
	EXPECT(mknod("inside/null", S_IFCHR | 0600, makedev(1, 3)) < 0);
	EXPECT(mknod("inside/disk", S_IFBLK | 0600, makedev(8, 0)) < 0);
	if (jail_landlock_version() == 0)
		return 0;
	EXPECT(!makes("made"));
	EXPECT(!makes("outside/made"));
	EXPECT(!makes("outside/file"));
	EXPECT(!makes("inside/link/made"));
	EXPECT(!makes("inside/link/file"));
	EXPECT(mkdir("folder", 0700) < 0);
	EXPECT(unlink("outside/file") < 0);
	EXPECT(truncate("outside/file", 0) < 0 || jail_landlock_version() < 3);
	EXPECT(link("outside/file", "inside/hard") < 0);
	EXPECT(rename("outside/file", "inside/moved") < 0);
	EXPECT(rename("inside/folder/file", "outside/moved") < 0);
	return 0;
}

static void test_beneath(void **state)
{
	char folder[] = "/tmp/hv-test-beneath.XXXXXX";
	cleanup_close int fd = -1;
	struct child_spec spec = {
		.path = "a test",
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.confine = confine,
		.run = try_all,
	};
	struct child child = CHILD_INIT;
	struct error err = ERROR_INIT;
	int status;

	(void)state;
	assert_non_null(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "inside", 0700), 0);
	assert_int_equal(mkdirat(fd, "outside", 0700), 0);
	close(openat(fd, "outside/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	spec.cwd_fd = fd;
	if (child_spawn(&spec, &child, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(child_wait(&child, 10000, &status, NULL), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, folder, NULL), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beneath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
