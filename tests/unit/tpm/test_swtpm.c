/* SPDX-License-Identifier: MIT */
/* swtpm's command line, and the state that must not be lost. */
#include "tests/unit/vmm/golden.h"

#include "tpm/swtpm.h"

#include <errno.h>
#include <sys/stat.h>

static void test_args(void **state)
{
	cleanup_strv struct strv argv = {0};

	(void)state;
	tpm_swtpm_args("/usr/bin/swtpm", 3, &argv);
	golden_expect_argv("swtpm.argv", &argv);
}

struct folder {
	char dir[64];
	int dirfd;
};

static void folder_open(struct folder *f)
{
	*f = (struct folder){.dir = "/tmp/hv-test-tpm-XXXXXX"};
	assert_non_null(mkdtemp(f->dir));
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dirfd >= 0);
}

static void folder_close(struct folder *f)
{
	close(f->dirfd);
	assert_int_equal(file_remove_tree(AT_FDCWD, f->dir, NULL), 0);
}

static void put_state(struct folder *f, const char *text)
{
	cleanup_close int fd = -1;

	assert_int_equal(file_open_dir(f->dirfd, "tpm", 0700, &fd, NULL), 0);
	assert_int_equal(file_write_volatile(fd, "tpm2-00.permall", text, strlen(text), 0600, NULL),
			 0);
}

static void test_first_use(void **state)
{
	struct folder f;
	struct stat st;
	int fd;

	(void)state;
	folder_open(&f);
	assert_false(tpm_state_exists(f.dirfd));
	assert_int_equal(tpm_state_sync(f.dirfd, NULL), 0);
	assert_int_equal(tpm_state_open(f.dirfd, false, (uid_t)-1, (gid_t)-1, &fd, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_false(tpm_state_exists(f.dirfd));
	/* Not used before: an empty folder is a fresh TPM. */
	assert_int_equal(tpm_state_open(f.dirfd, false, (uid_t)-1, (gid_t)-1, &fd, NULL), 0);
	close(fd);
	folder_close(&f);
}

static void test_used_before(void **state)
{
	struct error err = ERROR_INIT;
	struct folder f;
	int fd = -1;

	(void)state;
	folder_open(&f);
	put_state(&f, "state");
	assert_true(tpm_state_exists(f.dirfd));
	assert_int_equal(tpm_state_open(f.dirfd, true, (uid_t)-1, (gid_t)-1, &fd, &err), 0);
	close(fd);
	assert_int_equal(tpm_state_sync(f.dirfd, NULL), 0);
	/* Empty, a link, gone: each is a loss that is told. */
	for (int way = 0; way < 4; way++) {
		fd = -1;
		if (way == 0)
			put_state(&f, "");
		if (way == 1) {
			assert_int_equal(unlinkat(f.dirfd, "tpm/tpm2-00.permall", 0), 0);
			assert_int_equal(symlinkat("/etc/passwd", f.dirfd, "tpm/tpm2-00.permall"),
					 0);
		}
		if (way == 2)
			assert_int_equal(unlinkat(f.dirfd, "tpm/tpm2-00.permall", 0), 0);
		if (way == 3)
			assert_int_equal(unlinkat(f.dirfd, "tpm", AT_REMOVEDIR), 0);
		assert_false(tpm_state_exists(f.dirfd));
		err = (struct error)ERROR_INIT;
		assert_int_equal(tpm_state_open(f.dirfd, true, (uid_t)-1, (gid_t)-1, &fd, &err),
				 -ENOENT);
		assert_int_equal(fd, -1);
		assert_non_null(strstr(err.text, "tpm-used"));
	}
	/* And no fresh one was made on the way. */
	assert_int_equal(faccessat(f.dirfd, "tpm", F_OK, 0), -1);
	folder_close(&f);
}

static void test_folder_that_is_a_link(void **state)
{
	struct folder f;
	int fd = -1;

	(void)state;
	folder_open(&f);
	assert_int_equal(symlinkat("/tmp", f.dirfd, "tpm"), 0);
	assert_true(tpm_state_open(f.dirfd, false, (uid_t)-1, (gid_t)-1, &fd, NULL) < 0);
	assert_int_equal(fd, -1);
	folder_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_first_use),
		cmocka_unit_test(test_used_before),
		cmocka_unit_test(test_folder_that_is_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
