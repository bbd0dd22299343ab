/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

int error_errno(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(code));
	return -code;
}

static void put_in_front(struct error *err, const char *fmt, va_list ap)
{
	char inner[ERROR_TEXT_MAX];
	size_t used;

	memcpy(inner, err->text, sizeof(inner));
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
}

int error_wrap(struct error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err)
		put_in_front(err, fmt, ap);
	va_end(ap);
	return rc;
}

int error_wrap_if(struct error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err && rc < 0)
		put_in_front(err, fmt, ap);
	va_end(ap);
	return rc;
}

int error_oom(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}
