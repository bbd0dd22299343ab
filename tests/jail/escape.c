/* SPDX-License-Identifier: MIT */
/*
 * Attempts to get out of a sealed jail, each in one of its own: in the whole jail, and
 * with each layer left out in turn, when the others have to hold. TAP on standard
 * output; the last line is a figure: how many were tried, how many succeeded.
 *
 * usage: escape PAYLOAD FOLDER
 * FOLDER is an empty one that this program may fill.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/landlock.h"
#include "jail/program.h"
#include "jail/seal.h"
#include "tests/jail/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { SUCCEEDED = 42, ATTACKER = 1950065001, VICTIM = 1950065002, PATIENCE_MS = 20 * 1000 };

struct outside {
	const char *payload;
	char *secret, *folder, *socket;
	char abstract[32];
	int shared, read_only;
	unsigned port;
	struct child victim;
};

static unsigned n_results, n_failed, n_tried, n_succeeded;

static void result(bool ok, const char *what, const char *mode, const char *why)
{
	printf("%s %u - %s: %s%s%s\n", ok ? "ok" : "not ok", ++n_results, mode, what,
	       *why ? " # " : "", why);
	n_failed += !ok;
}

static _Noreturn void give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static int wait_for_ever(void *arg)
{
	(void)arg;
	return pause();
}

static int listen_at(int family, const void *address, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, 512) < 0)
		give_up("listen");
	return fd;
}

/* What a prisoner would like to reach, each open to everybody but for the jail. */
static void make_outside(struct outside *o, const char *payload, const char *folder)
{
	static char *const none[] = {NULL};
	struct sockaddr_in inet = {.sin_family = AF_INET};
	struct sockaddr_un path = {.sun_family = AF_UNIX}, name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(inet);
	int fd;

	*o = (struct outside){
		.payload = payload,
		.secret = str_printf("%s/secret", folder),
		.folder = str_printf("%s/tpm", folder),
		.socket = str_printf("%s/socket", folder),
		.victim = CHILD_INIT,
	};
	if (!o->secret || !o->folder || !o->socket || chmod(folder, 0755) < 0)
		give_up("prepare");
	fd = open(o->secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || file_write_all(fd, "secret", 6, NULL) < 0 || mkdir(o->folder, 0755) < 0)
		give_up("make a secret");
	close_fd(&fd);
	o->read_only = open(o->secret, O_RDONLY | O_CLOEXEC);
	o->shared = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
	if (o->read_only < 0 || o->shared < 0)
		give_up("shared memory");
	inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = listen_at(AF_INET, &inet, sizeof(inet));
	if (getsockname(fd, (struct sockaddr *)&inet, &len) < 0)
		give_up("port");
	o->port = ntohs(inet.sin_port);
	(void)str_format(o->abstract, sizeof(o->abstract), "hv-escape-%d", (int)getpid());
	memcpy(name.sun_path + 1, o->abstract, strlen(o->abstract));
	(void)listen_at(
		AF_UNIX, &name,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(o->abstract)));
	if (!str_format(path.sun_path, sizeof(path.sun_path), "%s", o->socket))
		give_up("path");
	(void)listen_at(AF_UNIX, &path, sizeof(path));
	if (chmod(o->socket, 0666) < 0)
		give_up("chmod");
	/* Another machine's process, which anybody of its user could trace. */
	if (child_spawn(&(struct child_spec){.path = "victim",
					     .argv = none,
					     .stdin_fd = -1,
					     .stdout_fd = -1,
					     .stderr_fd = -1,
					     .cwd_fd = -1,
					     .run = wait_for_ever},
			&o->victim, NULL) < 0)
		give_up("victim");
}

/* Until the payload says that it is there. */
static bool attend_until_ready(const struct jailed *j, int channel)
{
	struct pollfd p[] = {
		{.fd = channel, .events = POLLIN},
		{.fd = j->answerer.leash.fd < 0 ? j->listener : -1, .events = POLLIN},
		{.fd = j->process.pidfd, .events = POLLIN},
	};
	char byte;
	int nr;

	while (poll(p, ARRAY_SIZE(p), PATIENCE_MS) > 0) {
		if (p[0].revents)
			return read(channel, &byte, 1) == 1;
		if (p[2].revents)
			return false;
		if (p[1].revents && jail_seal_answer(j->listener, NULL, -1, &nr) < 0)
			return false;
	}
	return false;
}

static void refuse_until_gone(const struct jailed *j)
{
	struct pollfd p[] = {
		{.fd = j->process.pidfd, .events = POLLIN},
		{.fd = j->listener, .events = POLLIN},
	};
	const struct jail_situation situation = {.kvm = false};
	const struct jail_sealed sealed = {&jail_profile_qemu, &situation};
	int nr;

	while (poll(p, ARRAY_SIZE(p), PATIENCE_MS) > 0 && !p[0].revents)
		if (p[1].revents && jail_seal_answer(j->listener, &sealed, -1, &nr) < 0)
			p[1].fd = -1;
}

