/* SPDX-License-Identifier: MIT */
/*
 * The words of a process, as /proc/PID/cmdline and ps show them. The kernel reads them where it put
 * them when the program was executed, with the environment behind them; where the last byte of the
 * words is no NUL any more it goes on into the environment, up to the first one there.
 */
#ifndef HV_BASE_TITLE_H
#define HV_BASE_TITLE_H

#include <stdbool.h>

/* Remembers that place. The first thing that main() does, before anybody changes environ. */
void title_init(int argc, char **argv);

/*
 * Gives this process, a copy of one that is called something else, others, with a blank between
 * two. What it was executed with, words and environment, is gone then: environ has to lie somewhere
 * else, and nobody may hold a part of it. False, with nothing changed, where there is no room.
 */
bool title_set(char *const *argv);

#endif
