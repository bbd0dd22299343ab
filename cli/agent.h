/* SPDX-License-Identifier: MIT */
/* The guest agent, for verbs: calls by way of the supervisor, one after another. Each
 * blocks until it is answered or its time is up. */
#ifndef HV_CLI_AGENT_H
#define HV_CLI_AGENT_H

#include "cli/verb.h"

#include <jansson.h>

struct qmp_sync;

enum {
	CLI_AGENT_MS = 30 * 1000, /* for what an agent does at once */
	/* A piece of a file, so that its base64 passes a request's bound of 1 MiB. */
	CLI_AGENT_WRITE_BYTES = 720 * 1024,
	/* A client's unread output is bounded, too, and the agent reads a piece into memory. */
	CLI_AGENT_READ_BYTES = 2 * 1024 * 1024,
};

struct cli_agent {
	struct qmp_sync *sync; /* NULL: not open */
	const char *name; /* of the VM, borrowed */
	uint64_t deadline_usec; /* no call waits longer, whatever it is given; 0: none */
	struct sd_event_source *interrupt, *notice; /* cli_agent_heed_interrupt() */
	bool interrupted;
};

/* name is looked up among what is configured or runs. The error names the VM, here and
 * below. */
int cli_agent_open(struct cli *cli, const char *name, struct cli_agent *ret_agent,
		   struct error *err);
void cli_agent_close(struct cli_agent *a); /* accepts one that is not open */
#define cleanup_agent __attribute__((cleanup(cli_agent_close)))

/* From now on an interrupt (cli/interrupt.h) leaves a call three seconds, and those after it, too,
 * until the agent owes one its answer. Where it lasts for a second, that is told. */
int cli_agent_heed_interrupt(struct cli_agent *a, struct error *err);

/* args is stolen, also on failure. *ret_result (may be NULL) is the caller's. What the agent
 * refused is -EREMOTEIO, or -ENOENT for a command that it does not have; -ENODEV where there is no
 * answer of it: it is not there, silent, or confused. */
int cli_agent_call(struct cli_agent *a, const char *command, json_t *args, uint64_t timeout_ms,
		   json_t **ret_result, struct error *err);

/* What a short program of the guest said and how it ended. */
struct cli_agent_ran {
	int status; /* 0 to 255; 128 and the signal where one killed it, 255 beyond that */
	bool truncated; /* the agent did not keep all of its output */
	char *out; /* its standard output, with a NUL behind out_len bytes */
	size_t out_len;
	char *err; /* its standard error, with a NUL, too */
	size_t err_len;
};
void cli_agent_ran_free(struct cli_agent_ran *ran);
#define cleanup_ran __attribute__((cleanup(cli_agent_ran_free)))

/* Runs argv (NULL at the end) in the guest to its end. input may be NULL. */
int cli_agent_run(struct cli_agent *a, const char *const *argv, const void *input, size_t input_len,
		  uint64_t timeout_ms, struct cli_agent_ran *ret_ran, struct error *err);

/* The same in two halves: it runs while something else is done. cli_agent_begin_exec() takes
 * arguments of guest-exec (vmm/guest_script.h), which it steals, also on failure. */
int cli_agent_begin_exec(struct cli_agent *a, json_t *args, json_int_t *ret_pid, struct error *err);
int cli_agent_begin_run(struct cli_agent *a, const char *const *argv, const void *input,
			size_t input_len, json_int_t *ret_pid, struct error *err);
int cli_agent_finish_run(struct cli_agent *a, json_int_t pid, uint64_t timeout_ms,
			 struct cli_agent_ran *ret_ran, struct error *err);

/* Whether the guest is a Windows, which its agent is asked. */
bool cli_agent_is_windows(struct cli_agent *a);

/* Decodes the outcome of guest-exec-status where it has ended: 1, else 0. */
int cli_agent_take_status(json_t *result, struct cli_agent_ran *ret_ran, struct error *err);

/* Files of the guest, by handles that the caller closes. */
int cli_agent_open_file(struct cli_agent *a, const char *path, const char *mode,
			json_int_t *ret_handle, struct error *err);
int cli_agent_close_file(struct cli_agent *a, json_int_t handle, struct error *err);
/* At most CLI_AGENT_READ_BYTES, which the caller frees; *ret_len 0 at the end. */
int cli_agent_read_file(struct cli_agent *a, json_int_t handle, size_t most, char **ret_data,
			size_t *ret_len, struct error *err);
/* The same in two halves: the agent reads on while the last piece is dealt with. What was begun
 * is finished. */
struct qmp_sync_pending;
int cli_agent_begin_read(struct cli_agent *a, json_int_t handle, size_t most,
			 struct qmp_sync_pending **ret_pending, struct error *err);
int cli_agent_finish_read(struct cli_agent *a, struct qmp_sync_pending *pending, size_t most,
			  char **ret_data, size_t *ret_len, struct error *err);
/* The write of at most CLI_AGENT_WRITE_BYTES in two halves, too. */
int cli_agent_begin_write(struct cli_agent *a, json_int_t handle, const void *data, size_t len,
			  struct qmp_sync_pending **ret_pending, struct error *err);
int cli_agent_finish_write(struct cli_agent *a, struct qmp_sync_pending *pending, size_t len,
			   struct error *err);
/* At most CLI_AGENT_WRITE_BYTES; flush: it is to be seen by others in the guest at once. */
int cli_agent_write_file(struct cli_agent *a, json_int_t handle, const void *data, size_t len,
			 bool flush, struct error *err);

#endif
