/* SPDX-License-Identifier: MIT */
/*
 * The serial console for several viewers. QEMU's serial socket takes one
 * client: this one. What it says goes to every viewer, what any viewer types
 * goes to the guest. The log is written by QEMU itself (vmm/supervisor/console_log.h); here
 * it is only counted what goes by.
 *
 * Bounds: 16 viewers, 8 of them out of one process; one that is 256 KiB behind is
 * dropped and told so, for which it has ten seconds to read; 64 KiB of input.
 */
#ifndef HV_VMM_CONSOLE_H
#define HV_VMM_CONSOLE_H

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct error;
struct console;

struct console_handlers {
	/* The log has reached its bound; it is told again after as much again. */
	void (*log_full)(void *arg);
	void *arg;
	gid_t group; /* who may look and type (vmm/supervisor/peer.h) */
};

/* Takes over serial_fd (connected to QEMU) and listen_fd. log_bytes: what the log
 * holds already. */
int console_new(sd_event *event, int serial_fd, int listen_fd, uint64_t log_bytes,
		const struct console_handlers *handlers, struct console **ret_console,
		struct error *err);

/* Reads what QEMU said last, passes it on and closes. Accepts NULL. */
void console_free(struct console *console);

#endif
