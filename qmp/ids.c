/* SPDX-License-Identifier: MIT */
#include "qmp/ids.h"

#include "base/cleanup.h"

static uint64_t bit_of(json_int_t id)
{
	return UINT64_C(1) << ((id - 1) % 64);
}

json_int_t qmp_ids_take(struct qmp_ids *ids)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids->taken); i++)
		if (~ids->taken[i]) {
			json_int_t id = (json_int_t)i * 64 + __builtin_ctzll(~ids->taken[i]) + 1;

			ids->taken[i] |= bit_of(id);
			return id;
		}
	return 0;
}

void qmp_ids_release(struct qmp_ids *ids, json_int_t id)
{
	if (id >= 1 && id <= QMP_IDS_MAX)
		ids->taken[(id - 1) / 64] &= ~bit_of(id);
}
