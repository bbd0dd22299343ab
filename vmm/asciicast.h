/* SPDX-License-Identifier: MIT */
/*
 * Recordings of a terminal in asciicast format, version 2: a line of JSON for the
 * header, and one for each event. Pure: bytes in, text out.
 */
#ifndef HV_VMM_ASCIICAST_H
#define HV_VMM_ASCIICAST_H

#include "base/str.h"

#include <stdint.h>

/* Zeroed: nothing was said yet. A character may lie across two chunks. */
struct asciicast {
	unsigned char kept[4];
	size_t n_kept;
};

/* time in seconds since the epoch; term may be NULL. Look at into->failed, here and
 * below. */
void asciicast_header(struct strbuf *into, unsigned columns, unsigned rows, uint64_t time,
		      const char *title, const char *term);

/* What the terminal was sent, usec after the beginning. Bytes that are no UTF-8 become
 * replacement characters, for JSON has no others. */
void asciicast_output(struct asciicast *a, struct strbuf *into, uint64_t usec, const char *data,
		      size_t len);

/* The terminal has another size. */
void asciicast_resize(struct strbuf *into, uint64_t usec, unsigned columns, unsigned rows);

/* What was kept of a character that never came. */
void asciicast_end(struct asciicast *a, struct strbuf *into, uint64_t usec);

#endif
