/* SPDX-License-Identifier: MIT */
/* What a jail looks like from inside. Jails are made by root; without, these are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { TEST_UID = 1950065003 };

#define SKIP_UNLESS_ROOT()                                                              \
	do {                                                                            \
		if (geteuid() != 0) {                                                   \
			print_message("# SKIP %s: jails are made by root\n", __func__); \
			skip();                                                         \
		}                                                                       \
	} while (0)

static struct jail_spec spec_of(int (*run)(void *arg), void *arg)
{
	return (struct jail_spec){
		.program = "a test",
		.owner = "test=jail",
		.uid = TEST_UID,
		.gid = TEST_UID,
		.cgroup_fd = -1,
		.stderr_fd = -1,
		.run = run,
		.run_arg = arg,
	};
}

/* What run returned in the jail: the line where something was not as it should be. */
static int status_of(const struct jail_spec *spec)
{
	struct jailed j = JAILED_INIT;
	struct error err = ERROR_INIT;
	int status;

	if (jail_spawn(spec, &j, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(child_wait(&j.process, 10000, &status, NULL), 0);
	jailed_destroy(&j);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CHECK(condition)                       \
	do {                                   \
		if (!(condition))              \
			return __LINE__ % 256; \
	} while (0)

static int look_around(void *arg)
{
	struct utsname names;
	struct rlimit limit;
	struct stat st;

	(void)arg;
	CHECK(getpid() == 1);
	CHECK(getuid() == TEST_UID && geteuid() == TEST_UID && getgid() == TEST_UID);
	CHECK(getgroups(0, NULL) == 0);
	CHECK(uname(&names) == 0 && str_eq(names.nodename, "jail"));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	for (unsigned long cap = 0; cap < 32; cap++)
		CHECK(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 256);
	/* Nothing was bound, so nothing is there. */
	CHECK(stat("/", &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 0755);
	CHECK(open("/etc", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(open("/proc", O_RDONLY) < 0 && errno == ENOENT);
	CHECK(open("/x", O_WRONLY | O_CREAT, 0600) < 0);
	CHECK(fcntl(3, F_GETFD) < 0 && fcntl(256, F_GETFD) < 0);
	return 0;
}

static void test_from_inside(void **state)
{
	struct jail_spec spec;

	(void)state;
	SKIP_UNLESS_ROOT();
	spec = spec_of(look_around, NULL);
	assert_int_equal(status_of(&spec), 0);
}

static int look_at_binds(void *arg)
{
	char text[32] = "", link[32] = "";
	struct statvfs fs;
	struct stat st;
	int fd;

	(void)arg;
	CHECK(getcwd(text, sizeof(text)) && str_eq(text, "/folder"));
	fd = open("made", O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(rename("made", "renamed") == 0 && unlink("renamed") == 0);
	CHECK(statvfs("/folder", &fs) == 0 && !(fs.f_flag & ST_RDONLY));
	CHECK(fs.f_flag & ST_NOSUID && fs.f_flag & ST_NODEV && fs.f_flag & ST_NOEXEC);
	CHECK(statvfs("/deep/down/read-only", &fs) == 0 && fs.f_flag & ST_RDONLY);
	CHECK(open("/deep/down/read-only/made", O_WRONLY | O_CREAT, 0600) < 0);
	CHECK(statvfs("/", &fs) == 0 && fs.f_flag & ST_RDONLY && fs.f_flag & ST_NODEV);
	/* Of the host's file nobody but root could read a byte. */
	fd = open("/copied", O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 6 && memcmp(text, "secret", 6) == 0);
	fd = open("/said", O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 5 && memcmp(text, "words", 5) == 0);
	CHECK(readlink("/link", link, sizeof(link)) == 6 && memcmp(link, "folder", 6) == 0);
	fd = open("/dev/null", O_RDWR);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_uid == TEST_UID);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(open("/dev/zero", O_RDONLY) >= 0);
	CHECK(open("/dev/zero", O_RDWR) < 0);
	CHECK(open("/missing", O_RDONLY) < 0 && errno == ENOENT);
	return 0;
}

static void test_binds(void **state)
{
	char folder[] = "/tmp/hv-test-jail-XXXXXX";
	cleanup_free char *secret = NULL;
	cleanup_close int dirfd = -1, fd = -1;
	struct jail_spec spec;

	(void)state;
	SKIP_UNLESS_ROOT();
	assert_non_null(mkdtemp(folder));
	/* No way for its user but by the descriptor. */
	assert_int_equal(chmod(folder, 0700), 0);
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	secret = str_printf("%s/secret", folder);
	fd = open(secret, O_RDWR | O_CREAT | O_CLOEXEC, 0400);
	assert_true(dirfd >= 0 && fd >= 0);
	assert_int_equal(file_write_all(fd, "secret", 6, NULL), 0);
	assert_int_equal(fchown(dirfd, TEST_UID, TEST_UID), 0);
	spec = spec_of(look_at_binds, NULL);
	spec.binds = (struct jail_bind[]){
		{.fd = dirfd, .target = "/folder", .writable = true},
		{.source = "/usr/share", .target = "/deep/down/read-only"},
		{.source = secret, .target = "/copied", .copy = true},
		{.target = "/said", .text = "words"},
		{.target = "/link", .link = "folder"},
		{.source = "/dev/zero", .device = true},
		{.source = "/nowhere/missing", .target = "/missing", .optional = true},
	};
	spec.n_binds = 7;
	spec.device = "/dev/null";
	spec.cwd = "/folder";
	assert_int_equal(status_of(&spec), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, folder, NULL), 0);
}

static void expect_failure(const struct jail_spec *spec, int code, const char *text)
{
	struct jailed j = JAILED_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(jail_spawn(spec, &j, &err), -code);
	assert_string_equal(err.text, text);
	assert_int_equal(j.process.pidfd, -1);
	assert_int_equal(j.listener, -1);
	assert_int_equal(j.net_ns, -1);
}

static void test_refuses(void **state)
{
	struct jail_bind bind = {.source = "/usr", .target = "usr"};
	struct jail_spec spec = spec_of(look_around, NULL);

	(void)state;
	spec.uid = 0;
	expect_failure(&spec, EINVAL, "start 'a test': a jailed process is never root");
	spec = spec_of(look_around, NULL);
	spec.binds = &bind;
	spec.n_binds = 1;
	expect_failure(&spec, EINVAL, "start 'a test': a bind without an absolute path");
	spec.n_binds = JAIL_BINDS_MAX + 1;
	expect_failure(&spec, EINVAL, "start 'a test': too many binds");
	spec = spec_of(look_around, NULL);
	spec.fds = &(struct child_fd){.fd = 0, .target = 256};
	spec.n_fds = 1;
	expect_failure(&spec, EINVAL, "start 'a test': a descriptor above its limit");
}

static void test_says_what_failed(void **state)
{
	const struct jail_row rows[] = {{.syscall = "no_such_call", .why = "a test"}};
	const struct jail_profile bad = {.name = "bad", .rows = rows, .n_rows = 1};
	struct jail_bind bind = {.source = "/nowhere/at-all"};
	struct jail_spec spec = spec_of(look_around, NULL);

	(void)state;
	SKIP_UNLESS_ROOT();
	spec.binds = &bind;
	spec.n_binds = 1;
	expect_failure(&spec, ENOENT,
		       "start 'a test': open what is bound into its root: No such file or "
		       "directory");
	spec = spec_of(NULL, NULL);
	spec.program = "/nowhere/program";
	spec.argv = (char *[]){(char *)"program", NULL};
	expect_failure(&spec, ENOENT, "start '/nowhere/program': exec: No such file or directory");
	/* What the child waits for is not to be had. */
	spec = spec_of(look_around, NULL);
	spec.profile = &bad;
	expect_failure(&spec, EINVAL, "profile 'bad': there is no system call 'no_such_call'");
	spec = spec_of(NULL, NULL);
	spec.program = "/nowhere/program";
	spec.argv = (char *[]){(char *)"program", NULL};
	/* A failure behind the filter is told all the same. */
	spec.profile = &jail_profile_qemu;
	expect_failure(&spec, ENOENT, "start '/nowhere/program': exec: No such file or directory");
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 7;
}

/* What its owner holds of it. */
static void test_handed_over(void **state)
{
	struct jail_spec spec = spec_of(do_nothing, NULL);
	struct jailed j = JAILED_INIT;
	struct stat ours, its;

	(void)state;
	SKIP_UNLESS_ROOT();
	spec.profile = &jail_profile_supervisor;
	assert_int_equal(jail_spawn(&spec, &j, NULL), 0);
	assert_int_equal(j.listener, -1);
	assert_int_equal(stat("/proc/self/ns/net", &ours), 0);
	assert_int_equal(fstat(j.net_ns, &its), 0);
	assert_true(ours.st_ino != its.st_ino);
	jailed_destroy(&j);
	assert_int_equal(j.net_ns, -1);
	assert_int_equal(status_of(&spec), 7);
	spec.host_network = true;
	assert_int_equal(jail_spawn(&spec, &j, NULL), 0);
	assert_int_equal(j.net_ns, -1);
	jailed_destroy(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_inside), cmocka_unit_test(test_binds),
		cmocka_unit_test(test_refuses),     cmocka_unit_test(test_says_what_failed),
		cmocka_unit_test(test_handed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
