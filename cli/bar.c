/* SPDX-License-Identifier: MIT */
#include "cli/bar.h"

#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOW_AFTER_USEC = 1000 * 1000, CELLS = 30, USEC = 1000 * 1000 };

void bar_begin(struct bar *b, const char *what, bool json)
{
	*b = (struct bar){
		.what = what,
		.json = json,
		.terminal = isatty(STDERR_FILENO),
		.begun_usec = clock_now_usec(),
	};
}

static void show_json(const struct bar *b, uint64_t done, uint64_t total)
{
	json_t *line = json_pack("{s:s s:s s:I s:I}", "event", "progress", "what", b->what, "bytes",
				 (json_int_t)done, "total", (json_int_t)total);
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (text)
		(void)puts(text);
	(void)fflush(stdout);
	free(text);
}

static void show_bar(struct bar *b, uint64_t done, uint64_t total, uint64_t passed_usec)
{
	char cells[CELLS + 1], so_far[32], all[32], left[32] = "";
	size_t full = (size_t)((double)done / (double)total * CELLS);

	for (size_t i = 0; i < CELLS; i++)
		cells[i] = i < full ? '#' : ' ';
	cells[CELLS] = '\0';
	str_format_size(so_far, sizeof(so_far), done);
	str_format_size(all, sizeof(all), total);
	if (done)
		(void)str_format(left, sizeof(left), ", %.0f s left",
				 (double)(total - done) * (double)passed_usec / (double)done /
					 USEC);
	(void)fprintf(stderr, "\r%s [%s] %s of %s%s\033[K", b->what, cells, so_far, all, left);
	(void)fflush(stderr);
	b->shown = true;
}

static void show_line(struct bar *b, uint64_t done, uint64_t total)
{
	unsigned tenths = (unsigned)((double)done / (double)total * 10);
	char so_far[32], all[32];

	if (tenths <= b->tenths)
		return;
	b->tenths = tenths;
	str_format_size(so_far, sizeof(so_far), done);
	str_format_size(all, sizeof(all), total);
	(void)fprintf(stderr, "%s: %s of %s\n", b->what, so_far, all);
}

void bar_show(struct bar *b, uint64_t done, uint64_t total)
{
	uint64_t passed_usec = clock_now_usec() - b->begun_usec;

	if (!total)
		return;
	if (done > total)
		done = total;
	if (b->json)
		show_json(b, done, total);
	else if (passed_usec < SHOW_AFTER_USEC)
		return;
	else if (b->terminal)
		show_bar(b, done, total, passed_usec);
	else
		show_line(b, done, total);
}

void bar_end(struct bar *b)
{
	if (!b->shown)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	b->shown = false;
}
