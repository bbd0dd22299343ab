/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The parent clones the child into new
 * pid, net, ipc, uts and cgroup namespaces, and makes what needs memory (the filter) meanwhile.
 * The child goes down, one step after
 * the other, each named in the error when it fails:
 *
 *   enter    while the parent's descriptors are there: its own mount namespace and
 *            root, Landlock, the working folder; here it waits for the filter
 *   (base/child puts descriptors in place and closes the rest)
 *   confine  limits, bounding set, user, capabilities, no_new_privs, and as the last
 *            the system call filter
 *
 * Loading the filter gives the child a listener, which it hands to the parent. Calls
 * that wait for an answer, execve() among them, are answered here until exec has
 * happened; then the owner of the listener takes over.
 */
#include "jail/spawn.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "jail/private.h"
#include "jail/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOT_BYTES = 256 * 1024 };

static const char taken_listener[] = "listener", taken_net_ns[] = "network namespace";

static const char *const layer_names[] = {
	[JAIL_LAYER_MOUNT] = "mount",     [JAIL_LAYER_PID] = "pid",
	[JAIL_LAYER_NET] = "net",         [JAIL_LAYER_IPC] = "ipc",
	[JAIL_LAYER_UTS] = "uts",         [JAIL_LAYER_CGROUP] = "cgroup",
	[JAIL_LAYER_USER] = "user",       [JAIL_LAYER_CAPS] = "capabilities",
	[JAIL_LAYER_LIMITS] = "limits",   [JAIL_LAYER_LANDLOCK] = "landlock",
	[JAIL_LAYER_SECCOMP] = "seccomp",
};

_Static_assert(ARRAY_SIZE(layer_names) == JAIL_LAYER_COUNT, "a name for each layer");

const char *jail_layer_name(enum jail_layer layer)
{
	return layer_names[layer];
}

/* So that the network namespace can be held from outside: once the child has changed
 * its user, nobody without the right to trace it could take it from /proc. */
static void hand_over_net_ns(int report_fd)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)child_hand_over(report_fd, taken_net_ns, fd);
	(void)close(fd);
}

/* Where the root is the host's, a folder that was bound has another name. */
static int enter_folder(const struct jail_spec *spec)
{
	if (!spec->cwd)
		return chdir("/");
	if (jail_has(spec, JAIL_LAYER_MOUNT))
		return chdir(spec->cwd);
	for (size_t i = 0; i < spec->n_binds; i++) {
		const struct jail_bind *b = &spec->binds[i];

		if (str_eq(jail_bind_target(b), spec->cwd))
			return b->source ? chdir(b->source) : fchdir(b->fd);
	}
	return chdir(spec->cwd);
}

/* The end of what comes is seen when nobody can write any more. */
static int take_filter(struct jail_start *start, const char **ret_what)
{
	*ret_what = "take its system call filter";
	(void)close(start->filter_write);
	return jail_filter_read(start->filter_read, &start->filter);
}

static int enter(void *arg, int report_fd, const char **ret_what)
{
	struct jail_start *start = arg;
	const struct jail_spec *spec = start->spec;
	int rc;

	if (!spec->host_network && jail_has(spec, JAIL_LAYER_NET))
		hand_over_net_ns(report_fd);
	if (jail_has(spec, JAIL_LAYER_MOUNT)) {
		rc = jail_enter_root(start, ret_what);
		if (rc < 0)
			return rc;
	}
	*ret_what = "change folder";
	if (enter_folder(spec) < 0)
		return -errno;
	if (jail_has(spec, JAIL_LAYER_LANDLOCK)) {
		rc = jail_restrict_access(start, ret_what);
		if (rc < 0)
			return rc;
	}
	rc = jail_make_room(spec, ret_what);
	return rc == 0 && start->filter_read >= 0 ? take_filter(start, ret_what) : rc;
}

static int confine(void *arg, int report_fd, const char **ret_what)
{
	struct jail_start *start = arg;
	int listener, rc;

	(void)umask(077);
	rc = jail_set_limits(start->spec, ret_what);
	if (rc == 0)
		rc = jail_drop_user(start->spec, ret_what);
	if (rc < 0 || !start->filter.v)
		return rc;
	*ret_what = "load the system call filter";
	rc = jail_filter_load(&start->filter, &listener);
	if (rc < 0 || listener < 0)
		return rc;
	rc = child_hand_over(report_fd, taken_listener, listener);
	/* Were it kept until exec, a parent that is killed before that would leave this
	 * process waiting for its own answer. Where calls are watched, close() itself waits
	 * for the parent. */
	if (start->spec->situation.watch == JAIL_WATCH_NOTHING)
		(void)close(listener);
	return rc;
}

