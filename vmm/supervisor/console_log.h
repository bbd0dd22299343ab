/* SPDX-License-Identifier: MIT */
/*
 * The console's log in the state folder. QEMU writes it, from the first byte on and
 * without us, through a descriptor that it keeps; here it is only held below its
 * bound: at 8 MiB what is there moves to console.log.1.
 */
#ifndef HV_VMM_CONSOLE_LOG_H
#define HV_VMM_CONSOLE_LOG_H

#include <stdint.h>

enum { CONSOLE_LOG_BYTES_MAX = 8 * 1024 * 1024 };

/* 0 where there is none, or state_dirfd is -1. */
uint64_t console_log_size(int state_dirfd);

/* Moves it aside where it has reached its bound. Failures are logged: the log then
 * grows on. */
void console_log_bound(int state_dirfd);

#endif
