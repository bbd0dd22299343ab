/* SPDX-License-Identifier: MIT */
/*
 * libcurl, loaded where something is fetched and not linked: with its own libraries it
 * would cost every start of hv milliseconds, of which hardly one fetches anything.
 */
#ifndef HV_VMM_CURL_LIBRARY_H
#define HV_VMM_CURL_LIBRARY_H

#include <curl/curl.h>

struct error;

struct curl_library {
	CURLcode (*global_init)(long flags);
	CURL *(*init)(void);
	void (*cleanup)(CURL *handle);
	CURLcode (*setopt)(CURL *handle, CURLoption option, ...);
	CURLcode (*perform)(CURL *handle);
	CURLcode (*getinfo)(CURL *handle, CURLINFO info, ...);
	const char *(*strerror)(CURLcode code);
};

/* *ret_library is static, and stays loaded. -ENOENT where there is none. */
int curl_library_load(const struct curl_library **ret_library, struct error *err);

#endif
