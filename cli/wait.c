/* SPDX-License-Identifier: MIT */
/*
 * Nothing here asks again and again: an inotify watch lies on the folders in
 * which a change would show (the run folder with status.json, the state folder
 * with the console's log, the networks' folders with their leases), and each
 * change makes the condition be looked at anew. What lies in the guest and is told by
 * no file (cli/wait_guest.c) is looked at twice a second besides.
 */
#include "cli/wait.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/progress.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/network/network.h"
#include "vmm/rundir.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024, ASK_AGAIN_MS = 500, FREE_USEC = 5 * 1000 * 1000 };

struct waiting {
	struct cli *cli;
	const struct spec_vm *vm; /* of a VM */
	const struct spec_network *net; /* of a network */
	const struct wait_condition *condition; /* NULL: that a network is up */
	const char *object, *name, *wanted; /* for people */
	int inotify;
	bool seen; /* its supervisor was there */
	uint64_t deadline_usec;
	/* The console's log, as far as it was searched. */
	int log_fd;
	ino_t log_inode;
	struct strbuf tail;
};

bool cli_wait_parse(const char *s, struct wait_condition *ret_condition)
{
	static const char *const words[] = {
		[WAIT_RUNNING] = "running", [WAIT_AGENT] = "agent", [WAIT_IP] = "ip"};
	const char *text = str_after(s, "console:");

	if (text && *text) {
		*ret_condition = (struct wait_condition){WAIT_CONSOLE, text, 0};
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(s, words[i])) {
			*ret_condition = (struct wait_condition){(enum wait_for)i, NULL, 0};
			return true;
		}
	return false;
}

/* A folder that is not there yet is not watched: its supervisor makes it before
 * it tells its status. */
static void watch_folder(struct waiting *w, enum paths_kind kind, const char *name, bool run)
{
	cleanup_close int dirfd = -1;
	char path[64];
	int rc = run ? paths_open_run(&w->cli->paths, kind, name, 0, &dirfd, NULL)
		     : paths_open_state(&w->cli->paths, kind, name, 0, &dirfd, NULL);

	if (rc < 0)
		return;
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	(void)inotify_add_watch(w->inotify, path,
				IN_MODIFY | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_CLOSE_WRITE |
					IN_ONLYDIR);
}

static void watch_folders(struct waiting *w)
{
	watch_folder(w, w->vm ? PATHS_VM : PATHS_NET, w->name, true);
	if (!w->vm)
		return;
	if (w->condition->what == WAIT_CONSOLE)
		watch_folder(w, PATHS_VM, w->name, false);
	for (size_t i = 0; w->condition->what == WAIT_IP && i < w->vm->n_nics; i++)
		watch_folder(w, PATHS_NET, w->vm->nics[i].network->name, false);
}

