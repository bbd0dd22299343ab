/* SPDX-License-Identifier: MIT */
/*
 * What the listening sockets of clients have in common: one process may not
 * take all the places, and a want of descriptors does not spin the loop.
 */
#ifndef HV_VMM_LISTEN_H
#define HV_VMM_LISTEN_H

#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * A socket with somebody in its backlog stays readable: where accept4() has
 * failed with code for want of a descriptor or memory, it is not looked at for a
 * second. The timer is made beforehand, for it takes a descriptor itself; it is
 * the caller's to unref.
 */
int listen_rest_prepare(sd_event_source *listening, sd_event_source **ret_timer);
void listen_rest(sd_event_source *listening, sd_event_source *timer, int code);

/* The process that connected; 0 where that is not known. */
pid_t listen_process(int fd);

#endif
