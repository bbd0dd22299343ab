/* SPDX-License-Identifier: MIT */
/* Who may act: root, the group by each of its ways, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { STRANGER = 60001, GROUP = 60002, OTHER_GROUP = 60003 };

struct who {
	uid_t uid;
	gid_t gid;
	gid_t groups[3];
	size_t n_groups;
};

/* Sends a socket that has its maker's credentials. */
static _Noreturn void be(const struct who *who, int channel)
{
	int one, other;

	if (setgroups(who->n_groups, who->groups) < 0 ||
	    setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0 || fd_socketpair(&one, &other, NULL) < 0 ||
	    fd_send(channel, "x", 1, &one, 1, NULL) < 0)
		_exit(1);
	_exit(0);
}

static bool allowed(const struct who *who, gid_t group)
{
	int ours, theirs, fds[FD_PASS_MAX], status;
	size_t n_fds = 0;
	char byte;
	bool yes;
	pid_t pid;

	assert_int_equal(fd_socketpair(&ours, &theirs, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be(who, theirs);
	close(theirs);
	assert_int_equal(fd_receive(ours, &byte, 1, fds, &n_fds, NULL), 1);
	assert_int_equal(n_fds, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	yes = peer_is_allowed(fds[0], group);
	close(fds[0]);
	close(ours);
	return yes;
}

static void test_others(void **state)
{
	const struct who root = {0}, stranger = {.uid = STRANGER, .gid = STRANGER};
	const struct who primary = {.uid = STRANGER, .gid = GROUP};
	const struct who member = {.uid = STRANGER,
				   .gid = STRANGER,
				   .groups = {OTHER_GROUP, GROUP, STRANGER},
				   .n_groups = 3};
	const struct who elsewhere = {
		.uid = STRANGER, .gid = STRANGER, .groups = {OTHER_GROUP}, .n_groups = 1};
	/* root's group is not root. */
	const struct who roots_group = {.uid = STRANGER, .gid = 0};

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can be somebody else\n");
		skip();
	}
	assert_true(allowed(&root, GROUP));
	assert_true(allowed(&root, PEER_NO_GROUP));
	assert_true(allowed(&primary, GROUP));
	assert_true(allowed(&member, GROUP));
	assert_false(allowed(&stranger, GROUP));
	assert_false(allowed(&elsewhere, GROUP));
	assert_false(allowed(&roots_group, GROUP));
	assert_false(allowed(&member, PEER_NO_GROUP));
	assert_false(allowed(&stranger, PEER_NO_GROUP));
}

static void test_oneself(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(fd_socketpair(&fds[0], &fds[1], NULL), 0);
	assert_true(peer_is_allowed(fds[0], PEER_NO_GROUP));
	close(fds[0]);
	close(fds[1]);
	/* What is no socket has no peer. */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_false(peer_is_allowed(fds[0], GROUP));
	close(fds[0]);
	close(fds[1]);
}

static void test_group(void **state)
{
	struct error err = ERROR_INIT;
	gid_t group = 1;

	(void)state;
	assert_int_equal(setenv("HV_GROUP", "60002", 1), 0);
	assert_int_equal(peer_group(&group, &err), 0);
	assert_int_equal(group, GROUP);
	assert_int_equal(setenv("HV_GROUP", "", 1), 0);
	assert_int_equal(peer_group(&group, &err), 0);
	assert_int_equal(group, PEER_NO_GROUP);
	assert_int_equal(setenv("HV_GROUP", "daemon", 1), 0);
	assert_int_equal(peer_group(&group, &err), 0);
	assert_int_equal(group, 1);
	assert_int_equal(setenv("HV_GROUP", "no such group", 1), 0);
	assert_int_equal(peer_group(&group, &err), -ENOENT);
	assert_string_equal(err.text, "HV_GROUP 'no such group': there is no such group");
	/* The number that stands for none, and what is beyond. */
	assert_int_equal(setenv("HV_GROUP", "4294967295", 1), 0);
	assert_int_equal(peer_group(&group, &err), -ENOENT);
	assert_int_equal(setenv("HV_GROUP", "0", 1), 0);
	assert_int_equal(peer_group(&group, &err), -EINVAL);
	assert_int_equal(setenv("HV_GROUP", "root", 1), 0);
	assert_int_equal(peer_group(&group, &err), -EINVAL);
	assert_int_equal(group, 1);
	assert_int_equal(unsetenv("HV_GROUP"), 0);
	assert_int_equal(peer_group(&group, &err), 0);
	assert_true(group != 0);
}

static void test_listen(void **state)
{
	const struct scratch *s = *state;
	gid_t group = geteuid() == 0 ? GROUP : getegid();
	struct stat st;
	int fd;

	assert_int_equal(peer_listen(s->fd, "open", group, &fd, NULL), 0);
	close(fd);
	assert_int_equal(fstatat(s->fd, "open", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, group);
	assert_int_equal(peer_listen(s->fd, "closed", PEER_NO_GROUP, &fd, NULL), 0);
	close(fd);
	assert_int_equal(fstatat(s->fd, "closed", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_oneself),
		cmocka_unit_test(test_group),
		cmocka_unit_test_setup_teardown(test_listen, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