static void take(void *arg, const char *what, int fd)
{
	struct jail_start *start = arg;

	if (str_eq(what, taken_listener) && start->listener < 0) {
		fault_point("jail: filter loaded");
		jail_seal_prepare(fd);
		start->listener = fd;
		/* Without one, attend() answers until exec, and then the holder. */
		if (start->answerer.leash.fd >= 0 &&
		    jail_answerer_give(&start->answerer, fd, start->memory_fd, NULL) < 0)
			jail_answerer_stop(&start->answerer);
	} else if (str_eq(what, taken_net_ns) && start->net_ns < 0) {
		start->net_ns = fd;
	} else {
		(void)close(fd);
	}
}

/* While the child is busy with its root. One that gets no filter fails. */
static void work_meanwhile(struct jail_start *start)
{
	const struct jail_spec *spec = start->spec;

	if (start->filter_write >= 0 &&
	    jail_filter_build(spec->profile, &spec->situation, (int)jail_files_max(spec),
			      &start->filter, &start->filter_error) == 0)
		(void)jail_filter_write(&start->filter, start->filter_write, &start->filter_error);
	close_fd(&start->filter_write);
	if (start->filter.listens && spec->situation.watch == JAIL_WATCH_NOTHING)
		(void)jail_answerer_start(&start->answerer, NULL);
}

/* Where nobody else does, calls of the child are answered until it has something to
 * report, or has exec'd. */
