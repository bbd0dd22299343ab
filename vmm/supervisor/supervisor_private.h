/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own state, shared by its parts: supervisor.c (its life and what
 * the keeper says), supervisor_monitor.c (QEMU's side), supervisor_commands.c (the
 * clients' side), supervisor_forward.c (from the one to the other), supervisor_stop.c
 * (orderly shutdown), supervisor_agent.c (the guest's agent), supervisor_fork.c (a guest that
 * goes on from another's state), supervisor_spare.c (one that waits with that),
 * supervisor_copy.c (a state that is copied), supervisor_events.c (what hvup itself tells of it).
 */
#ifndef HV_VMM_SUPERVISOR_PRIVATE_H
#define HV_VMM_SUPERVISOR_PRIVATE_H

#include "base/error.h"
#include "qmp/client.h"
#include "vmm/states.h"
#include "vmm/supervisor/agent.h"
#include "vmm/supervisor/console.h"
#include "vmm/supervisor/control.h"
#include "vmm/supervisor/last_words.h"
#include "vmm/supervisor/screen.h"
#include "vmm/supervisor/supervisor.h"
#include "vmm/supervisor/vm_messages.h"

#include <systemd/sd-event.h>

enum { STOP_WAITERS_MAX = 64, BEGIN_WAITERS_MAX = 16, STASH_MAX = 16 };

/* How far a client is that copies the machine's state. */
enum copy_phase {
	COPY_SAID, /* that it will */
	COPY_MIGRATES,
	COPY_WAITS, /* it is over; the guest stands until it is told */
	COPY_SETTLES, /* it is over; the guest is about to do what it did before */
	COPY_ENDED, /* it does */
};

struct supervisor {
	struct supervisor_start *start;
	const struct spec_vm *vm;
	int stderr_fds[2]; /* of QEMU and swtpm; -1: not there, as below */
	int disk_fds[SUPERVISOR_DISKS_MAX];
	sd_event *event;
	sd_event_source *channel_source, *drained_source, *stash_source;
	struct vm_message stash[STASH_MAX]; /* came while another was waited for */
	int stash_fds[STASH_MAX];
	size_t n_stash;
	enum vm_state state;
	enum vm_reason reason;
	bool answered; /* QEMU's start is over */
	bool running_once; /* the guest has run */

	struct qmp_client *qmp;
	unsigned reconnects;
	struct {
		bool is_untold; /* the guest takes itself for the other one */
		json_int_t pid; /* in the guest, of what tells it */
		unsigned asks;
		sd_event_source *timer;
	} fork;
	unsigned copier; /* the client that copies its state, plus one; 0: none */
	struct control_call *copy_call; /* hv-copy-end, which waits; NULL: none */
	json_t *copy_actions; /* of the transaction that is to be made; NULL: none */
	struct error copy_failure; /* code 0: none */
	unsigned copy_tries;
	sd_event_source *copy_timer; /* of the next one */
	enum copy_phase copy_phase; /* of a copier */
	bool copy_lets_run; /* the guest stands until copying has begun, and no longer */
	bool copy_stays; /* it stands when all went well, until hv-copy-end */
	bool copy_left; /* the client has gone */
	bool copy_paused; /* the guest stood before, and is to stand again */
	bool copy_settles; /* it goes on for that alone */
	bool agent_open; /* the guest's agent has its port open */
	struct supervisor_agent *agent;
	struct control_server *control;
	char *schema; /* what query-qmp-schema returns, ours beside QEMU's; NULL: not asked */
	struct console *console;
	int screen_fds[SCREEN_DOOR_COUNT]; /* listening; -1: none */
	struct screen *screen; /* NULL: there is none */
	struct last_words qemu_words, swtpm_words;
	sd_event_source *space_timer;

	/* A guest that goes on (supervisor_incoming.c). */
	bool comes_in; /* what the guest goes on from is on its way */
	bool resumed; /* QEMU has taken the state in */

	/* A spare (supervisor_spare.c). */
	bool begun; /* somebody wants its guest to run */
	bool orphaned; /* its keeper has gone; it ends with its QEMU */
	struct control_call *begin_waiters[BEGIN_WAITERS_MAX];
	size_t n_begin_waiters;

	/* The end. */
	bool ends; /* QMP's SHUTDOWN was seen */
	bool killed; /* a client asked for its end at once */
	struct error failure; /* why it crashed or did not start; code 0: it did not */
	int qemu_status; /* as waitpid()'s, once it has ended */

	/* Orderly shutdown. */
	sd_event_source *stop_timer, *press_timer;
	bool stop_forces; /* kill where the time is up */
	/* What was done for it. */
	bool stop_asked_agent;
	struct error stop_agent_failed; /* code 0: it was not heard to */
	unsigned stop_presses;
	struct error stop_forced; /* that it was ended; code 0: it was not */
	struct control_call *stop_waiters[STOP_WAITERS_MAX]; /* down and kill */
	size_t n_stop_waiters;
};

/* supervisor.c */
void supervisor_event(struct supervisor *s, enum vm_event event);
void supervisor_kill(struct supervisor *s); /* at once; the rest follows by events */
void supervisor_fail(struct supervisor *s, const struct error *why); /* crashed: kill */
void supervisor_tell_state(struct supervisor *s);
/* Says something to the keeper. */
void supervisor_tell(struct supervisor *s, struct vm_message m, const char *text);
json_t *supervisor_status(struct supervisor *s); /* the status object as it is now */

/* supervisor_monitor.c */
int supervisor_use_monitor(struct supervisor *s, int fd, struct error *err); /* takes fd */
void supervisor_boot(struct supervisor *s); /* asks QEMU for what is not known of it */
void supervisor_sealed(struct supervisor *s); /* lets the guest run, or go on */
void supervisor_run(struct supervisor *s); /* cont */
void supervisor_query_agent(struct supervisor *s); /* whether the agent's port is open */
void supervisor_query_state(struct supervisor *s); /* what QEMU says goes */
void supervisor_set_vnc_password(struct supervisor *s); /* from then on TCP is served */

/* supervisor_events.c: to all clients */
void supervisor_say_started(struct supervisor *s);
void supervisor_say_ended(struct supervisor *s, const struct vm_message *m); /* SUPERVISOR_GONE */

/* supervisor_incoming.c: a guest that does not boot */
void supervisor_expect(struct supervisor *s); /* says how it will come */
void supervisor_take_in(struct supervisor *s); /* what it goes on from */
void supervisor_came_in(struct supervisor *s); /* and its guest runs */
void supervisor_incoming_event(struct supervisor *s, const char *status); /* MIGRATION */
/* For calls that the machine cannot do without: a failure is its end. arg: the supervisor. */
void supervisor_on_answer(json_t *result, const char *class, const struct error *err, void *arg);
void supervisor_may_run(struct supervisor *s); /* what was saved is used up */

/* supervisor_fork.c */
void supervisor_fork_arrived(struct supervisor *s); /* the other guest's state is in */
void supervisor_fork_run(struct supervisor *s); /* it goes on, and is told */
void supervisor_fork_tell(struct supervisor *s); /* agent_open may have changed */

/* supervisor_spare.c */
bool supervisor_spare_waits(const struct supervisor *s); /* nobody wants it yet */
void supervisor_spare_command(struct supervisor *s, struct control_call *call); /* hv-begin */
void supervisor_spare_answer(struct supervisor *s, const char *failure); /* NULL: it runs */
/* Its keeper has gone: ends this process, a spare's QEMU first. Returns where that takes a moment.
 */
void supervisor_spare_orphaned(struct supervisor *s);

/* supervisor_copy.c */
void supervisor_copy_command(struct supervisor *s, struct control_call *call); /* hv-copy */
void supervisor_copy_begin_command(struct supervisor *s, struct control_call *call, json_t *args);
void supervisor_copy_end_command(struct supervisor *s, struct control_call *call, json_t *args);
void supervisor_copy_client_gone(struct supervisor *s, unsigned client);
void supervisor_copy_event(struct supervisor *s, const char *status); /* MIGRATION */
void supervisor_copy_runs(struct supervisor *s); /* RESUME */

/* supervisor_forward.c: what goes to QEMU */
void supervisor_forward(struct supervisor *s, struct control_call *call, const char *name,
			json_t *args, const int *fds, size_t n_fds);
void supervisor_withdraw(struct supervisor *s, unsigned client);

/* supervisor_commands.c */
/* What stands behind QEMU's own in query-commands and query-qmp-schema. */
struct strbuf;
void supervisor_list_commands(struct strbuf *into);
void supervisor_add_schema(struct strbuf *into);
extern const struct control_handlers supervisor_commands;

/* supervisor_stop.c */
/* timeout_ms 0: for ever. call may be NULL; else it is answered when the VM has
 * stopped, or failed when the time is up and force is false. */
void supervisor_stop(struct supervisor *s, struct control_call *call, uint64_t timeout_ms,
		     bool force);
void supervisor_stop_answer(struct supervisor *s, const char *failure);

/* supervisor_agent.c */
struct supervisor_agent *supervisor_agent_new(void); /* NULL: out of memory */
void supervisor_agent_free(struct supervisor_agent *a); /* accepts NULL */
void supervisor_agent_client_gone(struct supervisor *s, unsigned client);
/* Asks the guest to power off, before all others, whose calls are failed. failed is
 * called at most once, with s, also from within. */
void supervisor_agent_shutdown(struct supervisor *s, agent_failed_fn failed);
/* The guest did not, and goes on: what is asked next waits for no answer to that. */
void supervisor_agent_goes_on(struct supervisor *s);
/* The agent's socket, from the keeper; fd -1: why not. Takes fd. */
void supervisor_agent_connected(struct supervisor *s, int fd, const char *why);
void supervisor_agent_port(struct supervisor *s); /* agent_open has changed */
/* A question of the supervisor's own; done is called once. args is stolen; NULL: out of
 * memory. */
typedef void (*supervisor_agent_fn)(struct supervisor *s, json_t *result, const struct error *err);
void supervisor_agent_ask(struct supervisor *s, const char *command, json_t *args,
			  uint64_t timeout_ms, supervisor_agent_fn done);
/* The guest stands, and runs again: its clock is set where that took long. */
void supervisor_agent_stands(struct supervisor *s);
void supervisor_agent_runs(struct supervisor *s);

/* supervisor_agent_command.c: hv-agent; args is borrowed. */
void supervisor_agent_command(struct supervisor *s, struct control_call *call, json_t *args);

#endif
