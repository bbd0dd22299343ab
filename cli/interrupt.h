/* SPDX-License-Identifier: MIT */
/* A verb that undoes what it began when it is interrupted. */
#ifndef HV_CLI_INTERRUPT_H
#define HV_CLI_INTERRUPT_H

#include <signal.h>

/* From now on SIGINT, SIGTERM and SIGHUP set a flag, to which this points. */
const volatile sig_atomic_t *cli_interrupted(void);

/* From now on they end the process again. */
void cli_interrupt_end(void);

#endif
