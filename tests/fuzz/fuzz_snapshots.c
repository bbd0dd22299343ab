/* SPDX-License-Identifier: MIT */
/* A snapshot table, and the same bytes as a directory of bitmaps; the last two are how many entries
 * it is said to have. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/bitmaps.h"
#include "disk/snapshots.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_strv struct strv names = {0};
	struct error err = ERROR_INIT;
	struct disk_snapshots list = {0};
	uint32_t count = 0;
	int rc;

	if (size >= 2) {
		size -= 2;
		count = (uint32_t)data[size] << 8 | data[size + 1];
	}
	rc = disk_snapshots_parse(data, size, count, &list, &err);
	if (rc == 0) {
		fuzz_check(list.n == count);
		for (size_t i = 0; i < list.n; i++)
			fuzz_check(list.v[i].name);
	} else {
		fuzz_check(rc == -EMSGSIZE ? !err.code : err.code > 0 && fuzz_is_plain(err.text));
		fuzz_check(!list.v && !list.n);
	}
	disk_snapshots_free(&list);
	rc = disk_bitmaps_parse(data, size, count, &names, &err);
	fuzz_check(rc == 0 ? names.n == count : err.code > 0 && fuzz_is_plain(err.text));
	return 0;
}
