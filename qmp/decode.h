/* SPDX-License-Identifier: MIT */
/*
 * One line from the peer to one JSON object. Pure.
 *
 * QMP has unsigned 64 bit numbers and jansson has signed ones: a number beyond
 * INT64_MAX becomes a real, in place of a broken connection.
 */
#ifndef HV_QMP_DECODE_H
#define HV_QMP_DECODE_H

#include <jansson.h>
#include <stddef.h>

struct error;

/* -EPROTO where the line is not one JSON object. The result is the caller's. */
int qmp_decode(const char *line, size_t len, json_t **ret_message, struct error *err);

#endif
