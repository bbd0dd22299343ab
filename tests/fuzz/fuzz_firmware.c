/* SPDX-License-Identifier: MIT */
/* A firmware descriptor, asked for a machine with Secure Boot and for one without. */
#include "fuzz.h"

#include "base/error.h"
#include "base/str.h"
#include "firmware/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int secure = 0; secure < 2; secure++) {
		struct firmware_want want = {
			.secure_boot = secure,
			.arch = "x86_64",
			.machine = "pc-q35-7.2",
		};
		cleanup_strbuf struct strbuf why = {0};
		struct firmware_found found = {0};
		struct error err = ERROR_INIT;
		int rc = firmware_match((const char *)data, size, &want, &found, &why, &err);

		if (rc == 1)
			fuzz_check(found.code[0] == '/' && found.vars_template[0] == '/');
		else
			fuzz_check(
				!found.code && !found.vars_template &&
				(rc == 0 ? why.len > 0 : err.code > 0 && fuzz_is_plain(err.text)));
		firmware_found_free(&found);
	}
	return 0;
}