/* One attempt in a jail of its own. Its wait status, or -errno. */
static int attempt(const struct outside *o, size_t number, unsigned without, struct error *err)
{
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	cleanup_strv struct strv argv = {0};
	struct jailed j = JAILED_INIT;
	int pair[2], status = 0, rc;

	strv_add(&argv, o->payload);
	strv_addf(&argv, "%zu", number);
	strv_addf(&argv, "%d", (int)o->victim.pid);
	strv_addf(&argv, "%d", o->shared);
	strv_add(&argv, "4");
	strv_add(&argv, o->secret);
	strv_add(&argv, o->folder);
	strv_addf(&argv, "%u", o->port);
	strv_add(&argv, o->abstract);
	strv_add(&argv, o->socket);
	rc = jail_binds_add_program(&binds, o->payload, NULL, err);
	if (rc < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return rc < 0 ? rc : error_errno(err, errno, "socketpair");
	rc = jail_spawn(
		&(struct jail_spec){.program = o->payload,
				    .argv = argv.v,
				    .owner = "test=escape",
				    .uid = ATTACKER,
				    .gid = ATTACKER,
				    .binds = binds.v,
				    .n_binds = binds.n,
				    .profile = &jail_profile_qemu,
				    .cgroup_fd = -1,
				    .without = without,
				    .fds = (struct child_fd[]){{pair[1], 3}, {o->read_only, 4}},
				    .n_fds = 2,
				    .stderr_fd = -1},
		&j, err);
	close_fd(&pair[1]);
	if (rc == 0 && !attend_until_ready(&j, pair[0]))
		rc = error_set(err, EPROTO, "the payload did not come up");
	/* The seal, as a keeper does it. */
	jail_answerer_stop(&j.answerer);
	if (rc == 0 && write(pair[0], "s", 1) == 1) {
		refuse_until_gone(&j);
		rc = child_wait(&j.process, 0, &status, err);
	}
	jailed_destroy(&j);
	close_fd(&pair[0]);
	return rc < 0 ? rc : status;
}

static void try(const struct outside *o, size_t number, unsigned without, const char *mode)
{
	struct error err = ERROR_INIT;
	int status = attempt(o, number, without, &err);
	char how[64] = "";

	if (status < 0) {
		result(false, attempts[number].name, mode, err.text);
		return;
	}
	n_tried++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SUCCEEDED)
		n_succeeded++;
	child_describe_status(how, sizeof(how), status);
	result((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
		       (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS),
	       attempts[number].name, mode, how);
}

/* What any user of the host can do: attempts that really reach out. */
static const char *const open_to_all[] = {
	"read a file outside",
	"read a file outside by openat2",
	"read /etc/machine-id",
	"open another machine's TPM folder",
	"read its own descriptors from /proc",
	"open /sys/kernel",
	"fork",
	"run a program out of memory",
	"map memory to write and execute",
	"make a user namespace and mount",
	"become traceable",
	"inotify",
	"connect by TCP",
	"send by UDP",
	"connect to an abstract socket",
	"connect to a socket outside",
	"attach shared memory",
};

/* As another user and without its jail: these succeed, so their failing says something. */
static void run_control(const struct outside *o)
{
	const unsigned all = (1U << JAIL_LAYER_COUNT) - 1;

	for (size_t i = 0; i < n_attempts; i++) {
		struct error err = ERROR_INIT;
		bool is_open = false;
		int status;

		for (size_t k = 0; k < ARRAY_SIZE(open_to_all); k++)
			is_open = is_open || str_eq(open_to_all[k], attempts[i].name);
		if (!is_open)
			continue;
		status = attempt(o, i, all & ~(1U << JAIL_LAYER_USER), &err);
		result(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == SUCCEEDED,
		       attempts[i].name, "no jail, and it succeeds", err.text);
	}
}

static void run_all(const struct outside *o)
{
	for (size_t i = 0; i < n_attempts; i++)
		try(o, i, 0, "whole");
	for (unsigned layer = 0; layer < JAIL_LAYER_COUNT; layer++) {
		char mode[64];

		(void)str_format(mode, sizeof(mode), "without %s",
				 jail_layer_name((enum jail_layer)layer));
		for (size_t i = 0; i < n_attempts; i++)
			if (layer != JAIL_LAYER_SECCOMP || !(attempts[i].flags & SURFACE))
				try(o, i, 1U << layer, mode);
	}
}

int main(int argc, char *argv[])
{
	struct outside o;
	int status = 0;

	if (geteuid() != 0) {
		printf("1..0 # SKIP jails are made by root\n");
		return 0;
	}
	if (argc != 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_outside(&o, argv[1], argv[2]);
	run_control(&o);
	run_all(&o);
	result(child_wait(&o.victim, 0, &status, NULL) == -ETIMEDOUT, "it is alive",
	       "another machine's process", "");
	child_destroy(&o.victim);
	(void)shmctl(o.shared, IPC_RMID, NULL);
	printf("# figure: escape attempts tried %u, succeeded %u, Landlock %d\n", n_tried,
	       n_succeeded, jail_landlock_version());
	printf("1..%u\n", n_results);
	return n_failed ? 1 : 0;
}
