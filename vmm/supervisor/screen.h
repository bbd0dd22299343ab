/* SPDX-License-Identifier: MIT */
/*
 * The ways to a machine's screen: listening sockets whose clients are handed to QEMU,
 * which speaks VNC or SPICE with them. QEMU itself listens nowhere. Who may come in by a
 * unix socket is said in vmm/supervisor/peer.h, so there is no password. By TCP anybody comes in
 * who reaches the port, where one is configured, and knows the password, where there is one.
 *
 * Bounds: 16 clients of VNC, 8 of them on their way to QEMU, and half of either by TCP. One
 * too many hears why in VNC's own words. 80 channels of SPICE, of which a viewer has up to
 * ten.
 */
#ifndef HV_VMM_SCREEN_H
#define HV_VMM_SCREEN_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct error;
struct qmp_client;
struct screen;

enum screen_door { SCREEN_VNC, SCREEN_VNC_TCP, SCREEN_SPICE, SCREEN_DOOR_COUNT };

struct screen_handlers {
	/* The monitor as it is now; NULL: there is none. */
	struct qmp_client *(*monitor)(void *arg);
	void *arg;
	gid_t group; /* whose members may look and type, as root may */
	int fds[SCREEN_DOOR_COUNT]; /* they listen, taken over; -1: none */
	bool tcp_asks; /* for a password: nobody is let in before screen_open_tcp() */
};

int screen_new(sd_event *event, const struct screen_handlers *handlers, struct screen **ret_screen,
	       struct error *err);

/* QEMU has the password by now. */
void screen_open_tcp(struct screen *screen);

/* Only when no call is under way any more: free the monitor first. Clients that QEMU
 * has stay. Accepts NULL. */
void screen_free(struct screen *screen);

#endif
