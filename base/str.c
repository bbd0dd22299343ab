/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

void str_free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void *str_realloc_secret(void *p, size_t len, size_t size)
{
	void *grown = malloc(size);

	if (!grown)
		return NULL;
	if (p) {
		memcpy(grown, p, len < size ? len : size);
		explicit_bzero(p, len);
	}
	free(p);
	return grown;
}

char *str_vprintf(const char *fmt, va_list ap)
{
	char *s;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

char *str_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = str_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

bool str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

/* Reads digits from *p; false where there is none or the value passes max. */
static bool take_digits(const char **p, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *s = *p;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*p = s;
	*ret_value = value;
	return true;
}

bool str_parse_u64(const char *s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;

	if (!take_digits(&s, max, &value) || *s)
		return false;
	*ret_value = value;
	return true;
}

bool str_parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGT";
	const char *letter;
	uint64_t value;
	unsigned shift;

	if (!take_digits(&s, UINT64_MAX, &value))
		return false;
	if (!*s) {
		*ret_bytes = value;
		return true;
	}
	letter = strchr(letters, *s++);
	if (!letter)
		return false;
	if (!(str_eq(s, "") || str_eq(s, "B") || str_eq(s, "iB")))
		return false;
	shift = 10 * (unsigned)(letter - letters + 1);
	if (value > UINT64_MAX >> shift)
		return false;
	*ret_bytes = value << shift;
	return true;
}

void str_format_size(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t scaled = bytes, rest = 0;
	size_t unit = 0;

	while (scaled >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		rest = scaled % 1024;
		scaled /= 1024;
		unit++;
	}
	if (rest * 10 / 1024 == 0)
		(void)str_format(buf, size, "%" PRIu64 " %s", scaled, units[unit]);
	else
		(void)str_format(buf, size, "%" PRIu64 ".%" PRIu64 " %s", scaled, rest * 10 / 1024,
				 units[unit]);
}

void str_format_milli(char *buf, size_t size, uint64_t milli)
{
	unsigned rest = (unsigned)(milli % 1000);
	int decimals = rest % 10 ? 3 : rest % 100 ? 2 : 1;

	if (!rest) {
		(void)str_format(buf, size, "%" PRIu64, milli / 1000);
		return;
	}
	for (int i = decimals; i < 3; i++)
		rest /= 10;
	(void)str_format(buf, size, "%" PRIu64 ".%0*u", milli / 1000, decimals, rest);
}

static bool is_ascii_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool str_is_name(const char *s)
{
	size_t n = 0;

	if (!is_ascii_alnum(*s))
		return false;
	for (; s[n]; n++)
		if (n >= 63 || !(is_ascii_alnum(s[n]) || strchr("_.-", s[n])))
			return false;
	return true;
}
