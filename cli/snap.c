/* SPDX-License-Identifier: MIT */
#include "cli/snap.h"

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/plan.h"
#include "cli/start.h"
#include "vmm/network/network.h"

#include <errno.h>
#include <stdlib.h>

enum { START_TRIES = 5 };

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	struct snap *s = arg;

	bar_show(&s->bar, done, total);
}

static int start_networks(struct cli *cli, const struct spec_vm *vm)
{
	cleanup_free const struct spec_network **nets = NULL;
	size_t n_nets = 0;
	int rc = cli_networks_of(cli, &vm, 1, &nets, &n_nets);

	for (size_t i = 0; rc == 0 && i < n_nets; i++) {
		struct start_job net = {.kind = PATHS_NET, .name = nets[i]->name};
		cleanup_json json_t *status = NULL;

		rc = network_status_read(&cli->paths, nets[i], &status, &cli->err);
		if (rc == 0 && !str_eq(cli_text(status, "state"), "up"))
			rc = cli_start_one(cli, &net);
		if (rc == -EALREADY)
			rc = 0;
	}
	return rc;
}

/* A network that was on its way down, for its last user was this machine, is brought up
 * again. */
static int start(struct cli *cli, const struct spec_vm *vm)
{
	int rc = -ENETDOWN;

	for (int i = 0; i < START_TRIES && (rc == -ENETDOWN || rc == -ECONNRESET); i++) {
		struct start_job machine = {.kind = PATHS_VM, .name = vm->name};

		rc = start_networks(cli, vm);
		if (rc == 0)
			rc = cli_start_one(cli, &machine);
	}
	return rc;
}

static int on_start(void *arg, struct error *err)
{
	struct snap *s = arg;
	int rc = interrupt_check(err);

	if (rc < 0)
		return rc;
	/* Where it waits for something, it knows to be interrupted by itself. */
	interrupt_release(&s->before);
	rc = start(s->cli, s->request.vm);
	interrupt_hold(&s->before);
	return rc < 0 ? error_copy(err, &s->cli->err) : 0;
}

static int on_kill(void *arg, struct error *err)
{
	struct snap *s = arg;

	return cli_command(s->cli, PATHS_VM, s->request.vm->name, "hv-kill", NULL, CLI_COMMAND_MS,
			   NULL, err);
}

int snap_begin(struct snap *s, struct cli *cli, const char *word, const char *vm, const char *tag,
	       bool json)
{
	int rc;

	*s = (struct snap){.cli = cli};
	s->request = (struct snapshot_request){
		.paths = &cli->paths,
		.tag = tag,
		.hooks =
			{
				.progress = on_progress,
				.start = on_start,
				.kill = on_kill,
				.arg = s,
			},
	};
	rc = cli_find_any_vm(cli, vm, &s->request.vm);
	(void)str_format(s->what, sizeof(s->what), "%s %s", word, tag);
	bar_begin(&s->bar, s->what, json);
	interrupt_hold(&s->before);
	return rc;
}

void snap_end(struct snap *s)
{
	bar_end(&s->bar);
	interrupt_release(&s->before);
}

int snap_print_done(const struct snap *s, const struct snapshot_outcome *outcome)
{
	json_t *line = json_pack(
		"{s:s s:s s:s s:I s:s}", "event", "done", "vm", s->request.vm->name, "tag",
		s->request.tag, "memory", (json_int_t)outcome->memory_bytes, "state",
		outcome->stopped ? "stopped" : (outcome->runs ? "running" : "paused"));
	if (line && outcome->stood_usec)
		(void)json_object_set_new(line, "stood_ms",
					  json_real((double)outcome->stood_usec / 1000));
	cleanup_free char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (!text)
		return error_oom(&s->cli->err);
	(void)puts(text);
	return 0;
}
