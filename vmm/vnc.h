/* SPDX-License-Identifier: MIT */
/*
 * The way to a machine's screen: a listening socket whose clients are handed to QEMU,
 * which speaks VNC with them. QEMU itself listens nowhere. Who may come in is said in
 * vmm/peer.h, so there is no password.
 *
 * Bounds: 16 clients of QEMU, 8 of them on their way to it. One too many hears why in
 * VNC's own words.
 */
#ifndef HV_VMM_VNC_H
#define HV_VMM_VNC_H

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
};

/* Takes over listen_fd. */
int vnc_new(sd_event *event, int listen_fd, const struct vnc_handlers *handlers,
	    struct vnc **ret_vnc, struct error *err);

/* Only when no call is under way any more: free the monitor first. Clients that QEMU
 * has stay. Accepts NULL. */
void vnc_free(struct vnc *vnc);

#endif
