/* SPDX-License-Identifier: MIT */
#include "cli/freeze.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "qmp/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	ASK_MS = 5 * 1000, /* whether there is an agent at all */
	FREEZE_MS = 60 * 1000, /* what is under way is written out first */
	THAW_MS = 60 * 1000,
	LEASH = 3,
};

void freeze_init(struct freeze *f, struct cli *cli, const char *vm)
{
	*f = (struct freeze){.cli = cli, .vm = vm, .guard = CHILD_INIT, .leash = -1};
}

static int thaw(struct cli_agent *agent, struct error *err)
{
	return cli_agent_call(agent, "guest-fsfreeze-thaw", NULL, THAW_MS, NULL, err);
}

/* In the child. One byte says that all is well. */
static int guard(void *arg)
{
	struct freeze *f = arg;
	struct cli_agent agent = {0};
	struct error err = ERROR_INIT;
	char word;
	ssize_t n;

	do {
		n = read(LEASH, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return EXIT_SUCCESS;
	if (cli_agent_open(f->cli, f->vm, &agent, &err) == 0)
		(void)thaw(&agent, &err);
	cli_agent_close(&agent);
	return EXIT_SUCCESS;
}

static int start_guard(struct freeze *f, struct error *err)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	rc = child_spawn(
		&(struct child_spec){
			.path = "hv-thaw",
			.fds = &(struct child_fd){.fd = fds[0], .target = LEASH},
			.n_fds = 1,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = -1,
			.cwd_fd = -1,
			.cgroup_fd = -1,
			/* What ends us by the terminal does not end it. */
			.new_session = true,
			.run = guard,
			.run_arg = f,
		},
		&f->guard, err);
	(void)close(fds[0]);
	if (rc < 0)
		(void)close(fds[1]);
	else
		f->leash = fds[1];
	return rc;
}

static int ask(struct freeze *f, struct error *err)
{
	cleanup_json json_t *state = NULL;
	int rc = cli_agent_open(f->cli, f->vm, &f->agent, err);

	if (rc == 0)
		rc = cli_agent_call(&f->agent, "guest-fsfreeze-status", NULL, ASK_MS, &state, err);
	if (rc == 0 && (!json_is_string(state) || !str_eq(json_string_value(state), "thawed")))
		rc = error_set(err, EBUSY, "vm '%s': its file systems are frozen already", f->vm);
	return rc;
}

bool freeze_begin(struct freeze *f)
{
	int rc = ask(f, &f->why_not);

	if (rc == 0)
		rc = start_guard(f, &f->why_not);
	if (rc < 0) {
		cli_agent_close(&f->agent);
		return false;
	}
	rc = cli_agent_call(&f->agent, "guest-fsfreeze-freeze", NULL, FREEZE_MS, NULL, &f->why_not);
	/* Some of them may be. */
	if (rc < 0)
		freeze_end(f);
	return rc == 0;
}

void freeze_end(struct freeze *f)
{
	struct error err = ERROR_INIT;

	if (f->leash < 0)
		return;
	/* Where it fails, the guard tries once more. */
	if (thaw(&f->agent, &err) < 0)
		cli_tell(&err);
	else if (write(f->leash, "", 1) < 0)
		(void)error_errno(&err, errno, "pipe");
	close_fd(&f->leash);
	(void)child_wait(&f->guard, -1, NULL, NULL);
	cli_agent_close(&f->agent);
}
