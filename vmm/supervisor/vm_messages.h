/* SPDX-License-Identifier: MIT */
/*
 * What the two processes of a machine say to each other, on a base/channel.h.
 *
 * The keeper holds what needs privilege: the run folder's lock, QEMU and swtpm as its
 * children, their cgroup and TAPs, the files of the state folder. The supervisor
 * reads what strangers say: QEMU, the guest, the clients. It has no privilege, and
 * the keeper believes it nothing but these messages, each checked by
 * vm_message_check(): the worst that a supervisor gone over to the guest can do is
 * to end or misreport its own machine.
 */
#ifndef HV_VMM_VM_MESSAGES_H
#define HV_VMM_VM_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* The supervisor to the keeper. */
enum keeper_word {
	KEEPER_STATE, /* number: enum vm_state; reason; agent_open (SUPERVISOR_NOTED) */
	KEEPER_MACHINE, /* text: the machine type that QEMU chose, to be pinned */
	KEEPER_ANSWERED, /* QEMU has answered: its start is over (SUPERVISOR_SEALED) */
	KEEPER_RUNS, /* the guest runs */
	KEEPER_KILL, /* a client wants it ended at once */
	KEEPER_FAIL, /* it cannot go on; text: why */
	KEEPER_ENDED, /* answers SUPERVISOR_QEMU_ENDED; in_order; text: why not */
	KEEPER_CONNECT, /* number: enum vm_socket (SUPERVISOR_SOCKET) */
	KEEPER_LOG_FULL, /* the console's log has reached its bound */
	KEEPER_RELOAD, /* start anew from the program that is installed now */
	KEEPER_PONG, /* answers SUPERVISOR_PING */
	KEEPER_RESUMED, /* QEMU has taken in what was saved (SUPERVISOR_RUN) */
	KEEPER_WORD_COUNT
};

/* The keeper to the supervisor. */
enum supervisor_word {
	SUPERVISOR_SEALED, /* the guest may run */
	SUPERVISOR_SOCKET, /* number: enum vm_socket; a descriptor, or text: why not */
	SUPERVISOR_STOP, /* orderly shutdown; number: milliseconds until it is forced */
	SUPERVISOR_SWTPM_ENDED, /* number: status as waitpid()'s */
	SUPERVISOR_QEMU_ENDED, /* number: status; say KEEPER_ENDED when all is read */
	/* Everything is gone: answer who waits, and end. number: enum vm_end; reason; text: why it
	 * crashed */
	SUPERVISOR_GONE,
	SUPERVISOR_PING,
	SUPERVISOR_NOTED, /* answers KEEPER_STATE: whoever looks now sees it */
	SUPERVISOR_RUN, /* what was saved is used up: the guest may run */
	SUPERVISOR_WORD_COUNT
};

/* QEMU's listening sockets in the run folder. */
enum vm_socket { VM_SOCKET_MONITOR, VM_SOCKET_SERIAL, VM_SOCKET_AGENT, VM_SOCKET_COUNT };

/* Why it is paused, or what comes next. */
enum vm_reason { VM_REASON_NONE, VM_REASON_DISK_FULL, VM_REASON_RESTART, VM_REASON_COUNT };

/* How a life of the machine ended, if it did. */
enum vm_end { VM_END_NOT, VM_END_IN_ORDER, VM_END_KILLED, VM_END_CRASHED, VM_END_COUNT };

enum { VM_MESSAGE_TEXT_MAX = 1000 };

struct vm_message {
	uint32_t word;
	uint32_t number;
	uint32_t reason;
	uint32_t agent_open; /* 0 or 1 */
	uint32_t in_order; /* 0 or 1 */
	char text[VM_MESSAGE_TEXT_MAX]; /* printable, ends with NUL; "" for none */
};

const char *keeper_word_name(enum keeper_word word);
const char *vm_reason_text(enum vm_reason reason); /* NULL for none */
const char *vm_end_name(enum vm_end end); /* NULL for VM_END_NOT */
const char *vm_socket_name(enum vm_socket socket); /* its file in the run folder */

/* Whether a message of the supervisor is one that a keeper acts on: every member in
 * its range and the text printable. -EPROTO says what is not. Pure. */
int vm_message_check(const struct vm_message *m, struct error *err);

/* Sends a message with text (may be NULL), made printable, and cut where it is longer. -EPIPE: the
 * other one has gone. */
int vm_message_send(int channel, struct vm_message m, const char *text, int fd, struct error *err);

#endif
