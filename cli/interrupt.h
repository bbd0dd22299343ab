/* SPDX-License-Identifier: MIT */
/* A verb that ends or undoes what it began when SIGINT, SIGTERM or SIGHUP comes. */
#ifndef HV_CLI_INTERRUPT_H
#define HV_CLI_INTERRUPT_H

#include <signal.h>

/* From now on they set a flag, to which this points, and cut a wait short. */
const volatile sig_atomic_t *cli_interrupted(void);
/* The same for the first one; the second ends the process. */
const volatile sig_atomic_t *cli_interrupted_once(void);

/* A descriptor, ours, that can be read once one has come: for a loop to wait on. -1: there is none.
 */
int cli_interrupt_fd(void);

/* From now on they end the process again. */
void cli_interrupt_end(void);

#endif
