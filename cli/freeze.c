/* SPDX-License-Identifier: MIT */
#include "cli/freeze.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "qmp/sync.h"

#include <errno.h>
#include <stdlib.h>

enum {
	ASK_MS = 5 * 1000, /* whether there is an agent at all */
	FREEZE_MS = 60 * 1000, /* what is under way is written out first */
	THAW_MS = 60 * 1000,
};

void freeze_init(struct freeze *f, struct cli *cli, const char *vm)
{
	*f = (struct freeze){.cli = cli, .vm = vm, .guard = GUARD_INIT};
}

static int thaw(struct cli_agent *agent, struct error *err)
{
	return cli_agent_call(agent, "guest-fsfreeze-thaw", NULL, THAW_MS, NULL, err);
}

static void thaw_anew(void *arg)
{
	struct freeze *f = arg;
	struct cli_agent agent = {0};
	struct error err = ERROR_INIT;

	if (cli_agent_open(f->cli, f->vm, &agent, &err) == 0)
		(void)thaw(&agent, &err);
	cli_agent_close(&agent);
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
	cleanup_json json_t *count = NULL;
	int rc = ask(f, &f->why_not);

	if (rc == 0)
		rc = guard_start(&f->guard, "hv-thaw", thaw_anew, f, &f->why_not);
	if (rc < 0) {
		cli_agent_close(&f->agent);
		return false;
	}
	rc = cli_agent_call(&f->agent, "guest-fsfreeze-freeze", NULL, FREEZE_MS, &count,
			    &f->why_not);
	if (rc == 0 && json_integer_value(count) > 0)
		f->n = (unsigned)json_integer_value(count);
	/* Some of them may be. */
	if (rc < 0)
		freeze_end(f);
	return rc == 0;
}

void freeze_end(struct freeze *f)
{
	struct error err = ERROR_INIT;
	int rc;

	if (f->guard.leash.fd < 0)
		return;
	/* Where it fails, the guard tries once more. */
	rc = thaw(&f->agent, &err);
	if (rc == 0) {
		guard_dismiss(&f->guard);
	} else {
		(void)error_wrap(&err, rc, "its file systems may still be frozen (hv fsthaw %s)",
				 f->vm);
		cli_tell(&err);
	}
	guard_let_act(&f->guard);
	cli_agent_close(&f->agent);
}
