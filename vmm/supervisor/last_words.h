/* SPDX-License-Identifier: MIT */
/*
 * What a child says on standard error: each line goes to the log, the last
 * 4 KiB are kept for the day it dies. The bytes are not trusted: control bytes
 * are escaped, a flood is bounded to 100 log lines a second.
 */
#ifndef HV_VMM_LAST_WORDS_H
#define HV_VMM_LAST_WORDS_H

#include "base/str.h"

#include <systemd/sd-event.h>

struct error;

struct last_words {
	const char *who; /* "qemu", for the log; static */
	int fd;
	sd_event_source *source;
	struct strbuf kept;
	/* Sees each line (printable) as it comes; may be NULL. Set it after
	 * last_words_init(). */
	void (*on_line)(const char *line, void *arg);
	void *arg;
	size_t line_start; /* in kept: where the unfinished line begins */
	uint64_t window_usec;
	unsigned lines_in_window;
};

/* fd (non-blocking) is taken over; -1 is allowed and says nothing. */
int last_words_init(struct last_words *w, sd_event *event, const char *who, int fd,
		    struct error *err);

/* Reads what is still there and stops listening; then the last lines said (three at the
 * most, with "; " between), printable, or ""
 * (valid until last_words_free()). */
const char *last_words_finish(struct last_words *w);

void last_words_free(struct last_words *w); /* accepts a zeroed one */

#endif
