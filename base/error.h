/* SPDX-License-Identifier: MIT */
/*
 * The error convention of the whole program.
 *
 * A fallible function returns 0 (or a count) on success and -errno on failure
 * and takes `struct error *err` last. The innermost layer says what failed and
 * why, each layer above may put its object in front ("vm 'dc01': open disk
 * '/x.qcow2': No such file or directory"). Nothing allocates, so an error can
 * be told when memory is out; text beyond the buffer is cut. Every function
 * here accepts err == NULL.
 */
#ifndef HV_BASE_ERROR_H
#define HV_BASE_ERROR_H

enum { ERROR_TEXT_MAX = 1536 };

struct error {
	int code; /* positive errno value; 0: no error */
	char text[ERROR_TEXT_MAX]; /* UTF-8, no newline at the end */
};

#define ERROR_INIT        \
	{                 \
		.code = 0 \
	}

/* Sets code and text; returns -code. code is a positive errno value. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same by another error; 0, and err stays as it is, where from has none. */
int error_copy(struct error *err, const struct error *from);

/* As error_set(), with ": " and the words for code behind the text. */
int error_errno(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "fmt: " in front of the text, unless it begins so: an object is named once. Returns rc
 * unchanged. */
int error_wrap(struct error *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for the result of a call, which it returns: error_wrap() where that
 * is negative, nothing else. */
int error_wrap_if(struct error *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "out of memory"; returns -ENOMEM. */
int error_oom(struct error *err);

#endif
