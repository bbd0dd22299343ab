/* SPDX-License-Identifier: MIT */
/*
 * Messages of a fixed size between two processes of one program, the one with
 * privilege and the one that reads what strangers say. A message is a plain struct,
 * the same in both; the receiver trusts no member of it. Descriptors go along by
 * SCM_RIGHTS, at most one for each message.
 */
#ifndef HV_BASE_CHANNEL_H
#define HV_BASE_CHANNEL_H

#include <stddef.h>

struct error;

/* A connected pair (SOCK_SEQPACKET), both ends non-blocking and close-on-exec. */
int channel_pair(int *ret_one, int *ret_other, struct error *err);

/* Sends one message; fd (-1: none) stays the caller's. Waits at most a second for
 * a peer that is busy. -EPIPE: it has gone. */
int channel_send(int channel, const void *message, size_t size, int fd, struct error *err);

/*
 * Receives one message of exactly that size: 1. 0: the peer has gone. -EAGAIN: there
 * is none now. -EPROTO: it is of another size, or carries descriptors where ret_fd is
 * NULL (they are closed). *ret_fd is the caller's; -1 where none came.
 */
int channel_receive(int channel, void *ret_message, size_t size, int *ret_fd, struct error *err);

#endif
