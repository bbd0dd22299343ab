/* SPDX-License-Identifier: MIT */
/*
 * A machine's keeper that is told words. It has a real folder, channel and loop; its QEMU is a
 * process that sleeps.
 */
#ifndef HV_TESTS_HEARD_KEEPER_H
#define HV_TESTS_HEARD_KEEPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/channel.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"
#include "vmm/keeper/keeper_private.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <poll.h>

struct fixture {
	struct scratch *scratch;
	struct paths paths;
	struct spec_vm vm;
	struct keeper_options options;
	struct keeper k;
	char cpu[8];
	int supervisor; /* its end of the channel */
};

static inline int sleep_on(void *arg)
{
	(void)arg;
	(void)poll(NULL, 0, -1);
	return 0;
}

static inline void start_qemu(struct fixture *f)
{
	const struct child_spec spec = {
		.path = "sleeper",
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
		.run = sleep_on,
	};

	assert_int_equal(child_spawn(&spec, &f->k.res.qemu, NULL), 0);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int channel;

	if (!f || scratch_setup(state) < 0)
		return -1;
	f->scratch = *state;
	*state = f;
	log_set_level(LOG_LEVEL_ERROR);
	f->paths = (struct paths){.state = f->scratch->path, .run = f->scratch->path};
	f->vm = (struct spec_vm){.name = (char *)"dc01"};
	f->options = (struct keeper_options){.paths = &f->paths, .vm = &f->vm, .ready_fd = -1};
	assert_int_equal(channel_pair(&channel, &f->supervisor, NULL), 0);
	(void)str_format(f->cpu, sizeof(f->cpu), "max");
	f->k = (struct keeper){
		.options = &f->options,
		.run = {.dirfd = f->scratch->fd, .lockfd = -1, .group = PEER_NO_GROUP},
		.control_fd = -1,
		.console_fd = -1,
		.supervisor = CHILD_INIT,
		.saver = CHILD_INIT,
		.supervisor_net_ns = -1,
		.net_ns = {-1, -1},
		.channel = channel,
		.state = VM_STATE_STARTING,
	};
	resources_init(&f->k.res, &f->paths, &f->vm, &f->k.host, f->scratch->fd);
	f->k.res.state_dirfd = f->scratch->fd;
	f->k.res.hw.cpu = f->cpu;
	assert_int_equal(sd_event_new(&f->k.event), 0);
	start_qemu(f);
	keeper_write_status(&f->k);
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int rc;

	child_destroy(&f->k.res.qemu);
	vm_pins_free(&f->k.res.pins);
	close_fd(&f->k.channel);
	close_fd(&f->supervisor);
	sd_event_unref(f->k.event);
	*state = f->scratch;
	rc = scratch_teardown(state);
	free(f);
	return rc;
}

/* All that a word could change, as text. */
static inline char *look(const struct fixture *f)
{
	const struct keeper *k = &f->k;
	cleanup_free char *status = NULL, *pins = NULL;
	cleanup_strbuf struct strbuf all = {0};

	(void)file_read(f->scratch->fd, "status.json", 65536, &status, NULL, NULL);
	(void)file_read(f->scratch->fd, "pins.json", 65536, &pins, NULL, NULL);
	strbuf_addf(&all, "%s\n%s\n%s\n", status ? status : "", pins ? pins : "",
		    k->res.pins.machine ? k->res.pins.machine : "");
	strbuf_addf(&all, "state %d, reason %d, agent %d; %d%d%d%d%d%d%d; %s; qemu %d", k->state,
		    k->reason, k->agent_open, k->running_once, k->ready, k->killed, k->stopping,
		    k->reload, k->over, k->sealed, k->failure.text, (int)k->res.qemu.pid);
	return strbuf_steal(&all);
}

/* How many messages the supervisor got; the last one in *ret. */
static inline unsigned told(const struct fixture *f, struct vm_message *ret)
{
	struct vm_message m;
	unsigned n = 0;
	int fd = -1;

	while (channel_receive(f->supervisor, &m, sizeof(m), &fd, NULL) == 1) {
		close_fd(&fd);
		*ret = m;
		n++;
	}
	return n;
}

static inline void refused(struct fixture *f, const struct vm_message *m)
{
	cleanup_free char *before = look(f), *after = NULL;
	struct error err = ERROR_INIT;
	struct vm_message ignored;
	int code;

	assert_int_equal(keeper_hear(&f->k, m, &err), -EPROTO);
	assert_true(*err.text);
	after = look(f);
	assert_string_equal(after, before);
	assert_int_equal(told(f, &ignored), 0);
	assert_int_equal(sd_event_get_exit_code(f->k.event, &code), -ENODATA);
}

static inline int hear(struct fixture *f, struct vm_message m)
{
	return keeper_hear(&f->k, &m, NULL);
}

/* A message that is in order, apart from where in life it comes. */
static inline struct vm_message plain(uint32_t word)
{
	struct vm_message m = {.word = word};

	if (word == KEEPER_STATE)
		m.number = VM_STATE_RUNNING;
	if (word == KEEPER_MACHINE)
		(void)str_format(m.text, sizeof(m.text), "pc-q35-7.2");
	return m;
}

#endif
