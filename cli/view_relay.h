/* SPDX-License-Identifier: MIT */
/* For a viewer that cannot connect to a unix socket. */
#ifndef HV_CLI_VIEW_RELAY_H
#define HV_CLI_VIEW_RELAY_H

struct error;

/*
 * Runs program with vnc://127.0.0.1:PORT, and passes on what it and screen, a
 * connected socket of the caller's, say until either ends. The port is open until one connection of
 * this very user has come; those of others are closed unheard.
 */
int view_relay(const char *program, int screen, struct error *err);

#endif
