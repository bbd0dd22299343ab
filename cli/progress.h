/* SPDX-License-Identifier: MIT */
/* One line on a terminal that says what a long wait waits for: shown after a
 * second, wiped away in the end, and never where standard error is no terminal. */
#ifndef HV_CLI_PROGRESS_H
#define HV_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_AFTER_MS = 1000 };

struct progress {
	uint64_t due_usec; /* CLOCK_MONOTONIC */
	bool terminal, shown;
};

void progress_begin(struct progress *p);

/* Milliseconds until it is due, -1 where there is nothing to show any more. */
int progress_due_ms(const struct progress *p);

/* Shows the text (once), where it is due. */
void progress_show(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void progress_end(struct progress *p);

#endif
