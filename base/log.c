/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

static enum log_level log_level_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	log_level_max = level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const int priority[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARNING] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};
	char prefix[32], line[2048];
	struct timespec now;
	struct tm tm;
	va_list ap;

	if (level > log_level_max)
		return;
	if (getenv("JOURNAL_STREAM")) {
		(void)snprintf(prefix, sizeof(prefix), "<%d>", priority[level]);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		if (!localtime_r(&now.tv_sec, &tm) ||
		    !strftime(prefix, sizeof(prefix), "%F %T ", &tm))
			prefix[0] = '\0';
	}
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One write a line, so that processes sharing a log do not mix. */
	(void)fprintf(stderr, "%s%s\n", prefix, line);
}
