/* SPDX-License-Identifier: MIT */
/*
 * Ids of calls, as short as they can be: the smallest number from 1 on that is free. An id
 * is free again when it was answered, or never sent. That of a call which ran out of time
 * stays taken, for its answer may still come, and must not be another's. Pure.
 */
#ifndef HV_QMP_IDS_H
#define HV_QMP_IDS_H

#include <jansson.h>
#include <stdint.h>

enum { QMP_IDS_MAX = 4096 };

/* All zero: all are free. */
struct qmp_ids {
	uint64_t taken[QMP_IDS_MAX / 64]; /* bit n: the id n + 1 */
};

/* 0: there is none. */
json_int_t qmp_ids_take(struct qmp_ids *ids);
/* Any number, also one that is free or that a peer made up. */
void qmp_ids_release(struct qmp_ids *ids, json_int_t id);

#endif
