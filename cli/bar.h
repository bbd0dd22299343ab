/* SPDX-License-Identifier: MIT */
/*
 * How far a long work is: on a terminal a bar with bytes and the time that is left, elsewhere a
 * line at each tenth; with --json a line of JSON on standard output for each report. Shown
 * after a second at the earliest, JSON at once.
 */
#ifndef HV_CLI_BAR_H
#define HV_CLI_BAR_H

#include <stdbool.h>
#include <stdint.h>

struct bar {
	const char *what; /* "save before-update", borrowed */
	bool json, terminal, shown;
	uint64_t begun_usec;
	unsigned tenths; /* told so far */
};

void bar_begin(struct bar *b, const char *what, bool json);
/* Bytes. */
void bar_show(struct bar *b, uint64_t done, uint64_t total);
void bar_end(struct bar *b); /* wipes it away */

#endif
