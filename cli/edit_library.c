/* SPDX-License-Identifier: MIT */
#include "cli/edit_library.h"

#include "base/error.h"

#include <dlfcn.h>
#include <errno.h>

#define LOAD(member, symbol) (library.member = (__typeof__(library.member))dlsym(handle, symbol))

int edit_library_load(const struct edit_library **ret_library, struct error *err)
{
	static struct edit_library library;
	void *handle = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return error_set(err, ENOENT, "libedit: %s (apt install libedit2)", dlerror());
	if (!LOAD(init, "el_init") || !LOAD(end, "el_end") || !LOAD(reset, "el_reset") ||
	    !LOAD(gets, "el_gets") || !LOAD(set, "el_set") || !LOAD(get, "el_get") ||
	    !LOAD(line, "el_line") || !LOAD(insertstr, "el_insertstr") ||
	    !LOAD(history_init, "history_init") || !LOAD(history_end, "history_end") ||
	    !LOAD(history, "history"))
		return error_set(err, ENOTSUP, "libedit is too old");
	*ret_library = &library;
	return 0;
}
