/* SPDX-License-Identifier: MIT */
/*
 * How a supervisor in the background tells the verb that started it that it is
 * ready, or why not: one line of JSON on a pipe, then end of file.
 */
#ifndef HV_VMM_READY_H
#define HV_VMM_READY_H

#include <stddef.h>

struct error;

/* err NULL: ready. fd -1: nobody asks. The descriptor is closed. */
void ready_tell(int fd, const struct error *err);

/* Decodes what was read until end of file: 0, or the error told (its code is
 * the supervisor's); -EPIPE where it ended without a word. */
int ready_decode(const char *text, size_t len, struct error *err);

#endif
