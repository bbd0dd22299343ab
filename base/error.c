/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that was cut ends with a whole character. */
static void drop_half_character(char text[static ERROR_TEXT_MAX])
{
	size_t len = strlen(text), start = len, need;
	unsigned char lead;

	if (len + 1 < ERROR_TEXT_MAX)
		return;
	do
		lead = (unsigned char)text[--start];
	while ((lead & 0xc0) == 0x80 && start && len - start < 4);
	need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - start < need)
		text[start] = '\0';
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	drop_half_character(err->text);
	return -code;
}

int error_copy(struct error *err, const struct error *from)
{
	if (err && from->code)
		*err = *from;
	return -from->code;
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
	drop_half_character(err->text);
	return -code;
}

static void put_in_front(struct error *err, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void put_in_front(struct error *err, const char *fmt, va_list ap)
{
	char inner[ERROR_TEXT_MAX];
	size_t used;

	memcpy(inner, err->text, sizeof(inner));
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	used = strlen(err->text);
	if (strncmp(inner, err->text, used) == 0 && inner[used] == ':') {
		memcpy(err->text, inner, sizeof(inner));
		return;
	}
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	drop_half_character(err->text);
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
