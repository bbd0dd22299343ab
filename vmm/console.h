/* SPDX-License-Identifier: MIT */
/*
 * The serial console for several viewers. QEMU's serial socket takes one
 * client: this one. What it says goes to every viewer, what any viewer types
 * goes to the guest. The log is written by QEMU itself, from the first byte on
 * and without us; here it is only kept below its bound.
 *
 * Bounds: 16 viewers; one that is 256 KiB behind is dropped and told so; 64 KiB
 * of input; the log holds at most 8 MiB, the older part goes to console.log.1.
 */
#ifndef HV_VMM_CONSOLE_H
#define HV_VMM_CONSOLE_H

#include <systemd/sd-event.h>

struct error;
struct console;

/* Takes over serial_fd (connected to QEMU) and listen_fd. state_dirfd stays the
 * caller's and has to outlive the console: the log lies in it. */
int console_new(sd_event *event, int serial_fd, int listen_fd, int state_dirfd,
		struct console **ret_console, struct error *err);

/* Reads what QEMU said last, passes it on and closes. Accepts NULL. */
void console_free(struct console *console);

#endif
