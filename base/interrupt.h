/* SPDX-License-Identifier: MIT */
/*
 * Signals that ask a verb to end (SIGINT, SIGTERM, SIGHUP), held back while it has something
 * that it must not leave half: it looks now and then whether it was asked, undoes, and ends.
 */
#ifndef HV_BASE_INTERRUPT_H
#define HV_BASE_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

struct error;

/* From here on they wait; ret_before is for interrupt_release(). */
void interrupt_hold(sigset_t *ret_before);

/* Whether one waits, or one was taken by interrupt_note(). */
bool interrupt_asked(void);

/* For whoever takes such a signal out of the queue: it is remembered. */
void interrupt_note(void);

/* 0, or -ECANCELED with "interrupted". */
int interrupt_check(struct error *err);

/* Lets go of them. One that waited is dropped: whoever held it has done as it asked. */
void interrupt_release(const sigset_t *before);

#endif
