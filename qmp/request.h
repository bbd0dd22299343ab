/* SPDX-License-Identifier: MIT */
/*
 * One request of a client, taken apart as QEMU's monitor does it, and with its words
 * where it is none. Pure.
 */
#ifndef HV_QMP_REQUEST_H
#define HV_QMP_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct error;

struct qmp_request {
	char *command; /* UTF-8, any */
	char *id; /* its text as it came; NULL: none */
	char *arguments; /* the object's text, without blanks; NULL: none */
	json_t *decoded; /* of it; NULL: none */
	bool oob; /* by exec-oob */
};

/* Numbers beyond 64 bits are reals in what is decoded, and as they came in the text. On
 * failure the id is there where there was one: an error is answered with it. -EPROTO, -E2BIG,
 * -ENOMEM; the request is freed by the caller in any case. */
int qmp_request_parse(const char *text, size_t len, bool oob_allowed,
		      struct qmp_request *ret_request, struct error *err);

void qmp_request_free(struct qmp_request *r); /* what it holds */

#endif