/* Opens the log, anew where another file has its name now. */
static bool open_log(struct waiting *w)
{
	cleanup_close int dirfd = -1;
	struct stat st;

	if (paths_open_state(&w->cli->paths, PATHS_VM, w->name, 0, &dirfd, NULL) < 0 ||
	    fstatat(dirfd, NAME_CONSOLE_LOG, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (w->log_fd >= 0 && st.st_ino == w->log_inode)
		return true;
	close_fd(&w->log_fd);
	w->log_fd = openat(dirfd, NAME_CONSOLE_LOG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	w->log_inode = st.st_ino;
	strbuf_consume(&w->tail, w->tail.len);
	return w->log_fd >= 0;
}

/* Whether a line matches, also one that is not complete; only that one is kept. */
static bool line_matches(struct waiting *w)
{
	char *line = w->tail.data, *end = line + w->tail.len;

	for (char *stop = line; stop; line = stop ? stop + 1 : line) {
		char *last;

		stop = memchr(line, '\n', (size_t)(end - line));
		last = stop ? stop : end;
		for (char *p = line; p < last; p++)
			*p = (char)(*p ? *p : ' ');
		if (stop && last > line && last[-1] == '\r')
			last--;
		*last = '\0';
		if (regexec(w->condition->regex, line, 0, NULL, 0) == 0)
			return true;
	}
	strbuf_consume(&w->tail, (size_t)(line - w->tail.data));
	/* A line without an end is not kept without one. */
	if (w->tail.len > CHUNK_BYTES)
		strbuf_consume(&w->tail, w->tail.len - CHUNK_BYTES);
	return false;
}

static bool console_says(struct waiting *w)
{
	const char *text = w->condition->text;
	cleanup_free char *chunk = malloc(CHUNK_BYTES);
	size_t len = text ? strlen(text) : 0;
	struct stat st;
	ssize_t n;

	if (!chunk || !open_log(w))
		return false;
	/* It is cut when it has grown too long. */
	if (fstat(w->log_fd, &st) == 0 && lseek(w->log_fd, 0, SEEK_CUR) > st.st_size)
		(void)lseek(w->log_fd, 0, SEEK_SET);
	while ((n = read(w->log_fd, chunk, CHUNK_BYTES)) > 0) {
		strbuf_add(&w->tail, chunk, (size_t)n);
		if (w->tail.failed)
			return false;
		if (w->condition->regex ? line_matches(w)
					: memmem(w->tail.data, w->tail.len, text, len) != NULL)
			return true;
		/* The text may lie across two reads. */
		if (!w->condition->regex && w->tail.len > len)
			strbuf_consume(&w->tail, w->tail.len - len);
	}
	return false;
}

static bool has_address(json_t *status)
{
	json_t *nics = json_object_get(status, "nics"), *nic;
	size_t i;

	json_array_foreach (nics, i, nic)
		if (json_array_size(json_object_get(nic, "addresses")))
			return true;
	return false;
}

static bool is_replaced(const struct waiting *w, json_t *status)
{
	json_t *supervisor = json_object_get(status, "supervisor");

	return json_is_object(supervisor) &&
	       json_integer_value(json_object_get(supervisor, "pid")) != w->condition->pid;
}

/* 1: the condition holds; 0: not yet. */
static int look_at_vm(struct waiting *w, struct error *err)
{
	cleanup_json json_t *status = NULL;
	enum vm_state state;
	int rc;

	/* By whom stays in err. */
	if (w->condition->what == WAIT_FREE)
		return rundir_check_held(&w->cli->paths, PATHS_VM, w->name, err) == 0;
	rc = vm_status_read(&w->cli->paths, w->vm, &status, err);
	if (rc < 0)
		return rc;
	state = vm_state_parse(json_get_string(status, "state"));
	if (state == VM_STATE_STOPPED || state == VM_STATE_CRASHED) {
		const char *why = json_get_string(status, "error");

		if (w->condition->what == WAIT_DOWN || !w->seen)
			return w->condition->what == WAIT_DOWN;
		return error_set(err, ECONNRESET, "it ended while waiting for %s%s%s", w->wanted,
				 why ? ": " : "", why ? why : "");
	}
	w->seen = true;
	/* Who waits for its start has to begin it. */
	if (state == VM_STATE_SPARE && w->condition->what == WAIT_RUNNING)
		return error_set(err, EAGAIN, "it waits as a spare");
	if (state == VM_STATE_STARTING || state == VM_STATE_SPARE)
		return 0;
	switch (w->condition->what) {
	case WAIT_AGENT:
		return json_is_true(json_object_get(status, "agent"));
	case WAIT_IP:
		return has_address(status);
	case WAIT_CONSOLE:
		return console_says(w);
	case WAIT_REPLACED:
		return is_replaced(w, status);
	case WAIT_DOWN:
		return 0;
	case WAIT_ANSWER:
	case WAIT_PORT:
	case WAIT_SSH:
	case WAIT_UNIT:
		return cli_wait_ask(w->cli, w->vm, status, w->condition, w->deadline_usec, err);
	case WAIT_FREE:
	case WAIT_RUNNING:
		break;
	}
	return 1;
}

static int look_at_network(struct waiting *w, struct error *err)
{
	cleanup_json json_t *status = NULL;
	bool served;
	int rc;

	rc = rundir_read_status(&w->cli->paths, PATHS_NET, w->name, &status, &served, err);
	if (rc < 0)
		return rc;
	/* One that starts anew lets go of it for a moment. */
	if (!served && w->seen && !w->condition)
		return error_set(err, ECONNRESET, "it did not come up");
	w->seen = w->seen || served;
	if (!served || !status || !str_eq(json_get_string(status, "state") ?: "", "up"))
		return 0;
	return !w->condition || is_replaced(w, status);
}

static void drain(int inotify)
{
	char events[4096] __attribute__((aligned(8)));

	while (read(inotify, events, sizeof(events)) > 0)
		;
}

/* Sleeps until something changed, or the progress line or the deadline is due. */
static int sleep_until_change(struct waiting *w, struct progress *progress, struct error *err)
{
	struct pollfd p = {.fd = w->inotify, .events = POLLIN};
	uint64_t now = clock_now_usec(), left_ms;
	int due = progress_due_ms(progress), left;

	if (now >= w->deadline_usec)
		return error_set(err, ETIMEDOUT, "time is up while waiting for %s", w->wanted);
	left_ms = (w->deadline_usec - now) / 1000;
	left = left_ms >= INT_MAX ? INT_MAX : (int)left_ms + 1;
	if (due >= 0 && due < left)
		left = due;
	if (w->condition && w->condition->what >= WAIT_ANSWER && left > ASK_AGAIN_MS)
		left = ASK_AGAIN_MS;
	if (poll(&p, 1, left) < 0 && errno != EINTR)
		return error_errno(err, errno, "poll");
	if (w->condition && w->condition->what == WAIT_FREE)
		progress_show(progress, "waiting, for vm '%s': %s", w->name, err->text);
	else
		progress_show(progress, "waiting for %s of %s '%s'", w->wanted, w->object, w->name);
	drain(w->inotify);
	return 0;
}

static int look(struct waiting *w, struct error *err)
{
	return w->vm ? look_at_vm(w, err) : look_at_network(w, err);
}

static int watch_until(struct waiting *w, struct error *err)
{
	struct progress progress;
	int rc;

	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify < 0)
		return error_errno(err, errno, "inotify");
	progress_begin(&progress);
	do {
		/* Watched before it is looked at: no change is missed. */
		watch_folders(w);
		rc = look(w, err);
		if (rc == 0)
			rc = sleep_until_change(w, &progress, err);
		else if (rc > 0)
			break;
	} while (rc == 0);
	progress_end(&progress);
	close(w->inotify);
	return rc;
}

static int wait_until(struct waiting *w, uint64_t deadline_usec, struct error *err)
{
	/* Closing an inotify descriptor takes the kernel some ten milliseconds:
	 * what holds already does not need one. */
	int rc;

	w->deadline_usec = deadline_usec;
	rc = look(w, err);
	if (rc == 0)
		rc = watch_until(w, err);
	close_fd(&w->log_fd);
	strbuf_free(&w->tail);
	return error_wrap_if(err, rc < 0 ? rc : 0, "%s '%s'", w->object, w->name);
}

static bool needs_agent(const struct wait_condition *condition)
{
	return condition->what == WAIT_AGENT || condition->what == WAIT_ANSWER ||
	       condition->what == WAIT_UNIT;
}

int cli_wait_vm(struct cli *cli, const struct spec_vm *vm, const struct wait_condition *condition,
		bool was_up, uint64_t deadline_usec)
{
	static const char *const wanted[] = {
		[WAIT_RUNNING] = "the start",
		[WAIT_AGENT] = "the guest agent",
		[WAIT_IP] = "an address",
		[WAIT_CONSOLE] = "the text on the console",
		[WAIT_DOWN] = "the end",
		[WAIT_REPLACED] = "a new supervisor",
		[WAIT_FREE] = "the end of what works on the files",
		[WAIT_ANSWER] = "an answer of the guest agent",
		[WAIT_SSH] = "an SSH server",
	};
	char which[128];
	struct waiting w = {
		.cli = cli,
		.vm = vm,
		.condition = condition,
		.object = "vm",
		.name = vm->name,
		.wanted = which,
		.seen = was_up,
		.log_fd = -1,
	};

	if (condition->what == WAIT_PORT)
		(void)str_format(which, sizeof(which), "port %u", condition->port);
	else if (condition->what == WAIT_UNIT)
		(void)str_format(which, sizeof(which), "unit '%.100s'", condition->text);
	else
		(void)str_format(which, sizeof(which), "%s", wanted[condition->what]);
	/* Of one that is not configured any more nothing is known. */
	if (condition->what == WAIT_IP && !vm->n_nics && vm != &cli->stray)
		return error_set(&cli->err, EINVAL,
				 "vm '%s': it has no NIC that could get an address", vm->name);
	if (needs_agent(condition) && !vm->agent && vm != &cli->stray)
		return error_set(&cli->err, EINVAL,
				 "vm '%s': it has no port for an agent (agent: false)", vm->name);
	return wait_until(&w, deadline_usec, &cli->err);
}

int cli_wait_free(struct cli *cli, const struct spec_vm *vm, uint64_t deadline_usec)
{
	const struct wait_condition unheld = {.what = WAIT_FREE};
	uint64_t soon = clock_now_usec() + FREE_USEC;
	struct error who = ERROR_INIT;
	int rc = rundir_check_held(&cli->paths, PATHS_VM, vm->name, &who);

	if (rc == 0)
		return 0;
	rc = cli_wait_vm(cli, vm, &unheld, false, soon < deadline_usec ? soon : deadline_usec);
	if (rc != -ETIMEDOUT)
		return rc < 0 ? rc : 0;
	/* It may be another one by now. */
	if (rundir_check_held(&cli->paths, PATHS_VM, vm->name, &who) == 0)
		return 0;
	cli->err = who;
	return error_wrap(&cli->err, -EBUSY, "vm '%s'", vm->name);
}

int cli_wait_network(struct cli *cli, const struct spec_network *net, uint64_t deadline_usec)
{
	struct waiting w = {
		.cli = cli,
		.net = net,
		.object = "network",
		.name = net->name,
		.wanted = "the start",
		.log_fd = -1,
	};

	return wait_until(&w, deadline_usec, &cli->err);
}

int cli_wait_network_replaced(struct cli *cli, const struct spec_network *net, int pid,
			      uint64_t deadline_usec)
{
	const struct wait_condition replaced = {.what = WAIT_REPLACED, .pid = pid};
	struct waiting w = {
		.cli = cli,
		.net = net,
		.condition = &replaced,
		.object = "network",
		.name = net->name,
		.wanted = "a new supervisor",
		.log_fd = -1,
	};

	return wait_until(&w, deadline_usec, &cli->err);
}
