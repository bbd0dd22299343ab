/* SPDX-License-Identifier: MIT */
/*
 * One line from the peer to one JSON object. Pure.
 *
 * QMP has unsigned 64 bit numbers and jansson has signed ones: a number beyond
 * INT64_MAX becomes a real, in place of a broken connection.
 *
 * Bounds: 256 Ki values (query-qmp-schema has some 20,000), which is some tens
 * of MiB of memory; depth as jansson's parser limit.
 */
#ifndef HV_QMP_DECODE_H
#define HV_QMP_DECODE_H

#include <jansson.h>
#include <stddef.h>

struct error;

enum { QMP_VALUES_MAX = 256 * 1024 };

/* -EPROTO where the line is not one JSON object, or passes a bound; what err
 * quotes of it is printable. The result is the caller's. */
int qmp_decode(const char *line, size_t len, json_t **ret_message, struct error *err);

#endif
