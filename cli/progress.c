/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *p)
{
	*p = (struct progress){
		.due_usec = clock_now_usec() + (uint64_t)PROGRESS_AFTER_MS * 1000,
		.terminal = isatty(STDERR_FILENO),
	};
}

int progress_due_ms(const struct progress *p)
{
	uint64_t now = clock_now_usec();

	if (!p->terminal || p->shown)
		return -1;
	return now >= p->due_usec ? 0 : (int)((p->due_usec - now + 999) / 1000);
}

void progress_show(struct progress *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (progress_due_ms(p) != 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\r%s\033[K", text);
	(void)fflush(stderr);
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (!p->shown)
		return;
	(void)fputs("\r\033[K", stderr);
	(void)fflush(stderr);
	p->shown = false;
}
