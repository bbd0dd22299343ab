/* SPDX-License-Identifier: MIT */
/* A TCP port for clients of a machine's screen, where one is configured. */
#ifndef HV_VMM_VNC_TCP_H
#define HV_VMM_VNC_TCP_H

struct error;
struct spec_vnc;

/* Listens, non-blocking. -EADDRINUSE where somebody else does. */
int vnc_tcp_listen(const struct spec_vnc *vnc, int *ret_fd, struct error *err);

#endif
