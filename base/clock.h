/* SPDX-License-Identifier: MIT */
/* The clock of deadlines: CLOCK_MONOTONIC, which is sd-event's too. */
#ifndef HV_BASE_CLOCK_H
#define HV_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_usec(void);

#endif