static void attend(void *arg, int report_fd)
{
	struct jail_start *start = arg;
	struct pollfd p[2];
	bool deaf = false;

	if (!start->attended)
		work_meanwhile(start);
	start->attended = true;
	p[0] = (struct pollfd){.fd = report_fd, .events = POLLIN};
	for (;;) {
		int nr;

		/* Of an answerer its end alone: it says nothing. */
		p[1] = (struct pollfd){.fd = deaf ? -1 : start->listener, .events = POLLIN};
		if (start->answerer.leash.fd >= 0)
			p[1] = (struct pollfd){.fd = start->answerer.leash.fd};
		if (poll(p, ARRAY_SIZE(p), -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (p[0].revents)
			return;
		if (!p[1].revents)
			continue;
		if (start->answerer.leash.fd >= 0)
			jail_answerer_stop(&start->answerer);
		else
			deaf = jail_seal_answer(p[1].fd, NULL, start->memory_fd, &nr) < 0;
	}
}

static uint64_t clone_flags(const struct jail_spec *spec)
{
	static const uint64_t flags[JAIL_LAYER_COUNT] = {
		[JAIL_LAYER_PID] = CLONE_NEWPID,       [JAIL_LAYER_NET] = CLONE_NEWNET,
		[JAIL_LAYER_IPC] = CLONE_NEWIPC,       [JAIL_LAYER_UTS] = CLONE_NEWUTS,
		[JAIL_LAYER_CGROUP] = CLONE_NEWCGROUP,
	};
	uint64_t all = spec->cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0;

	for (int i = 0; i < JAIL_LAYER_COUNT; i++)
		if (jail_has(spec, (enum jail_layer)i) &&
		    !(i == JAIL_LAYER_NET && spec->host_network) &&
		    !(i == JAIL_LAYER_PID && spec->host_pids))
			all |= flags[i];
	return all;
}

/* How much the root has to hold: what is copied into it, and a page for each thing. */
static int measure_root(const struct jail_spec *spec, size_t *ret_bytes, struct error *err)
{
	size_t bytes = ROOT_BYTES;

	for (size_t i = 0; i < spec->n_binds; i++) {
		const struct jail_bind *b = &spec->binds[i];
		struct stat st;

		if (!b->copy)
			continue;
		if ((b->source ? stat(b->source, &st) : fstat(b->fd, &st)) < 0)
			return error_errno(err, errno, "start '%s': '%s'", spec->program,
					   jail_bind_target(b));
		bytes += (size_t)st.st_size;
	}
	*ret_bytes = bytes;
	return 0;
}

static int check(const struct jail_spec *spec, struct error *err)
{
	const char *wrong = NULL;

	if (spec->uid == 0 || spec->gid == 0)
		wrong = "a jailed process is never root";
	else if (spec->n_caps > JAIL_CAPS_MAX)
		wrong = "too many capabilities";
	else if (spec->n_binds > JAIL_BINDS_MAX)
		wrong = "too many binds";
	else if (spec->n_settings > JAIL_SETTINGS_MAX)
		wrong = "too many settings";
	for (size_t i = 0; !wrong && i < spec->n_binds; i++)
		if (!jail_bind_target(&spec->binds[i]) ||
		    jail_bind_target(&spec->binds[i])[0] != '/')
			wrong = "a bind without an absolute path";
	for (size_t i = 0; !wrong && i < spec->n_fds; i++)
		if (spec->fds[i].target >= (int)jail_files_max(spec))
			wrong = "a descriptor above its limit";
	return wrong ? error_set(err, EINVAL, "start '%s': %s", spec->program, wrong) : 0;
}

static int spawn(struct jail_start *start, struct child *ret_child, struct error *err)
{
	const struct jail_spec *spec = start->spec;
	cleanup_free char *mark = str_printf(JAIL_MARK "=%s", spec->owner);
	char *env[JAIL_SETTINGS_MAX + 2] = {mark};

	if (!mark)
		return error_oom(err);
	for (size_t i = 0; i < spec->n_settings; i++)
		env[i + 1] = (char *)spec->settings[i];
	return child_spawn(
		&(struct child_spec){
			.path = spec->program,
			.argv = spec->argv,
			.env = env,
			.fds = spec->fds,
			.n_fds = spec->n_fds,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = spec->stderr_fd,
			.cwd_fd = -1,
			.new_session = true,
			.clone_flags = clone_flags(spec),
			.cgroup_fd = spec->cgroup_fd,
			.report_target = (int)jail_files_max(spec),
			.enter = enter,
			.confine = confine,
			.attend = attend,
			.take = take,
			.hook_arg = start,
			.run = spec->run,
			.run_arg = spec->run_arg,
		},
		ret_child, err);
}

/* The device has a row of its own among the binds. */
static size_t add_device(const struct jail_spec *spec, struct jail_bind *ret_binds)
{
	size_t n = spec->n_binds;

	if (n)
		memcpy(ret_binds, spec->binds, n * sizeof(*ret_binds));
	if (spec->device)
		ret_binds[n++] = (struct jail_bind){
			.source = spec->device,
			.device = true,
			.writable = true,
		};
	return n;
}

int jail_spawn(const struct jail_spec *spec, struct jailed *ret_jailed, struct error *err)
{
	struct jail_bind binds[JAIL_BINDS_MAX + 1];
	struct jail_spec whole = *spec;
	struct jail_start start = {
		.spec = &whole,
		.filter_read = -1,
		.filter_write = -1,
		.listener = -1,
		.net_ns = -1,
		.answerer = JAIL_ANSWERER_INIT,
		.filter_error = ERROR_INIT,
	};
	struct jailed jailed = JAILED_INIT;
	int rc;

	start.memory_fd = spec->memory_fd > 0 ? spec->memory_fd : -1;
	rc = check(spec, err);
	if (rc == 0 && spec->n_binds + (spec->device ? 1 : 0) > JAIL_BINDS_MAX)
		rc = error_set(err, EINVAL, "start '%s': too many binds", spec->program);
	if (rc < 0)
		return rc;
	whole.n_binds = add_device(spec, binds);
	whole.binds = binds;
	rc = measure_root(&whole, &start.root_bytes, err);
	if (rc == 0 && spec->profile && jail_has(spec, JAIL_LAYER_SECCOMP))
		rc = fd_pipe(&start.filter_read, &start.filter_write, err);
	if (rc == 0)
		rc = spawn(&start, &jailed.process, err);
	jail_filter_free(&start.filter);
	close_fd(&start.filter_read);
	close_fd(&start.filter_write);
	/* What the child says of it is less. */
	if (rc < 0 && start.filter_error.code)
		rc = error_copy(err, &start.filter_error);
	if (rc < 0) {
		jail_answerer_stop(&start.answerer);
		close_fd(&start.listener);
		close_fd(&start.net_ns);
		return rc;
	}
	jailed.listener = start.listener;
	jailed.answerer = start.answerer;
	jailed.net_ns = start.net_ns;
	*ret_jailed = jailed;
	return 0;
}

void jailed_destroy(struct jailed *j)
{
	child_destroy(&j->process);
	jail_answerer_stop(&j->answerer);
	close_fd(&j->listener);
	close_fd(&j->net_ns);
}
