/* SPDX-License-Identifier: MIT */
/* The keeper's own state, shared by keeper.c (one life after another),
 * keeper_life.c (birth and death), keeper_gates.c (the seal), keeper_feed.c (a fork's state),
 * keeper_words.c (what the supervisor says) and keeper_child.c (its own life). */
#ifndef HV_VMM_KEEPER_PRIVATE_H
#define HV_VMM_KEEPER_PRIVATE_H

#include "base/error.h"
#include "vmm/host.h"
#include "vmm/keeper/keeper.h"
#include "vmm/keeper/seal.h"
#include "vmm/resources.h"
#include "vmm/rundir.h"
#include "vmm/states.h"
#include "vmm/supervisor/screen.h"
#include "vmm/supervisor/vm_messages.h"

#include <jansson.h>
#include <systemd/sd-event.h>

struct keeper {
	const struct keeper_options *options;
	struct host host;
	struct rundir run;
	struct resources res;
	int control_fd, console_fd; /* listening; they outlast a supervisor */
	int screen_fds[SCREEN_DOOR_COUNT]; /* the same; -1: there is none, or not that way */
	sd_event *event; /* of this life of the machine */
	sd_event_source *qemu_source, *swtpm_source, *end_timer, *feed_source;
	struct child saver; /* suspends it to disk, for its end */
	sd_event_source *saver_source;
	struct seal *qemu_seal, *swtpm_seal; /* NULL where it was taken over */

	/* Of the machine, as its supervisor told last. */
	enum vm_state state;
	enum vm_reason reason;
	bool agent_open;
	uint64_t started; /* seconds since the epoch */

	bool adopted; /* QEMU is not a child of ours */
	bool running_once; /* the guest has run: no roll-back any more */
	bool ready; /* its guest has run in one of its lives */
	bool told; /* whoever started us was told that it is ready */
	bool spare; /* it waits, or begins; its guest has not run */
	uint64_t memory_inode; /* of the state that a spare waits with; 0: not known yet */
	bool killed; /* somebody wants it ended at once */
	bool stopping; /* we were asked to stop */
	bool reload; /* start anew, the guest runs on */
	bool vanished; /* what was taken over ended at that moment: once more, anew */
	bool sealed; /* QEMU has answered: its guest may run; true where it was taken over */
	bool taken; /* what was saved is being resumed from */
	bool over; /* QEMU has ended and its last words were told */
	int qemu_status; /* as waitpid()'s, once it has ended */
	struct error failure; /* why it crashed or did not start; code 0: it did not */

	/* Restarts of the machine. */
	unsigned failures; /* in a row */
	int net_ns[2]; /* of the life before: let go when nobody waits */
	struct attachments *held; /* its networks, between two lives */
	uint64_t life_usec; /* when this life began */

	/* The supervisor. */
	struct child supervisor;
	int supervisor_net_ns; /* held, as those of QEMU and swtpm in res */
	int channel; /* our end; -1: there is none */
	sd_event_source *channel_source, *supervisor_source, *watchdog, *again_timer;
	unsigned respawns; /* since respawns_usec */
	uint64_t respawns_usec;
	uint64_t watchdog_usec; /* 0: systemd does not watch us */
	bool pinged; /* and it has not answered yet */
};

/* keeper.c */
void keeper_write_status(struct keeper *k);
void keeper_kill(struct keeper *k); /* the machine, at once; the rest follows by events */
void keeper_fail(struct keeper *k, const struct error *why); /* crashed: kill */
void keeper_ready(struct keeper *k); /* the guest runs */
void keeper_tell_ready(struct keeper *k, const struct error *err); /* who started us; once */
void keeper_reload(struct keeper *k); /* the program starts anew, the guest runs on */
void keeper_over(struct keeper *k); /* leaves the loop: nothing more is to be heard */
json_t *keeper_describe(struct keeper *k); /* the status object */

void keeper_save_pins(struct keeper *k);

/* keeper_life.c */
/* From nothing, or from what another keeper left, to a QEMU that runs and is watched. */
int keeper_begin(struct keeper *k, struct error *err);
/* Ends what is left of this life. */
void keeper_finish(struct keeper *k);
/* Whether another one follows. */
bool keeper_lives_again(const struct keeper *k);

/* keeper_gates.c */
/* Answers what QEMU and swtpm ask for their start. */
int keeper_open_gates(struct keeper *k, struct error *err);
/* Refuses it from now on. */
void keeper_seal(struct keeper *k);
/* Writes down what was counted, if it was, and frees the gates. */
void keeper_free_gates(struct keeper *k);

/* keeper_end.c */
/* Somebody wants the machine to end: the guest is suspended to disk where its configuration says
 * so, else it shuts down. */
void keeper_end(struct keeper *k);
/* keeper_feed.c */
/* What the guest goes on from; nothing where it boots. */
int keeper_feed(struct keeper *k, struct error *err);
void keeper_unfeed(struct keeper *k);

/* keeper_words.c */
/* Does what the supervisor says. -EPROTO: it says what it must not. */
int keeper_hear(struct keeper *k, const struct vm_message *m, struct error *err);
/* Tells it something; nothing where there is none. */
void keeper_tell(struct keeper *k, struct vm_message m, const char *text, int fd);

/* keeper_child.c */
int keeper_spawn(struct keeper *k, struct error *err);
/* Stops looking at it: the loop is over. */
void keeper_unwatch(struct keeper *k);
/* Lets it end by itself, for it answers who waits, and ends it when it does not. how: what it
 * tells its clients of the machine. */
void keeper_dismiss(struct keeper *k, enum vm_end how);

#endif
