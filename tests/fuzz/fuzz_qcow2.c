/* SPDX-License-Identifier: MIT */
/* The beginning of an image; the last eight bytes are the size of the file. */
#include "fuzz.h"

#include "base/error.h"
#include "disk/qcow2.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct qcow2_info info = {0};
	uint64_t file_bytes = 0;
	int rc;

	if (size >= sizeof(file_bytes)) {
		size -= sizeof(file_bytes);
		memcpy(&file_bytes, data + size, sizeof(file_bytes));
	}
	fuzz_check(qcow2_want_bytes(data, size) <=
		   (size > QCOW2_CLUSTER_BYTES_MAX ? size : QCOW2_CLUSTER_BYTES_MAX));
	rc = qcow2_parse(data, size, file_bytes, &info, &err);
	fuzz_check(rc == 0 ? info.virtual_bytes <= 64ULL << 40
			   : err.code > 0 && fuzz_is_plain(err.text));
	return 0;
}
