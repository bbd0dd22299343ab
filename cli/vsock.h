/* SPDX-License-Identifier: MIT */
/* A guest's socket to the host that needs no network. */
#ifndef HV_CLI_VSOCK_H
#define HV_CLI_VSOCK_H

#include "cli/verb.h"

#include <jansson.h>

/* The context id of a machine that is up, by its status; 0: it has none. */
uint32_t cli_vsock_of(json_t *status);

/* Connects; the socket does not block. -ETIMEDOUT, or what the kernel says. */
int cli_vsock_connect(uint32_t cid, unsigned port, int timeout_ms, int *ret_fd, struct error *err);

#endif
