/* SPDX-License-Identifier: MIT */
/*
 * The way to a machine's screen: a listening socket whose clients are handed to QEMU,
 * which speaks VNC with them. QEMU itself listens nowhere. Who may come in by the unix
 * socket is said in vmm/peer.h, so there is no password. By TCP anybody comes in who
 * reaches the port, where one is configured, and knows the password, where there is one.
 *
 * Bounds: 16 clients of QEMU, 8 of them on their way to it. TCP gets no more than half of
 * either. One too many hears why in VNC's own words.
 */
#ifndef HV_VMM_VNC_H
#define HV_VMM_VNC_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct error;
struct qmp_client;
struct vnc;

struct vnc_handlers {
	/* The monitor as it is now; NULL: there is none. */
	struct qmp_client *(*monitor)(void *arg);
	void *arg;
	gid_t group; /* whose members may look and type, as root may */
	int tcp_fd; /* listens to TCP, taken over; -1: none */
	bool tcp_asks; /* for a password: nobody is let in before vnc_open_tcp() */
};

/* Takes over listen_fd. */
int vnc_new(sd_event *event, int listen_fd, const struct vnc_handlers *handlers,
	    struct vnc **ret_vnc, struct error *err);

/* QEMU has the password by now. */
void vnc_open_tcp(struct vnc *vnc);

/* Only when no call is under way any more: free the monitor first. Clients that QEMU
 * has stay. Accepts NULL. */
void vnc_free(struct vnc *vnc);

#endif
