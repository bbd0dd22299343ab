/* SPDX-License-Identifier: MIT */
#include "vmm/volumes/curl_library.h"

#include "base/error.h"

#include <dlfcn.h>
#include <errno.h>

#define LOAD(member, symbol) (library.member = (__typeof__(library.member))dlsym(handle, symbol))

int curl_library_load(const struct curl_library **ret_library, struct error *err)
{
	static struct curl_library library;
	void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

	/* Debian has it with either library for TLS. */
	if (!handle)
		handle = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return error_set(err, ENOENT, "libcurl: %s (apt install libcurl4)", dlerror());
	if (!LOAD(global_init, "curl_global_init") || !LOAD(init, "curl_easy_init") ||
	    !LOAD(cleanup, "curl_easy_cleanup") || !LOAD(setopt, "curl_easy_setopt") ||
	    !LOAD(perform, "curl_easy_perform") || !LOAD(getinfo, "curl_easy_getinfo") ||
	    !LOAD(strerror, "curl_easy_strerror"))
		return error_set(err, ENOTSUP, "libcurl is too old");
	*ret_library = &library;
	return 0;
}
