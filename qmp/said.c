/* SPDX-License-Identifier: MIT */
#include "qmp/said.h"

#include <string.h>

/* glibc's and musl's. */
bool qmp_said_no_space(const char *text)
{
	return strstr(text, "No space left on device") != NULL;
}

bool qmp_said_is_folder(const char *text)
{
	return strstr(text, "Is a directory") != NULL;
}
